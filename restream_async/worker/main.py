"""One worker process, from the first connection to the last message."""

from collections.abc import Callable

from restream_async._retry.policy import RetryPolicy
from restream_async.client import RestreamClient
from restream_async.errors import RestreamError
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.faststream_app import worker_app
from restream_async.worker.handling import GRACE, REDELIVERY
from restream_async.worker.nats_options import NatsOptions, close, jetstream_of
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from restream_async.worker.webhooks import Destination


async def run_worker(  # noqa: PLR0913 - one keyword for each setting
    options: NatsOptions,
    *,
    names: Subjects | None = None,
    client: Callable[[], RestreamClient] = RestreamClient,
    places: int = 16,
    in_flight: int | None = None,
    ack_wait: float | None = None,
    replicas: int = 1,
    grace: float = GRACE,
    destinations: tuple[Destination, ...] = (),
    redelivery: RetryPolicy = REDELIVERY,
    trust_stream: bool = False,
    told: Callable[[RestreamError], str] = str,
) -> None:
    """Work until SIGTERM or Ctrl-C; then finish or give back what is under way, and return.

    A signal that comes before the first message is asked for is its caller's.

    Args:
        options: how to reach the NATS server.
        names: what things are called there.
        client: makes the client that all messages share.
        places: messages under way in this process, at most.
        in_flight: messages under way over all machines, at most; changes the consumer's. None: as
            the consumer has it, else 64.
        ack_wait: seconds after which a message of a worker that died is delivered again; None: as
            the consumer has it, else 30.
        replicas: on how many servers of a cluster a stream is kept that has to be made.
        grace: seconds that messages under way may take to finish at the end.
        destinations: where every new live video is pushed on to, for events on the stream.
        redelivery: at which delivery a message that fails is given up, and its rest in between.
        trust_stream: create at a first delivery without checking whether the restream exists. Only
            where nothing else creates the same restreams, nothing is published twice more than
            two hours apart, and the server is never restarted: it forgets what it has seen.
        told: puts an error into words, for the log and the outcomes. By default they name the
            arguments of a client.

    Raises:
        ConfigurationError: the server cannot be reached, or its streams or consumer are there
            with other settings.
        GoneError: a consumer or stream was deleted while it worked.

    """
    names = names if names is not None else Subjects()

    connection = await options.connect()
    try:
        jetstream = jetstream_of(connection)
        salt = await declare_streams(jetstream, names, replicas=replicas)
        consumer = await declare_consumer(jetstream, names, in_flight=in_flight, ack_wait=ack_wait)
        if destinations:
            await declare_consumer(jetstream, names.of_events, ack_wait=consumer.ack_wait)
    finally:
        await close(connection)
    plan = WorkerSettings(
        names=names,
        places=places,
        ack_wait=consumer.ack_wait,
        look_until=consumer.look_until,
        redelivery=redelivery,
        trust_stream=trust_stream,
        grace=grace,
        destinations=destinations,
        told=told,
        salt=salt,
    )
    await worker_app(options, plan, client).run()
