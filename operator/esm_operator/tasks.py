"""Tasks that the operator can't do without: it ends if one of them does by an error.

A process that continued without one of its parts would keep the lease and do half the work. If the process ends
instead, Kubernetes restarts it, and another process takes over meanwhile.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


def start(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Begin a task that ends by being cancelled only.

    Args:
        coroutine: what it does.
        name: for the log.
    """
    task = asyncio.create_task(coroutine, name=name)
    task.add_done_callback(_end_if_failed)
    return task


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _end_if_failed(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not task.cancelling():  # what fails while it is being ended does no harm
        logger.critical("The task %s failed, so the operator ends", task.get_name(), exc_info=error)
        signal.raise_signal(signal.SIGTERM)
