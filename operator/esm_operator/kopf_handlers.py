"""The kopf handlers: they pass each event to the operator, and do nothing else.

kopf logs a handler that raised and does not retry it, so all that can fail is done by the operator's own tasks. No
handler returns anything, because kopf would write it to the status.
"""

import gc
import logging
from functools import partial
from importlib.metadata import version
from typing import Any

import kopf

from esm_operator.adapters import kopf_settings
from esm_operator.adapters.kopf_credentials import KopfCredentials
from esm_operator.adapters.kopf_process import KopfProcess
from esm_operator.adapters.kopf_watch_health import WatchHealth
from esm_operator.api.resource import GROUP, PLURAL, VERSION
from esm_operator.cluster import preflight
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.metrics.probes import ProbeServer
from esm_operator.operator import Operator
from esm_operator.settings import Settings

logger = logging.getLogger(__name__)

#: Thresholds of Python's garbage collector (its own are 700 or 2,000, 10, 10). A reconcile makes thousands of objects
#: without reference cycles.
_GARBAGE = (10_000, 10, 10)


async def run(ours: Settings) -> None:
    """Run the operator with kopf until SIGTERM or SIGINT.

    Raises:
        OSError: the address of the probes is taken, or not ours.
    """
    gc.set_threshold(*_GARBAGE)
    logger.info("esm-operator %s starts. %s", version("esm-operator"), ours.summary())
    operator: Operator | None = None

    async def hand_over() -> None:
        if operator is not None:
            await operator.hand_over()

    def report(problems: str) -> None:
        probes.readiness = lambda: (False, problems)

    watched = preflight.watched_kinds(ours.namespaces, labels=ours.watch_namespace_labels)
    check = partial(preflight.find_problems, watched, ours.kubernetes_requests_per_second)
    process = KopfProcess(hand_over, cause=check)
    probes = ProbeServer(ours.probe_address)
    await probes.start()
    process.take_signals()
    if not await preflight.wait(check, process.stopping, report):
        await probes.stop()
        return
    watches = WatchHealth(watched)
    kubernetes = await KubernetesClient.connect(ours.kubernetes_requests_per_second)
    operator = Operator(ours, kubernetes, watches, probes)
    await process.run(registry(ours, operator, watches), identity=ours.identity, namespaces=ours.namespaces)


def registry(ours: Settings, operator: Operator, watches: WatchHealth) -> kopf.OperatorRegistry:
    """All handlers."""
    handlers = kopf.OperatorRegistry()
    chunk_size = kopf_settings.ChunkSize()
    logins = KopfCredentials([watches.trace], chunk_size)

    @kopf.on.login(registry=handlers)
    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        return await logins.login(**arguments)

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        kopf_settings.configure(settings, selector=ours.selector, chunk_size=chunk_size)
        await operator.start()

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await operator.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def mapping(event: kopf.RawEvent, **_: Any) -> None:
        operator.handle_resource(event["type"], event["object"])

    @kopf.on.event(GROUP, VERSION, PROVIDER_CONFIGS, registry=handlers)
    async def provider_config(event: kopf.RawEvent, **_: Any) -> None:
        operator.handle_provider_config(event["type"], event["object"])

    if ours.watch_namespace_labels:

        @kopf.on.event("", "v1", "namespaces", registry=handlers)
        async def namespace(event: kopf.RawEvent, **_: Any) -> None:
            operator.handle_namespace(event["type"], event["object"])

    return handlers
