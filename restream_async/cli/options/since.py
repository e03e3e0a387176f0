"""Private: the option `--since`: a time, or how long ago."""

import datetime as dt
import re
from typing import Annotated, Final, TypeAlias

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_AGO: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)


def time_of(text: str) -> dt.datetime:
    """Parse a time in ISO 8601, or how long ago it was, such as `10m`."""
    try:
        if ago := _AGO.fullmatch(text):
            age = dt.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return max(dt.datetime.now(dt.UTC) - age, _EPOCH)
        # A time without a zone is that of this machine.
        time = dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        problem = f"{text!r} is neither a time such as 2026-01-31T18:00Z nor an age such as 10m"
    else:
        if time <= dt.datetime.now(dt.UTC):
            # NATS counts nanoseconds, and takes a time of another century for a later one.
            return max(time, _EPOCH)
        problem = f"{text} is in the future"
    raise typer.BadParameter(problem)


Since: TypeAlias = Annotated[
    dt.datetime | None,
    typer.Option(
        parser=time_of,
        metavar="TIME",
        help="The time of the first one, such as 2026-01-31T18:00Z, or its age: 90s, 10m, 2h, 7d.",
    ),
]
