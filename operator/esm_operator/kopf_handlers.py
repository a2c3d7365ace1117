"""The kopf handlers: they pass each event to the operator, and do nothing else.

kopf logs a handler that raised and does not retry it, so all that can fail is done by the operator's own tasks. No
handler returns anything, because kopf would write it to the status.
"""

import gc
import logging
import sys
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
from esm_operator.cluster.metrics_clients import MetricsClients
from esm_operator.metrics import accounts
from esm_operator.metrics.probes import MetricsServer, ProbeServer, Readiness
from esm_operator.metrics.tls_files import TlsFiles
from esm_operator.operator import Operator
from esm_operator.settings import Settings

logger = logging.getLogger(__name__)

#: Thresholds of Python's garbage collector (its own are 700 or 2,000, 10, 10). A reconcile makes thousands of objects
#: without reference cycles.
_GARBAGE = (10_000, 10, 10)
#: Digits of an integer in JSON, the least that Python can limit them to. The time to parse an integer grows with the
#: square of its digits, and no other thread runs meanwhile.
_MOST_DIGITS = sys.int_info.str_digits_check_threshold
#: What the readiness probe answers while the preflight checks fail.
NOT_STARTED = "The operator cannot start yet, because the cluster lacks something. The log shows what to do."


async def run(ours: Settings) -> None:
    """Run the operator with kopf until SIGTERM or SIGINT.

    Raises:
        OSError: an address is taken, or not ours, or the certificate of the metrics cannot be used.
    """
    gc.set_threshold(*_GARBAGE)
    sys.set_int_max_str_digits(_MOST_DIGITS)
    logger.info("esm-operator %s starts. %s", version("esm-operator"), ours.summary())
    operator: Operator | None = None

    async def hand_over() -> None:
        if operator is not None:
            await operator.hand_over()

    def report(_: str) -> None:
        probes.readiness = lambda: Readiness(False, NOT_STARTED)

    watched = preflight.watched_kinds(ours.namespaces, labels=ours.watch_namespace_labels)
    check = partial(preflight.find_problems, watched, ours.kubernetes_requests_per_second)
    process = KopfProcess(hand_over, cause=check)
    probes, metrics = ProbeServer(ours.probe_address), _metrics_server(ours)
    await probes.start()
    await metrics.start()
    process.take_signals()
    if not await preflight.wait(check, process.stopping, report):
        await probes.stop()
        await metrics.stop()
        return
    watches = WatchHealth(watched)
    kubernetes = await KubernetesClient.connect(ours.kubernetes_requests_per_second)
    operator = Operator(ours, kubernetes, watches, probes, metrics)
    await process.run(registry(ours, operator, watches), identity=ours.identity, namespaces=ours.namespaces)


def _metrics_server(ours: Settings) -> MetricsServer:
    """The server of the metrics. Raises OSError if the certificate cannot be used."""
    tls = TlsFiles(ours.metrics_certificate_file, ours.metrics_key_file) if ours.metrics_certificate_file else None
    clients = MetricsClients() if ours.metrics_authentication else None
    if clients is not None:
        accounts.show_ids()
    return MetricsServer(ours.metrics_address, tls=tls.context if tls is not None else lambda: None, clients=clients)


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
