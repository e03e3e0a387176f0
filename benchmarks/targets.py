"""Measured numbers and their targets. A number that misses its target is marked."""


def at_most(limit: float, value: float, form: str) -> str:
    """Write a number that must not be above a limit."""
    return _marked(value, form, well=round(value, 4) <= limit)


def at_least(limit: float, value: float, form: str) -> str:
    """Write a number that must not be below a limit."""
    return _marked(value, form, well=round(value, 4) >= limit)


def _marked(value: float, form: str, *, well: bool) -> str:
    return f"{value:{form}}" if well else f"**{value:{form}}** (missed)"
