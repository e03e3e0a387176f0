"""Private: `--journal` and `--no-journal`: which journal a run keeps, and what else it may keep."""

from pathlib import Path

from restream_async.cli.errors import CliError
from restream_async.cli.file_roles import exists


def check_journal(journal: Path | None, *, no_journal: bool) -> None:
    """Check what the two options say.

    Raises:
        CliError: they contradict each other, or the journal is no file.

    """
    if journal is not None and no_journal:
        raise CliError("--journal and --no-journal exclude each other: pass one of them")
    if str(journal) == "-":
        raise CliError("--journal needs a file, not a standard stream: name a file")


def with_journal_options(message: str, journal: Path | None, *, keep_none: str) -> str:
    """Add the options that help to a message about an unusable journal.

    Args:
        message: what is wrong.
        journal: the one that was to be kept.
        keep_none: the options of a safe run without one.

    """
    if journal is None or exists(journal):
        advice = "name another journal"
        return message.replace(advice, f"{advice} (--journal PATH), or keep none ({keep_none})")
    return f"{message}; pass --journal PATH for another place, or --no-journal to keep none"
