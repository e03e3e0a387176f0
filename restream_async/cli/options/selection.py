"""Private: options that select restreams of several videos."""

from collections.abc import Callable
from typing import Annotated, Concatenate, Final, ParamSpec, TypeAlias
from urllib.parse import urlsplit

import attrs
import typer

from restream_async import Restream
from restream_async._util.redaction import host_of
from restream_async.cli.errors import CliError
from restream_async.cli.options.shared import add_options
from restream_async.cli.output.console import safe

_P = ParamSpec("_P")

_PANEL: Final = "Selection"


@attrs.frozen(kw_only=True)
class SelectionOptions:
    """Which restreams of the videos; None: not given."""

    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="PATH",
            help="A file with live videos: one id on each line, or CSV or JSON lines with "
            "videoId; - reads standard input.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    destination: Annotated[
        list[str] | None,
        typer.Option(
            "--destination",
            metavar="HOST",
            help="Only restreams to this host, such as live.twitch.tv. Can be given several times.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    title: Annotated[
        list[str] | None,
        typer.Option(
            "--title",
            metavar="TEXT",
            help="Only restreams with exactly this title. Can be given several times.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    @property
    def is_given(self) -> bool:
        """Whether any option was given."""
        return any(attrs.astuple(self))

    def check(self) -> None:
        """Check that each destination is a host.

        Raises:
            CliError: one is something else, such as a URL, which may hold a key.

        """
        for host in self.destination or ():
            if not host.strip() or any(character in host for character in "/@?# "):
                raise CliError(
                    "--destination takes a host, such as live.twitch.tv, not a URL or a title"
                )

    def selects(self, restream: Restream) -> bool:
        """Return whether a restream is selected."""
        if self.title and restream.title not in self.title:
            return False
        return not self.destination or any(
            _is_host(host.casefold(), restream.stream_url) for host in self.destination
        )

    def __str__(self) -> str:
        """Return for example `to live.twitch.tv or a.example with the title 'Own'`, or nothing."""
        hosts = " or ".join(map(safe, self.destination or ()))
        titles = " or ".join(f"'{safe(title)}'" for title in self.title or ())
        parts = [hosts and f" to {hosts}", titles and f" with the title {titles}"]
        return "".join(parts)


VideoIds: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="VIDEO_ID",
        help="The public ids of live videos. Put -- before an id that begins with a dash.",
        show_default=False,
    ),
]


def selection_options(
    command: Callable[Concatenate[SelectionOptions, _P], None],
) -> Callable[..., None]:
    """Add the options to a command, as its parameter `selection`."""
    return add_options(SelectionOptions, "selection", command)


def _is_host(wanted: str, url: str) -> bool:
    """Return whether a stream URL has this host; a port counts only if it is given."""
    host = host_of(url)
    return host is not None and wanted in {host, urlsplit(url).hostname}
