"""Private: `bulk --dry-run`: checks an input, and says what a run would do with it."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

import attrs
from rich.console import Console
from rich.text import Text

from restream_async import NewRestream
from restream_async._bulk.repeats import Repeats
from restream_async._journal.entries import Identity
from restream_async._journal.reading import JournalReader
from restream_async.cli.errors import CliError
from restream_async.cli.file_roles import exists
from restream_async.cli.input.check import CheckedInput
from restream_async.cli.input.forecast import Forecast
from restream_async.cli.options.connection import ConnectionOptions, settings_for
from restream_async.cli.output.console import say, say_copyable
from restream_async.cli.output.run_summary import headed


@attrs.frozen(kw_only=True)
class DryRun:
    """Says what a run with the same options would do.

    Attributes:
        connection: says whose journal it must be; not needed if there is none.
        journal: the journal that the run would have, or None. It need not exist.
        repeats: as for the run.
        ensure: as for the run.

    """

    connection: ConnectionOptions
    journal: Path | None
    repeats: Repeats
    ensure: bool

    def run(
        self, check: Callable[[Callable[[NewRestream], None]], CheckedInput], console: Console
    ) -> None:
        """Check an input, and print what a run would do.

        Args:
            check: checks the input, and calls its argument with each restream.
            console: shows the result.

        Raises:
            CliError: the input is bad, or the journal exists and the settings are incomplete.
            JournalError: the journal cannot be read, is in use, or is that of others.

        """
        with self._earlier() as earlier:
            forecast = Forecast(
                earlier,
                repeats=self.repeats,
                ensure=self.ensure,
                has_journal=self.journal is not None,
            )
            checked = check(forecast.add)
            head = Text(f"{checked}. All lines are good; nothing was sent (--dry-run).")
            say(console, headed(head, forecast.counts()))
        if earlier is not None:
            say_copyable(console, "Journal:", str(self.journal))

    @contextlib.contextmanager
    def _earlier(self) -> Generator[JournalReader | None]:
        """Open the journal if there is one."""
        if self.journal is None or not exists(self.journal):
            yield None
            return
        try:
            settings = settings_for(self.connection)
        except CliError as error:
            problem = f"{error}. To check the input without its journal, pass --no-journal"
            raise CliError(problem) from None
        identity = Identity(
            base_url=settings.base_url, project_id=settings.project_id, api_key=settings.api_key
        )
        with JournalReader(self.journal, identity) as reader:
            yield reader
