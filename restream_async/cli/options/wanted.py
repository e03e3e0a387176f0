"""Private: the options that `plan` and `apply` share."""

from typing import Annotated, TypeAlias

import typer

Rotate: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--rotate",
        help="Replace stream keys: if the service has the same video, stream URL and title with "
        "another key, create the wanted restream first, and then delete the old one.",
    ),
]
Prune: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--prune",
        help="Delete what is extra: restreams of these videos that FILE does not name, and second "
        "copies.",
    ),
]
