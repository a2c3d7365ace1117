"""The kopf handlers: they put what the watch says where it belongs, and nothing else.

kopf's state-changing handlers cost CPU and an annotation for each object at every restart, so only the
plain ``on.event`` is used. A handler that raised would be logged and never retried, so all that can fail
is done by the operator's own tasks; nor does a handler return anything, for kopf would write it to the
status.
"""

from typing import Any

import kopf

from esm_operator.kube import Kubernetes
from esm_operator.operator import Operator
from esm_operator.settings import Settings
from esm_operator.store import FINALIZER, GROUP, PLURAL, VERSION
from esm_operator.surroundings import PROVIDER_CONFIGS


def registry(ours: Settings) -> kopf.OperatorRegistry:
    """All handlers, for ``kopf.run``."""
    handlers = kopf.OperatorRegistry()
    running: list[Operator] = []

    @kopf.on.login(registry=handlers)
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_via_client(**arguments)

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings)
        operator = Operator(ours, await Kubernetes.connect())
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

    @kopf.on.event("", "v1", "namespaces", registry=handlers)
    async def namespace(event: kopf.RawEvent, **_: Any) -> None:
        for operator in running:
            operator.namespace_seen(event["type"], event["object"])

    return handlers


def _configure(settings: kopf.OperatorSettings) -> None:
    settings.persistence.finalizer = f"{FINALIZER}-unused"
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.05
    settings.queueing.exit_timeout = 0.5
    settings.networking.request_timeout = 30
