"""kopf in this process: it runs until SIGTERM, SIGINT, or the failure of a watch.

kopf ends its watches first and calls the clean-up handler last. This takes seconds, and the lease has to be handed over
earlier. Therefore the operator handles the signals: it hands over, and then sets kopf's stop flag.

When a watch fails, kopf does not end if it also watches another kind. It does not cancel that watch, which waits for a
session that kopf has closed. Therefore the process exits without waiting for kopf.

A thread cannot be interrupted, and Python waits for all threads when it ends. A thread that resolves a name, or reads
credentials byte by byte, would keep the process alive. Therefore the process exits without waiting for threads.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, cast

import kopf

from esm_operator.clock import monotonic

logger = logging.getLogger(__name__)

#: Seconds until the process exits after a failure, if its cause is not found before.
_LONGEST_SEARCH = 5.0
#: Seconds from a signal until the process exits in any case. Kubernetes kills a pod after 30 s by default.
LONGEST_STOP = 15.0
#: Seconds for which the process waits for threads at its end.
_LONGEST_JOIN = 1.0


class KopfProcess:
    """Runs kopf once. Made and used within one event loop, in the main thread."""

    def __init__(self, hand_over: Callable[[], Awaitable[object]], cause: Callable[[], Awaitable[str]]) -> None:
        """Call ``hand_over`` before kopf ends, and ``cause`` after a watch has failed.

        ``cause`` returns the reason; empty: it is not known.
        """
        self.stopping = asyncio.Event()
        """Set when kopf is to end."""
        self._hand_over = hand_over
        self._cause = cause
        self._ending: set[asyncio.Task[None]] = set()

    def take_signals(self) -> None:
        """Hand over and stop at SIGTERM and SIGINT, also before :meth:`run`."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(
                number, lambda: self._ending.add(asyncio.create_task(self._stop(), name="hand-over"))
            )

    async def run(self, registry: kopf.OperatorRegistry, *, identity: str, namespaces: Sequence[str]) -> None:
        """Run kopf until it has ended. If a watch fails, the process exits with status 1.

        No namespaces means all. Without identity, kopf looks up the name of the user, which a container may not have.
        """
        task = asyncio.current_task()
        tasks = await kopf.spawn_tasks(
            registry=registry,
            standalone=True,
            identity=cast(Any, identity),
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=self.stopping,
        )
        self.take_signals()  # kopf has set handlers of its own
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        failure = next((error for one in ended if not one.cancelled() and (error := one.exception())), None)
        if failure is not None:
            await self._stop()
            await self._exit(failure)
        await kopf.run_tasks(tasks, ignored={task} if task else set())

    async def _stop(self) -> None:
        timer = threading.Timer(LONGEST_STOP, _exit_in_any_case)
        timer.daemon = True
        timer.start()
        try:
            await self._hand_over()
        finally:
            self.stopping.set()

    async def _exit(self, failure: BaseException) -> NoReturn:
        cause = ""
        with suppress(Exception):
            async with asyncio.timeout(_LONGEST_SEARCH):
                cause = await self._cause()
        logger.critical("The operator ends: %s", cause or f"a watch, or another part of it, failed: {failure}")
        _exit(1)


def exit_without_threads() -> None:
    """End the process with status 0 if threads still work. Call it last, in the main thread."""
    ends = monotonic() + _LONGEST_JOIN
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, ends - monotonic()))
            if thread.is_alive():
                logger.info("The operator ends, and does not wait for the thread %s", thread.name)
                _exit(0)


def _exit_in_any_case() -> None:
    logger.critical("The operator has not stopped within %.0f s, so it exits", LONGEST_STOP)
    _exit(1)


def _exit(status: int) -> NoReturn:
    logging.shutdown()
    os._exit(status)
