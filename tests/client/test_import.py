"""What importing costs, and what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import pytest

import restream_async

EXTRAS: Final = (
    "hypothesis",
    "nats",
    "opentelemetry",
    "pytest",
    "rich",
    "typer",
    "uvloop",
)

_FORBIDDING: Final = """
import importlib.abc, json, sys

class Forbid(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {extras!r}:
            raise ImportError(f"{{name}} is an extra")

sys.meta_path.insert(0, Forbid())
import restream_async
from restream_async import *
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
_TIMING: Final = """
import time
begun = time.process_time_ns()
import {module}
print(time.process_time_ns() - begun)
"""
# The ratio that is allowed, and how often the measurement may be spoilt by noise.
_MOST: Final = 1.15
_ROUNDS: Final = 4
_TRIES: Final = 3


def _run(program: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_importing_needs_no_extra() -> None:
    loaded = json.loads(_run(_FORBIDDING.format(extras=EXTRAS)))

    assert {"aiohttp", "attrs", "cattrs", "restream_async"} <= set(loaded)
    assert not set(EXTRAS) & set(loaded)


def test_using_needs_no_extra() -> None:
    program = _FORBIDDING.format(extras=EXTRAS) + (
        "import asyncio\n"
        "from restream_async.sandbox import Sandbox\n"
        "async def main():\n"
        "    async with Sandbox() as sandbox, restream_async.RestreamClient(\n"
        "        base_url=sandbox.base_url, project_id='sandbox', api_key=sandbox.api_key\n"
        "    ) as client:\n"
        "        new = restream_async.NewRestream(video_id='v', title='t', status=True,\n"
        "            stream_url='rtmp://a.example/b', stream_key='key')\n"
        "        report = await client.create_all([new])\n"
        "        print(len(report.created))\n"
        "asyncio.run(main())\n"
    )

    assert _run(program).splitlines()[-1] == "1"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchThing'"):
        _ = restream_async.NoSuchThing  # pyright: ignore[reportAttributeAccessIssue]


def test_every_public_name_is_listed_and_can_be_had() -> None:
    assert dir(restream_async) == sorted(restream_async.__all__)
    for name in restream_async.__all__:
        assert getattr(restream_async, name) is not None


def test_the_version_is_that_of_the_package() -> None:
    assert restream_async.__version__ == version("restream-async")


def test_a_checkout_that_is_not_installed_has_no_version_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", none)
    monkeypatch.delitem(vars(restream_async), "__version__", raising=False)
    assert restream_async.__version__ == "0+unknown"
    monkeypatch.delitem(vars(restream_async), "__version__")


def _ratio() -> float:
    """Measure in turns, in processes of their own, and compare the best of each."""
    best = {"aiohttp": 2**62, "restream_async": 2**62}
    for _ in range(_ROUNDS):
        for module, so_far in best.items():
            best[module] = min(so_far, int(_run(_TIMING.format(module=module))))
    return best["restream_async"] / best["aiohttp"]


def test_importing_costs_hardly_more_than_importing_aiohttp() -> None:
    # Noise only ever adds: one good measurement is proof enough.
    ratios: list[float] = []
    while len(ratios) < _TRIES and min(ratios, default=9.0) > _MOST:
        ratios.append(_ratio())

    assert min(ratios) <= _MOST, ratios
