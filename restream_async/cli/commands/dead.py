"""Private: the commands of `dead`, which list, retry and drop dead letters."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from restream_async.cli.errors import CliError
from restream_async.cli.options.nats import NatsCliOptions, nats_options, worker_extra
from restream_async.cli.options.shared import AsJson, Yes
from restream_async.cli.options.since import Since
from restream_async.cli.prompt import refuse_without_terminal

if TYPE_CHECKING:
    from restream_async.cli.commands.dead_run import DeadRun

_Ids: TypeAlias = Annotated[
    list[int] | None,
    typer.Argument(metavar="ID", help="The ids of dead letters, as dead list shows them."),
]
_Reason: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Those whose reason contains TEXT; capitals do not matter."),
]
_All: TypeAlias = Annotated[bool, typer.Option("--all", help="All of them.")]


@nats_options
def list_(
    *, nats: NatsCliOptions, reason: _Reason = None, since: Since = None, as_json: AsJson = False
) -> None:
    """Show the dead letters: id, time, video, title and reason."""
    run = _run_for(nats)
    raise typer.Exit(run.list(reason=reason, since=since, as_json=as_json))


@nats_options
def retry(
    *,
    nats: NatsCliOptions,
    ids: _Ids = None,
    reason: _Reason = None,
    everything: _All = False,
    yes: Yes = False,
) -> None:
    """Put the restreams of dead letters on the stream again, after asking for confirmation.

    Each dead letter is removed. Workers check whether its restream exists before they create it, so
    the command can be repeated after any end.
    """
    _change("retry", nats, ids, reason, everything=everything, yes=yes)


@nats_options
def drop(
    *,
    nats: NatsCliOptions,
    ids: _Ids = None,
    reason: _Reason = None,
    everything: _All = False,
    yes: Yes = False,
) -> None:
    """Remove dead letters and what a retry of them needs, after asking for confirmation."""
    _change("drop", nats, ids, reason, everything=everything, yes=yes)


def _change(  # noqa: PLR0913 - one for each option
    verb: Literal["retry", "drop"],
    nats: NatsCliOptions,
    ids: list[int] | None,
    reason: str | None,
    *,
    everything: bool,
    yes: bool,
) -> None:
    if sum((bool(ids), reason is not None, everything)) != 1:
        raise CliError("name dead letters by ID, or select them with --reason or --all")
    run = _run_for(nats)
    if not yes:
        refuse_without_terminal(verb)
    raise typer.Exit(run.change(verb, ids or (), reason, yes=yes))


def _run_for(nats: NatsCliOptions) -> "DeadRun":
    options = nats.options()
    with worker_extra():
        from restream_async.cli.commands.dead_run import DeadRun  # noqa: PLC0415 - needs the extra
    return DeadRun(options=options, names=nats.names)
