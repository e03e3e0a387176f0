"""The files of the chapter on deployment: each is checked by what reads it, or carried out."""

import asyncio
import json
import re
import shlex
import signal
import statistics
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes_validate  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from typer.core import TyperGroup
from typer.main import get_command

from restream_async.cli.app import app
from restream_async.handling.message_handler import SHUTDOWN_TIMEOUT
from restream_async.sandbox import Sandbox
from tests.helpers.container_file import Image, NoRegistryError, build
from tests.helpers.nats_server import NatsServer
from tests.helpers.programs import do_without, find
from tests.helpers.readmes import FILES, READMES, ROOT, environment, path_of
from tests.helpers.varnish import closed_port
from tests.helpers.worker_fleet import stored_count

UNIT = FILES["restream-worker.service"].text
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILES["worker.yaml"].text))
DEPLOYMENT, BUDGET = MANIFESTS
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
ALERTS: dict[str, Any] = yaml.safe_load(FILES["alerts.yaml"].text)
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
# Seconds in which a worker ends after SIGTERM, as the chapter says.
LONGEST_STOP = 10
SECRET = "SECRET-stream-key"
# From other programs than the worker.
FOREIGN = {"jetstream_consumer_num_pending"}


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def arguments_of_the_unit() -> list[str]:
    (start,) = re.findall(r"^ExecStart=(.+)$", UNIT, re.MULTILINE)
    return shlex.split(start)[1:]


@pytest.fixture
def unit(tmp_path: Path) -> str:
    """The path of the unit, with a program in the place of the worker."""
    program = tmp_path / "bin" / "restream-async"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    path = tmp_path / "restream-worker.service"
    path.write_text(UNIT.replace("/opt/restream", str(tmp_path)))
    return str(path)


def systemd_analyze(*words: str) -> str:
    command = [find("systemd-analyze", "systemd"), *words]
    done = subprocess.run(  # noqa: S603 - systemd's own program
        command, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_reads_the_unit_without_a_complaint(unit: str) -> None:
    assert not systemd_analyze("verify", "--man=no", unit)


def test_systemd_finds_the_unit_well_hardened(unit: str) -> None:
    # From 0 to 100; systemd calls anything below 20 good.
    systemd_analyze("security", "--offline=true", "--threshold=20", "--no-pager", unit)


@pytest.mark.parametrize("version", ["1.25", kubernetes_validate.latest_version()])
def test_kubernetes_knows_every_field_of_the_manifests(version: str) -> None:
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_parts_of_the_manifests_fit_together() -> None:
    labels = POD["metadata"]["labels"]
    selectors = [DEPLOYMENT["spec"]["selector"], BUDGET["spec"]["selector"]]
    selectors += [each["labelSelector"] for each in POD["spec"]["topologySpreadConstraints"]]
    (port,) = CONTAINER["ports"]
    volumes = {each["name"] for each in POD["spec"]["volumes"]}
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    listens = option(CONTAINER["args"], "--health")

    assert [each["matchLabels"] for each in selectors] == [labels] * 3
    assert {
        CONTAINER[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")
    } == {port["name"]}
    assert listens == f"0.0.0.0:{port['containerPort']}"
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert set(mounts) == volumes
    for name in ("--api-key-file", "--nats-creds"):
        assert str(Path(option(CONTAINER["args"], name)).parent) in mounts.values()


def test_the_others_fill_the_cap_while_one_worker_is_missing() -> None:
    slots, cap = (int(option(CONTAINER["args"], name)) for name in ("--places", "--cap"))

    assert (DEPLOYMENT["spec"]["replicas"] - 1) * slots == cap


def test_the_throughput_is_the_one_that_was_measured() -> None:
    found = json.loads((ROOT / "benchmarks" / "plots" / "workers.json").read_text())

    assert found["service_seconds"] == 0.2
    rate = statistics.median(found["rates"]["4"])
    slots = 4 * found["places"]
    assert f"measured {rate:.0f} with {slots} slots" in READMES["restream_async/worker/README.md"]


def test_a_worker_gets_the_time_to_stop_that_it_needs() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)

    assert SHUTDOWN_TIMEOUT < LONGEST_STOP < POD["spec"]["terminationGracePeriodSeconds"]
    assert int(seconds) > LONGEST_STOP


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(arguments_of_the_unit(), id="systemd"),
        pytest.param(CONTAINER["args"], id="kubernetes"),
    ],
)
def test_the_command_line_takes_the_arguments(words: list[str]) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *arguments = words

    group.commands[name].make_context(name, list(arguments))


def selectors(expression: promql_parser.Expr) -> Iterator[promql_parser.VectorSelector]:
    """Give the metrics that an expression reads."""
    match expression:
        case promql_parser.VectorSelector():
            yield expression
        case promql_parser.MatrixSelector():
            yield expression.vector_selector
        case promql_parser.BinaryExpr():
            yield from selectors(expression.lhs)
            yield from selectors(expression.rhs)
        case promql_parser.AggregateExpr():
            yield from selectors(expression.expr)
        case promql_parser.Call():
            for each in expression.args:
                yield from selectors(each)
        case _:
            return


ALERTS_READ = [
    each
    for rule in RULES
    for each in selectors(promql_parser.parse(rule["expr"]))
    if each.name not in FOREIGN
]


def is_read_from(selector: promql_parser.VectorSelector, samples: list[Sample]) -> bool:
    """Whether there are samples of this metric, with the labels that are asked for."""
    labels = [sample.labels for sample in samples if sample.name == selector.name]
    return all(
        any(
            matcher.name in each
            and (matcher.op != promql_parser.MatchOp.Equal or each[matcher.name] == matcher.value)
            for each in labels
        )
        for matcher in selector.matchers.matchers
    ) and bool(labels)


def test_every_alert_reads_a_metric_and_says_what_is_wrong() -> None:
    for rule in RULES:
        assert list(selectors(promql_parser.parse(rule["expr"])))
        assert rule["annotations"]["summary"]
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


async def built(folder: Path) -> Image:
    """Carry out the container file in a fresh environment."""
    context, root = folder / "context", folder / "root"
    context.mkdir()
    root.mkdir()
    for each in {*ROOT.iterdir(), path_of("restream_async")}:
        if not (context / each.name).exists():
            (context / each.name).symlink_to(each)
    try:
        return await asyncio.to_thread(build, FILES["Containerfile"].text, context, root)
    except NoRegistryError as error:
        do_without(f"no package registry can be reached: {error}")


@asynccontextmanager
async def nats_in(folder: Path) -> AsyncGenerator[str]:
    server = NatsServer(folder)
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()


async def scraped(port: int) -> tuple[int, list[Sample]]:
    """Return the status of /readyz, and the metrics."""
    address = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{address}/readyz") as answer:
            status = answer.status
        async with session.get(f"{address}/metrics") as answer:
            text = await answer.text()
    families = text_string_to_metric_families(text)
    return status, [sample for family in families for sample in family.samples]


@pytest.mark.timeout(300)  # it downloads and installs packages
async def test_the_image_runs_a_worker_that_is_well_works_and_stops_in_time(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    image = await built(tmp_path)
    file = tmp_path / "restreams.csv"
    file.write_text(f"videoId,title,streamUrl,streamKey,status\nv1,T,rtmp://h/a,{SECRET},true\n")
    settings = environment(sandbox)
    env = {name: settings[name] for name in settings if name.startswith("RESTREAM_")} | image.env

    async with nats_in(tmp_path) as url:
        with closed_port() as port:

            async def start(words: list[str]) -> asyncio.subprocess.Process:
                return await asyncio.create_subprocess_exec(
                    *(word.replace("8080", str(port)) for word in image.program(words)),
                    env={**env, "RESTREAM_NATS_URL": url},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )

            async def run(words: list[str]) -> tuple[int | None, str]:
                process = await start(words)
                output, _ = await asyncio.wait_for(process.communicate(), 30)
                return process.returncode, output.decode()

            worker = await start([*image.entrypoint, *image.arguments])
            async with asyncio.timeout(30):
                while (health := await run(image.health_check))[0] != 0:
                    assert worker.returncode is None, health
            enqueued = await run([*image.entrypoint, "enqueue", str(file)])
            await stored_count(sandbox, 1, 20)
            status, metrics = await scraped(port)
            worker.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(worker.communicate(), LONGEST_STOP)
            at_the_end = await run(image.health_check)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.user), "a number, for runAsNonRoot"
    assert (status, enqueued[0], worker.returncode) == (200, 0, 0)
    assert at_the_end[0] == 1
    assert [str(each) for each in ALERTS_READ if not is_read_from(each, metrics)] == []
    said = output.decode() + enqueued[1]
    assert SECRET not in said
    assert sandbox.api_key not in said
