"""Makes the checks of `doctor` in the event loop of a test, beside servers of the test."""

from typing import Any

from restream_async._util.clock import Clock
from restream_async.cli.doctor.examination import Examination
from restream_async.cli.doctor.results import Result, Status
from restream_async.cli.options.connection import ConnectionOptions
from restream_async.cli.options.nats import NatsCliOptions


async def examine(
    base_url: str | None = "http://127.0.0.1:9",
    *,
    video: str | None = "v1",
    nats: NatsCliOptions | None = None,
    clock: Clock | None = None,
    **options: Any,  # noqa: ANN401 - those of a connection
) -> dict[str, Result]:
    """Return the results by the names of the checks, in their order."""
    reported: list[Result] = []
    examination = Examination(
        connection=ConnectionOptions(base_url=base_url, project_id="p1", **options),
        nats=nats or NatsCliOptions(),
        video_id=video,
        report=reported.append,
        clock=clock or Clock(),
    )
    healthy = await examination.run()

    assert reported == examination.results
    assert healthy == all(each.status is not Status.FAILED for each in reported)
    assert all(each.advice for each in reported if each.status in {Status.FAILED, Status.WARNING})
    return {each.check: each for each in reported}


def said(result: Result) -> str:
    """Return a result as one text."""
    return " | ".join(filter(None, [result.status.value, result.detail, result.advice]))


def statuses(results: dict[str, Result]) -> dict[str, str]:
    """Return how each check ended."""
    return {name: each.status.value for name, each in results.items()}


def skipped_after(results: dict[str, Result], name: str) -> bool:
    """Return whether this check is the only one that failed, and those after it name it."""
    names = [*results]
    after = [results[each] for each in names[names.index(name) + 1 :] if each != "clock"]
    failures = [each for each, result in results.items() if result.status is Status.FAILED]
    return failures == [name] and all(
        (each.status, each.detail) == (Status.SKIPPED, f"{name} failed") for each in after
    )
