import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from hub.errors import ConfigError, Permanent, StorageError, Transient
from hub.runtime.supervisor import Loop, LoopState, LoopStatus, Patience, Supervisor

QUICK = Patience(first_pause_s=0.001, longest_pause_s=0.002, max_failures=4, grace_s=30)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the status has no event to wait for
            await asyncio.sleep(0)


def status(supervisor: Supervisor, name: str) -> LoopStatus:
    return next(entry for entry in supervisor.status() if entry.name == name)


async def obedient(stop: asyncio.Event) -> None:
    await stop.wait()


def test_all_loops_finish_and_the_supervisor_returns() -> None:
    done = []

    async def short(stop: asyncio.Event) -> None:
        done.append(1)

    supervisor = Supervisor([Loop(name="a", body=short), Loop(name="b", body=short)])
    asyncio.run(supervisor.run())
    assert len(done) == 2
    assert [entry.state for entry in supervisor.status()] == [LoopState.FINISHED] * 2
    assert not supervisor.has_failed


def test_without_loops_it_returns_at_once() -> None:
    asyncio.run(Supervisor([]).run())


def test_failing_loop_is_started_again_and_the_others_do_not_notice() -> None:
    attempts = []

    async def main() -> None:
        async def shaky(stop: asyncio.Event) -> None:
            attempts.append(1)
            if len(attempts) < 3:
                raise OSError("the line is down")
            await stop.wait()

        supervisor = Supervisor([Loop(name="shaky", body=shaky), Loop(name="calm", body=obedient)], QUICK)
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: len(attempts) == 3)
        shaken = status(supervisor, "shaky")
        assert (shaken.state, shaken.failures, shaken.last_error) == (LoopState.RUNNING, 2, "the line is down")
        assert status(supervisor, "calm") == LoopStatus(name="calm", state=LoopState.RUNNING)
        supervisor.stop()
        await running
        assert status(supervisor, "shaky").state is LoopState.FINISHED

    asyncio.run(main())


def test_loop_that_fails_too_often_needs_a_person_while_the_others_go_on() -> None:
    attempts = []

    async def main() -> None:
        async def broken(stop: asyncio.Event) -> None:
            attempts.append(1)
            raise OSError("no luck")

        supervisor = Supervisor([Loop(name="broken", body=broken), Loop(name="calm", body=obedient)], QUICK)
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: supervisor.has_failed)
        assert len(attempts) == QUICK.max_failures
        assert status(supervisor, "broken") == LoopStatus(name="broken", state=LoopState.FAILED, failures=4, last_error="no luck")
        assert status(supervisor, "calm").state is LoopState.RUNNING
        assert not running.done()
        supervisor.stop()
        await running

    asyncio.run(main())


@pytest.mark.parametrize("error", [ConfigError("api.port is taken"), Permanent("the account is closed")])
def test_error_that_no_attempt_mends_is_not_tried_again(error: Exception, capfd) -> None:
    attempts = []

    async def hopeless(stop: asyncio.Event) -> None:
        attempts.append(1)
        raise error

    supervisor = Supervisor([Loop(name="hopeless", body=hopeless)], QUICK)
    asyncio.run(supervisor.run())
    assert len(attempts) == 1
    assert supervisor.status()[0].state is LoopState.FAILED
    assert supervisor.status()[0].last_error == str(error)
    said = capfd.readouterr().err
    assert str(error) in said
    assert "Traceback" not in said  # a person reads a sentence


def test_failures_after_a_healthy_time_are_counted_anew() -> None:
    attempts = []

    async def main() -> None:
        async def shaky(stop: asyncio.Event) -> None:
            attempts.append(1)
            raise OSError("now and then")

        healthy_at_once = Patience(first_pause_s=0.0001, longest_pause_s=0.0001, max_failures=2, healthy_after_s=0)
        supervisor = Supervisor([Loop(name="shaky", body=shaky)], healthy_at_once)
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: len(attempts) == 10)
        assert not supervisor.has_failed
        supervisor.stop()
        await running

    asyncio.run(main())


@pytest.mark.parametrize("error", [Transient("the broker is away"), StorageError("the disk is full")])
def test_an_outage_is_sat_out_however_often_it_fails(error: Exception) -> None:
    attempts = []

    async def main() -> None:
        async def cut_off(stop: asyncio.Event) -> None:
            attempts.append(1)
            raise error

        supervisor = Supervisor([Loop(name="cut off", body=cut_off)], QUICK)
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: len(attempts) == 5 * QUICK.max_failures)
        assert not supervisor.has_failed
        supervisor.stop()
        await running

    asyncio.run(main())


def test_an_outage_that_does_not_end_needs_a_person() -> None:
    async def cut_off(stop: asyncio.Event) -> None:
        raise Transient("the broker is away")

    supervisor = Supervisor([Loop(name="cut off", body=cut_off)], Patience(first_pause_s=0.001, outage_s=0))
    asyncio.run(supervisor.run())
    assert supervisor.status()[0].state is LoopState.FAILED


def test_background_loops_end_with_the_last_of_the_others() -> None:
    tidied, changes = [], []

    async def short(stop: asyncio.Event) -> None:
        return

    async def background(stop: asyncio.Event) -> None:
        await stop.wait()
        tidied.append(1)

    loops = [Loop(name="short", body=short), Loop(name="watch", body=background, is_background=True)]
    supervisor = Supervisor(loops, on_change=lambda: changes.append(1))
    asyncio.run(supervisor.run())
    assert tidied == [1]
    assert len(changes) == 4
    assert supervisor.cancelled == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_all_loops_gracefully(number: signal.Signals) -> None:
    tidied = []

    async def main() -> None:
        async def tidy(stop: asyncio.Event) -> None:
            await stop.wait()
            tidied.append(1)

        supervisor = Supervisor([Loop(name="a", body=tidy), Loop(name="b", body=tidy)])
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: all(entry.state is LoopState.RUNNING for entry in supervisor.status()))
        os.kill(os.getpid(), number)
        await running

    before = signal.getsignal(number)
    asyncio.run(main())
    assert len(tidied) == 2
    assert signal.getsignal(number) == before


def test_stop_ends_a_long_pause() -> None:
    async def main() -> None:
        async def broken(stop: asyncio.Event) -> None:
            raise OSError("no luck")

        supervisor = Supervisor([Loop(name="broken", body=broken)], Patience(first_pause_s=3600, longest_pause_s=3600))
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: supervisor.status()[0].failures == 1)
        supervisor.stop()
        async with asyncio.timeout(20):
            await running

    asyncio.run(main())


def test_loop_that_does_not_listen_is_cancelled_after_the_grace() -> None:
    asyncio.run(_deaf(Patience(grace_s=0.01), n_stops=1))


def test_second_stop_does_not_wait_for_the_grace() -> None:
    asyncio.run(_deaf(Patience(grace_s=3600), n_stops=2))


async def _deaf(patience: Patience, n_stops: int) -> None:
    cancelled = []

    async def deaf(stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    supervisor = Supervisor([Loop(name="deaf", body=deaf)], patience)
    running = asyncio.ensure_future(supervisor.run())
    await until(lambda: supervisor.status()[0].state is LoopState.RUNNING)
    for _ in range(n_stops):
        supervisor.stop()
    async with asyncio.timeout(20):
        await running
    assert cancelled == [1]
    assert supervisor.cancelled == ("deaf",)


def test_cancelling_the_supervisor_cancels_its_loops() -> None:
    async def main() -> None:
        supervisor = Supervisor([Loop(name="calm", body=obedient)])
        running = asyncio.ensure_future(supervisor.run())
        await until(lambda: supervisor.status()[0].state is LoopState.RUNNING)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())


def test_pauses_grow_up_to_the_longest() -> None:
    patience = Patience(first_pause_s=1, longest_pause_s=10)
    assert 1 <= patience.pause_s(1) <= 1.25
    assert 4 <= patience.pause_s(3) <= 5
    assert patience.pause_s(1000) == 10


def test_two_loops_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor([Loop(name="a", body=obedient), Loop(name="a", body=obedient)])
