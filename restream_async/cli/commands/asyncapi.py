"""Private: `asyncapi` prints the AsyncAPI document of the messages."""

from restream_async.cli.options.nats import NatsCliOptions, nats_options
from restream_async.cli.output.console import result_console
from restream_async.worker.asyncapi import document


@nats_options
def asyncapi(*, nats: NatsCliOptions) -> None:
    """Print the AsyncAPI document of the subjects: commands, outcomes, dead letters."""
    with result_console() as console:
        console.print(document(nats.names), soft_wrap=True)
