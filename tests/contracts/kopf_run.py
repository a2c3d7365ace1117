"""kopf against a scripted API server, in the event loop of a test."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import kopf

from tests.contracts.api_server import CONFIGS, GROUP, MAPPINGS, ApiServer
from tests.waiting import eventually_async

#: Seconds after which kopf should have ended.
_PATIENCE = 10.0


class Handlers:
    """The handlers of an operator, and the arguments of their calls."""

    def __init__(
        self,
        server: ApiServer,
        *,
        plurals: Sequence[str] = ("eventsourcemappings",),
        configure: Callable[[kopf.OperatorSettings], object] = lambda settings: None,
        **session: Any,
    ) -> None:
        """
        Args:
            server: where to log in.
            plurals: the kinds that are watched.
            configure: changes kopf's settings at its start.
            session: arguments of each session that is logged in with.
        """
        self.told: list[tuple[str | None, str]] = []
        """The type of each event, and the name of its object."""
        self.happened: list[str] = []
        """Which of the other handlers were called."""
        self.sessions: list[aiohttp.ClientSession] = []
        """One for each login."""
        self.failing_logins = 0
        """How many logins raise LoginError before one does not."""
        self.failing_events = 0
        """The same, of events."""
        self.registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=self.registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            self.happened.append("login")
            if self.failing_logins:
                self.failing_logins -= 1
                raise kopf.LoginError("No.")
            self.sessions.append(aiohttp.ClientSession(**session))
            return kopf.AiohttpSession(server=server.url, aiohttp_session=self.sessions[-1])

        @kopf.on.startup(registry=self.registry)
        async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
            self.happened.append("start")
            settings.posting.enabled = False
            settings.scanning.disabled = True
            settings.queueing.idle_timeout = settings.queueing.exit_timeout = 0.1
            settings.persistence.consistency_timeout = 0
            configure(settings)

        @kopf.on.cleanup(registry=self.registry)
        async def clean_up(**_: Any) -> None:
            self.happened.append("clean up")

        async def note(event: kopf.RawEvent, **_: Any) -> None:
            self.told.append((event["type"], str(event["object"].get("metadata", {}).get("name"))))
            if self.failing_events:
                self.failing_events -= 1
                raise ValueError("No.")

        for plural in plurals:
            kopf.on.event(GROUP, "v1", plural, id=f"note {plural}", registry=self.registry)(note)


async def spawn(handlers: Handlers, stop: asyncio.Event, namespaces: Sequence[str] = ()) -> Sequence[asyncio.Task[Any]]:
    """Start kopf, as the operator does it. The tasks are for :func:`kopf.run_tasks`."""
    tasks = await kopf.spawn_tasks(
        registry=handlers.registry,
        standalone=True,
        identity=cast(Any, "test"),
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )
    return list(tasks)


@asynccontextmanager
async def running(
    server: ApiServer, handlers: Handlers, *, namespaces: Sequence[str] = (), watched: Sequence[str] = (MAPPINGS,)
) -> AsyncGenerator[Sequence[asyncio.Task[Any]]]:
    """Run kopf until the ``with`` block ends.

    Args:
        server: the API server.
        handlers: what kopf calls.
        namespaces: where it watches; empty: in all.
        watched: paths whose watches are waited for at first.

    Yields:
        kopf's root tasks.
    """
    stop, before = asyncio.Event(), asyncio.all_tasks()
    tasks = await spawn(handlers, stop, namespaces)
    ending = asyncio.create_task(kopf.run_tasks(tasks, ignored=before))
    try:
        await eventually_async(
            lambda: any(one.done() for one in tasks) or all(server.is_watched(path) for path in watched)
        )
        yield tasks
    finally:
        stop.set()
        await end(ending, *tasks, patience=_PATIENCE if failure(tasks) is None else 0.0)
        for session in handlers.sessions:
            await session.close()


def failure(tasks: Sequence[asyncio.Task[Any]]) -> BaseException | None:
    """What a root task has failed with; None: none has."""
    return next((error for one in tasks if one.done() and not one.cancelled() and (error := one.exception())), None)


async def end(ending: asyncio.Task[None], *tasks: asyncio.Task[Any], patience: float = _PATIENCE) -> None:
    """Wait for the end of kopf, whatever comes of it, and see to it that it ends.

    Args:
        ending: of :func:`kopf.run_tasks`.
        tasks: kopf's root tasks.
        patience: seconds until all is cancelled. kopf takes 5 s or more to end after a failure.
    """
    await asyncio.wait([ending], timeout=patience)
    ended = {ending, *tasks}
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        ended |= left
        for one in left:
            one.cancel()
        await asyncio.sleep(0.01)
    for one in ended:
        if not one.cancelled():
            one.exception()  # else asyncio logs that nobody has asked for it


BOTH = (MAPPINGS, CONFIGS)
"""The paths of both kinds."""
