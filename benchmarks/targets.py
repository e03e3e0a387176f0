"""Measured numbers beside what was promised of them. A miss is said where the number stands."""


def at_most(limit: float, value: float, form: str) -> str:
    """Write a number that must not be above a limit."""
    return _judged(value, form, well=round(value, 4) <= limit)


def at_least(limit: float, value: float, form: str) -> str:
    """Write a number that must not be below a limit."""
    return _judged(value, form, well=round(value, 4) >= limit)


def _judged(value: float, form: str, *, well: bool) -> str:
    return f"{value:{form}}" if well else f"**{value:{form}}** (missed)"
