import asyncio
import signal

import pytest

from restream_async.cli.signals import StopSignals


async def signalled(number: signal.Signals) -> None:
    """Send this process a signal, and let the event loop handle it."""
    signal.raise_signal(number)
    await asyncio.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_first_signal_asks_to_finish(number: signal.Signals, code: int) -> None:
    asked: list[str] = []
    async with StopSignals(lambda: asked.append("finish")) as interrupts:
        assert interrupts.exit_code is None
        await signalled(number)
        await asyncio.sleep(0)
    assert asked == ["finish"]
    assert interrupts.exit_code == code
    assert not interrupts.cut_short


async def test_the_second_signal_stops_at_once() -> None:
    asked: list[str] = []
    async with StopSignals(lambda: asked.append("finish")) as interrupts:
        await signalled(signal.SIGTERM)
        await signalled(signal.SIGINT)
        asked.append("never reached")
    assert asked == ["finish"]
    assert interrupts.cut_short
    assert interrupts.exit_code == 143, "that of the first one"
    await asyncio.sleep(0)  # nothing of the cancellation is left


async def test_a_third_signal_does_no_more_than_the_second() -> None:
    async with StopSignals(lambda: None) as interrupts:
        await signalled(signal.SIGINT)
        try:
            await signalled(signal.SIGINT)
        finally:
            await signalled(signal.SIGINT)
    assert interrupts.cut_short


async def test_a_cancellation_from_elsewhere_passes_through() -> None:
    async def work() -> None:
        async with StopSignals(lambda: None):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_passes_through_even_after_a_second_signal() -> None:
    async def fail() -> None:
        async with StopSignals(lambda: None):
            await signalled(signal.SIGINT)
            try:
                await signalled(signal.SIGINT)
            except asyncio.CancelledError:
                raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_afterwards_ctrl_c_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    async with StopSignals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def test_a_loop_without_signal_handlers_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "add_signal_handler", refuse)
    monkeypatch.setattr(loop, "remove_signal_handler", refuse)
    async with StopSignals(lambda: None) as interrupts:
        pass
    assert interrupts.exit_code is None
