"""Blocking work beside the event loop, in threads that never hold up the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def in_thread(name: str, work: Callable[[], T]) -> T:
    """Return what some blocking work returns, or raise what it raises; it runs in a thread of its own.

    The executor that `asyncio.to_thread` shares has few threads, which loops would keep for ever, and the process would wait for
    them at its end. Whoever is cancelled here leaves the thread behind; it ends with the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            # A future cannot raise `StopIteration`.
            failure = RuntimeError(repr(error)) if isinstance(error, StopIteration) else error
            _tell(loop, done, partial(done.set_exception, failure))
        else:
            _tell(loop, done, partial(done.set_result, result))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], act: Callable[[], None]) -> None:
    def tell() -> None:
        if not done.done():
            act()

    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return
