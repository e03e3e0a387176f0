"""The commands `enqueue` and `worker`, each in a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from nats.aio.client import Client

from restream_async.sandbox import Sandbox
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import all_processed, documents, wanted

COUNT = 40


def environment(sandbox: Sandbox, url: str) -> dict[str, str]:
    return {
        **os.environ,
        "RESTREAM_BASE_URL": sandbox.base_url,
        "RESTREAM_PROJECT_ID": sandbox.project_id,
        "RESTREAM_API_KEY": sandbox.api_key,
        "RESTREAM_NATS_URL": url,
    }


async def begin(*arguments: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "restream_async.cli",
        *arguments,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


async def run(*arguments: str, env: dict[str, str]) -> tuple[int | None, str]:
    process = await begin(*arguments, env=env)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


def csv(folder: Path, count: int = COUNT) -> str:
    path = folder / "restreams.csv"
    rows = [
        f"{each.video_id},{each.title},{each.stream_url},{each.stream_key},true"
        for each in map(wanted, range(count))
    ]
    path.write_text("\n".join(["videoId,title,streamUrl,streamKey,status", *rows, ""]))
    return str(path)


async def all_waiting(connection: Client, slots: int) -> None:
    """Wait until so many slots wait for messages, so that every worker is ready."""
    jetstream = jetstream_of(connection)
    async with asyncio.timeout(60):
        while True:
            for info in await jetstream.consumers_info("RESTREAMS"):
                if (info.num_waiting or 0) + (info.num_ack_pending or 0) >= slots:
                    return
            await asyncio.sleep(0.05)


async def test_restreams_enqueued_twice_are_created_once_by_two_workers(
    nats_server: NatsServer, connection: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    env = environment(sandbox, nats_server.url)

    first = await run("enqueue", csv(tmp_path), env=env)
    again = await run("enqueue", csv(tmp_path), env=env)
    workers = [await begin("worker", "--places", "4", "--cap", "6", env=env) for _ in range(2)]
    await all_waiting(connection, 8)
    await all_processed(connection, 40)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    ends = [await asyncio.wait_for(worker.communicate(), 30) for worker in workers]

    assert (first[0], again[0]) == (0, 0)
    assert "40 of 40 restreams on the stream RESTREAMS" in first[1]
    assert "       40  put there now" in first[1]
    assert "       40  that it had already" in again[1]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert len(sandbox.stored) == COUNT
    assert sandbox.counts.max_in_flight <= 6
    assert len(await documents(connection, "RESTREAMS_OUTCOMES")) == COUNT
    said = first[1] + again[1] + "".join(output.decode() for output, _ in ends)
    assert "SECRET" not in said
    assert sandbox.api_key not in said


async def test_after_enqueue_was_killed_and_run_again_the_stream_has_each_restream_once(
    nats_server: NatsServer, connection: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    env = environment(sandbox, nats_server.url)
    file = csv(tmp_path, 3000)
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())

    async def count() -> int:
        return (await jetstream.stream_info("RESTREAMS")).state.messages

    killed = await begin("enqueue", file, env=env)
    async with asyncio.timeout(20):
        while await count() < 500:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)
    killed.kill()
    await killed.communicate()
    left = await count()
    code, said = await run("enqueue", file, env=env)

    assert left < 3000, "it was killed on the way"
    assert code == 0
    assert f"{left:>9,}  that it had already" in said
    assert await count() == 3000
    messages = await asyncio.gather(
        *(jetstream.get_msg("RESTREAMS", number + 1) for number in range(3000))
    )
    keys = {json.loads(message.data or b"")["streamKey"] for message in messages}
    assert keys == {wanted(number).stream_key for number in range(3000)}


async def test_another_cap_changes_the_consumer_and_another_ack_wait_is_refused(
    nats_server: NatsServer, connection: Client, sandbox: Sandbox
) -> None:
    env = environment(sandbox, nats_server.url)
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    await declare_consumer(jetstream, Subjects(), global_concurrency=5)
    worker = await begin("worker", "--cap", "6", env=env)
    await all_waiting(connection, 16)

    found = await jetstream.consumer_info(Subjects().stream, Subjects().consumer)
    code, output = await run("worker", "--ack-wait", "31", env=env)
    worker.send_signal(signal.SIGTERM)
    await asyncio.wait_for(worker.communicate(), 30)

    assert code == 2
    assert found.config.max_ack_pending == 6
    assert "ack_wait 30.0 instead of 31.0" in output
    assert "Traceback" not in output
