"""The kopf handlers, and the intake before them: they put what the watch says where it belongs, and nothing else.

kopf's state-changing handlers cost CPU and an annotation for each object at every restart, so only the
plain ``on.event`` is used. A handler that raised would be logged and never retried, so all that can fail
is done by the operator's own tasks; nor does a handler return anything, for kopf would write it to the
status.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, cast

import kopf
from kubernetes.aio.config import ConfigException

from esm_operator.adapters.kopf_credentials import KopfCredentials
from esm_operator.adapters.kopf_intake import KopfIntake
from esm_operator.api.resource import FINALIZER, GROUP, PLURAL, VERSION
from esm_operator.cluster import preflight
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.watch_health import WatchHealth
from esm_operator.metrics.probes import ProbeServer
from esm_operator.operator import Operator
from esm_operator.ratelimit import backoff
from esm_operator.settings import Settings

logger = logging.getLogger(__name__)

#: Objects made until Python looks for cycles among the young, and looks until those among the older are looked for
#: (of itself 700 or 2,000, 10, 10). What is done for a resource makes thousands that need none of it.
_GARBAGE = (10_000, 10, 10)
#: The longest pause between looks at what the cluster lacks, in seconds.
_LONGEST_PAUSE = 5.0


async def run(ours: Settings) -> None:
    """Run the operator with kopf until SIGTERM or SIGINT.

    kopf ends its watches first and calls the clean-up last, which takes seconds, so the signals are ours: the
    lease is handed over before kopf hears of it.

    Raises:
        OSError: the address of the probes is taken, or not ours.
    """
    gc.set_threshold(*_GARBAGE)
    running: list[Operator] = []
    stop = asyncio.Event()
    task = asyncio.current_task()
    probes = ProbeServer(ours.probe_address)
    await probes.start()
    _take_signals(running, stop)
    if not await _met(ours, probes, stop):
        await probes.stop()
        return
    tasks = await kopf.spawn_tasks(
        registry=registry(ours, running, probes),
        standalone=True,
        identity=cast(Any, ours.identity),  # else it asks for the user's name, and in a container there may be none
        clusterwide=not ours.namespaces,
        namespaces=ours.namespaces,
        stop_flag=stop,
    )
    _take_signals(running, stop)
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    failure = next((error for one in ended if not one.cancelled() and (error := one.exception())), None)
    if failure is not None:
        await _hand_over(running, stop)
        await _end(ours, failure)
    await kopf.run_tasks(tasks, ignored={task} if task else set())


async def _end(ours: Settings, failure: BaseException) -> NoReturn:
    """End the process, to be started anew, for a watch or another part of kopf has failed.

    kopf's own way to end may wait for ever: its other watches wait for a session that is closed already.
    """
    lacking = ""
    with suppress(Exception):
        async with asyncio.timeout(_LONGEST_PAUSE):
            lacking = await _lacking(ours)
    logger.critical("The operator ends: %s", lacking or f"a watch, or another part of it, failed: {failure}")
    logging.shutdown()
    os._exit(1)


async def _met(ours: Settings, probes: ProbeServer, stop: asyncio.Event) -> bool:
    """Wait until the cluster has what the operator needs, and say meanwhile what it has not.

    Returns:
        whether it has; False: the operator is told to stop.
    """
    told, tries = "", 0
    while lacking := await _lacking(ours):
        probes.waits_for = partial(str, lacking)
        if lacking != told:
            logger.error("Not started yet: %s", lacking)
            told = lacking
        tries += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(backoff.exponential(tries, 1.0, _LONGEST_PAUSE)):
                await stop.wait()
                return False
    return True


async def _lacking(ours: Settings) -> str:
    """What the cluster lacks, by its word now: with the credentials and the address that there are now."""
    try:
        kubernetes = await KubernetesClient.connect(ours.kubernetes_requests_per_second)
    except (OSError, ValueError, ConfigException) as error:
        return preflight.unusable(error)
    try:
        return await preflight.unmet(kubernetes, _kinds(ours))
    finally:
        await kubernetes.close()


def _kinds(ours: Settings) -> list[preflight.WatchedKind]:
    return preflight.kinds(ours.namespaces, labels=ours.watch_namespaces)


def _take_signals(running: Sequence[Operator], stop: asyncio.Event) -> None:
    """Hand over and stop at SIGTERM and SIGINT."""
    ending: set[asyncio.Task[None]] = set()

    def signalled() -> None:
        ending.add(asyncio.create_task(_hand_over(running, stop), name="hand-over"))

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled)


async def _hand_over(running: Sequence[Operator], stop: asyncio.Event) -> None:
    try:
        await asyncio.gather(*(operator.hand_over() for operator in running))
    finally:
        stop.set()


def registry(ours: Settings, running: list[Operator], probes: ProbeServer) -> kopf.OperatorRegistry:
    """All handlers; the operator that they feed is in the list while it runs."""
    handlers = kopf.OperatorRegistry()
    watches = WatchHealth([kind.path for kind in _kinds(ours)])

    def listed(body: Mapping[str, Any]) -> None:
        for operator in running:
            operator.mapping_listed(body)

    def returned(body: Mapping[str, Any]) -> bool:
        return all(operator.mapping_returned(body) for operator in running)

    logins = KopfCredentials([watches.trace], KopfIntake(listed, returned).response_class())

    @kopf.on.login(registry=handlers)
    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        return await logins.login(**arguments)

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings, ours)
        kubernetes = await KubernetesClient.connect(ours.kubernetes_requests_per_second)
        operator = Operator(ours, kubernetes, watches, probes)
        await operator.start()
        running.append(operator)

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        while running:
            await running.pop().stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def mapping(event: kopf.RawEvent, **_: Any) -> None:
        for operator in running:
            operator.mapping_seen(event["type"], event["object"])

    @kopf.on.event(GROUP, VERSION, PROVIDER_CONFIGS, registry=handlers)
    async def provider_config(event: kopf.RawEvent, **_: Any) -> None:
        for operator in running:
            operator.provider_config_seen(event["type"], event["object"])

    if ours.watch_namespaces:

        @kopf.on.event("", "v1", "namespaces", registry=handlers)
        async def namespace(event: kopf.RawEvent, **_: Any) -> None:
            for operator in running:
                operator.namespace_seen(event["type"], event["object"])

    return handlers


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps kopf from copying each object to see what has changed, which no handler of ours asks for."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


class _NoProgress(kopf.ProgressStorage):
    """Keeps kopf from looking through each object for the progress of handlers that are called until they succeed."""

    def fetch(self, **_: Any) -> kopf.ProgressRecord | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""

    def purge(self, **_: Any) -> None:
        """Nothing is there."""

    def touch(self, **_: Any) -> None:
        """Nobody is to be woken."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def _configure(settings: kopf.OperatorSettings, ours: Settings) -> None:
    settings.persistence.finalizer = f"{FINALIZER}-unused"
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    if ours.selector:
        settings.watching.label_selectors[GROUP, PLURAL] = ours.selector
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.005  # an object more is taken in when the one before has no more to say
    settings.queueing.exit_timeout = 0.5
    settings.networking.request_timeout = 30
