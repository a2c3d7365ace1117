"""The outputs of a resource: a ConfigMap with the UUID, the ARNs and the state of its mapping (``spec.outputs``).

The status writer calls :meth:`Outputs.publish` before it writes a status. So a ``status.outputs`` without a message
means that the ConfigMap has the values of this status, and a restarted process needs no request to find this out. The
operator writes the name to ``status.outputs`` before it creates the ConfigMap. So it still knows the ConfigMap if the
process is killed in between.

A ConfigMap belongs to a resource if its label and its owner reference have the UID of the resource. The operator
neither changes nor deletes any other ConfigMap. When the resource is deleted, the garbage collector of Kubernetes
deletes the ConfigMap. A term runs :meth:`Outputs.run`, which finds ConfigMaps that somebody has changed or deleted.
"""

import asyncio
import logging
import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from esm_operator.api.annotations import OUTPUTS_OF
from esm_operator.api.reasons import OutputsReason
from esm_operator.api.recorded_status import MappingStatus, OutputsRecord
from esm_operator.api.resource import GROUP, KIND, VERSION, Key, Resource
from esm_operator.clock import monotonic
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.resource_cache import ResourceCache, StaleError
from esm_operator.cluster.transport import (
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    describe_failure,
    is_slow,
)
from esm_operator.fence import NotLeadingError
from esm_operator.planning.finding import Finding
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile.controller import Controller
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.status.rendering import message, message_of
from esm_operator.status.subject import Subject

logger = logging.getLogger(__name__)

#: Seconds between two comparisons of all ConfigMaps with the statuses.
AUDIT = 600.0
#: Seconds for which a refusal because of a missing right counts for all resources of the namespace.
_DENIED_FOR = 20.0
#: Resources that are compared before other tasks get a turn.
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Published:
    """The result of :meth:`Outputs.publish`."""

    resource: Resource
    """The resource after the writes that were necessary."""
    record: OutputsRecord
    """``status.outputs`` of the next status."""
    problem: Finding | None = None
    """The reason why the ConfigMap does not have the values; None: it has them."""


class _RefusedError(Exception):
    """The operator cannot write or delete a ConfigMap now."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


class Outputs:
    """Writes and deletes the ConfigMaps of resources. For one event loop."""

    def __init__(
        self,
        states: ResourceStates,
        cache: ResourceCache,
        kubernetes: KubernetesClient,
        controller: Controller,
        namespaces: Sequence[str],
    ) -> None:
        """
        Args:
            states: what the process remembers about the resources.
            cache: the resources.
            kubernetes: its writes are fenced.
            controller: reconciles the resources whose ConfigMaps differ.
            namespaces: the namespaces that the operator manages; none: all.
        """
        self._states = states
        self._cache = cache
        self._kubernetes = kubernetes
        self._controller = controller
        self._namespaces = namespaces
        self._denied: dict[str, tuple[float, str]] = {}
        """By namespace: the time of the last refusal because of a missing right, and the answer."""
        self._stray_until = -math.inf
        """Monotonic time, in seconds, until which a request of an earlier process may have left a ConfigMap."""
        self._failures = FailureLog(logger, "The operator can compare the ConfigMaps of outputs again")

    async def publish(self, resource: Resource, rendered: MappingStatus, *, checked: bool = False) -> Published:
        """Write the values of the next status to the ConfigMap of a resource, and delete its former ConfigMap.

        Raises StaleError if a ConfigMap changes at the same time. Also raises the exceptions of writes of the resource,
        and those of an API server that is overloaded or does not answer.

        Args:
            resource: the resource.
            rendered: its next status.
            checked: whether to read the ConfigMap although the status shows that it is up to date.
        """
        state = self._states.of(resource.key)
        recorded, wanted = resource.status.outputs, resource.config_map
        name, values = recorded.config_map_name, values_of(rendered)
        try:
            if name not in ("", wanted):
                await self._delete(resource, name)
                if recorded.message:  # the process that was writing the ConfigMap may have been killed
                    self._stray_until = monotonic() + 2 * AUDIT
                name, recorded = "", OutputsRecord()
            if not wanted:
                recorded = OutputsRecord()
            elif values is not None:
                current = recorded == OutputsRecord(wanted) and values == values_of(resource.status)
                if not current or checked or state.outputs_outdated:
                    existing = await self._read_own(resource, wanted)
                    if name != wanted:
                        resource = await self._record(resource, wanted)
                        name = wanted
                    await self._write(resource, existing, values)
                recorded = OutputsRecord(wanted)
        except _RefusedError as refused:
            state.outputs_failures += 1
            if refused.finding.reason == "OutputsConflict" and name == wanted:
                name = ""  # it has another owner now
            text = message_of(refused.finding, Subject.of(resource))
            return Published(resource, OutputsRecord(name, text), refused.finding)
        state.outputs_failures, state.outputs_outdated = 0, False
        return Published(resource, recorded)

    async def run(self) -> None:
        """Compare the ConfigMaps with the statuses at intervals, until cancelled. Without outputs, it costs nothing."""
        while True:
            try:
                used = any(one.config_map or one.recorded_config_map for one in self._cache.all())
                if used or monotonic() < self._stray_until:
                    await self._audit()
            except NotLeadingError:
                pass
            except Exception as error:  # the task would end, and with it the process
                text = f"{describe_failure(error)}. The operator compares the ConfigMaps of outputs again later."
                self._failures.failed(text, cause=type(error))
            else:
                self._failures.succeeded()
            await asyncio.sleep(AUDIT)

    async def _audit(self) -> None:
        """Reconcile the resources whose ConfigMaps differ or do not exist. Delete ConfigMaps that no spec names."""
        found: set[Key] = set()
        async for body in self._kubernetes.list_config_maps(self._namespaces, OUTPUTS_OF):
            meta = body["metadata"]
            resource = self._owner_of(meta)
            if resource is None or resource.deleting:
                continue
            if meta["name"] in (resource.config_map, resource.recorded_config_map):
                if resource.config_map == meta["name"] and body.get("data") == values_of(resource.status):
                    found.add(resource.key)
            else:
                with suppress(_RefusedError, StaleError):
                    await self._delete(resource, str(meta["name"]))
        for number, key in enumerate(self._cache.all_keys()):
            if number % _CHUNK == _CHUNK - 1:
                await asyncio.sleep(0)
            resource = self._cache.get(key)
            if resource is None or resource.deleting or not (resource.config_map or resource.recorded_config_map):
                continue
            status = resource.status
            differs = key not in found and values_of(status) is not None
            if differs or status.outputs.message or not resource.config_map:
                self._states.of(key).outputs_outdated = True
                self._controller.enqueue([key], QueuePriority.RESYNC)

    def _owner_of(self, meta: Mapping[str, Any]) -> Resource | None:
        """The resource to which a ConfigMap belongs; None: the cache does not have it."""
        for reference in meta.get("ownerReferences") or ():
            resource = self._cache.get(Key(str(meta.get("namespace", "")), str(reference.get("name", ""))))
            if resource is not None and _belongs(meta, resource.uid):
                return resource
        return None

    async def _read(self, resource: Resource, name: str) -> dict[str, Any] | None:
        """A ConfigMap; None: it does not exist."""
        at, denial = self._denied.get(resource.key.namespace, (0.0, ""))
        if denial and monotonic() - at < _DENIED_FOR:
            raise _RefusedError(_finding("OutputsForbidden", resource, name, error=denial))
        try:
            with self._refusals(resource, name):
                return await self._kubernetes.read_config_map(resource.key.namespace, name)
        except GoneError:
            return None

    async def _read_own(self, resource: Resource, name: str) -> dict[str, Any] | None:
        """The ConfigMap of the resource; None: it does not exist."""
        existing = await self._read(resource, name)
        if existing is not None and not _belongs(existing["metadata"], resource.uid):
            raise _RefusedError(_finding("OutputsConflict", resource, name, holder=_holder(existing["metadata"])))
        return existing

    async def _record(self, resource: Resource, name: str) -> Resource:
        """Write the name of the ConfigMap to the status, before the ConfigMap is created."""
        text = message("OutputsNotWritten", "Writing", config_map=name)
        status = replace(resource.status, outputs=OutputsRecord(name, text))
        return self._cache.record(await self._kubernetes.set_status(resource, status))

    async def _write(self, resource: Resource, existing: dict[str, Any] | None, values: Mapping[str, str]) -> None:
        namespace, name = resource.key.namespace, resource.config_map
        with self._refusals(resource, name):
            try:
                if existing is None:
                    await self._kubernetes.create_config_map(namespace, _body(resource, values))
                elif patch := _patch(existing, values):
                    await self._kubernetes.patch_config_map(namespace, name, patch)
            except GoneError:
                if existing is not None:
                    raise StaleError from None
                text = f"The namespace {namespace} was not found"
                raise _RefusedError(_finding("OutputsNotWritten", resource, name, error=text)) from None

    async def _delete(self, resource: Resource, name: str) -> None:
        """Delete a ConfigMap if it exists and belongs to the resource."""
        existing = await self._read(resource, name)
        if existing is None or not _belongs(existing["metadata"], resource.uid):
            return
        with self._refusals(resource, name), suppress(GoneError):
            await self._kubernetes.delete_config_map(existing["metadata"])

    @contextmanager
    def _refusals(self, resource: Resource, name: str) -> Generator[None]:
        """Turn the refusals of requests for a ConfigMap into findings."""
        try:
            yield
        except ConflictError:
            raise StaleError from None
        except ForbiddenError as error:
            text = describe_failure(error)
            if ' resource "configmaps"' not in text:  # the refusal of a quota or of an admission plugin
                raise _RefusedError(_finding("OutputsNotWritten", resource, name, error=text)) from None
            self._denied[resource.key.namespace] = (monotonic(), text)
            raise _RefusedError(_finding("OutputsForbidden", resource, name, error=text)) from None
        except ApiError as error:
            if is_slow(error):
                raise
            text = describe_failure(error)
            raise _RefusedError(_finding("OutputsNotWritten", resource, name, error=text)) from None


def values_of(status: MappingStatus) -> Mapping[str, str] | None:
    """The data of the ConfigMap; None: the status shows no mapping."""
    report = status.report
    if not status.uuid or not report.state:
        return None
    return {
        "uuid": status.uuid,
        "arn": report.arn or "",
        "functionARN": report.function_arn or "",
        "state": report.state,
    }


def _finding(reason: OutputsReason, resource: Resource, name: str, **values: str) -> Finding:
    return Finding(reason, values={"config_map": name, "namespace": resource.key.namespace, **values})


def _belongs(meta: Mapping[str, Any], uid: str) -> bool:
    """Whether a ConfigMap belongs to the resource with this UID."""
    labels: Mapping[str, str] = meta.get("labels") or {}
    references: Sequence[Mapping[str, Any]] = meta.get("ownerReferences") or ()
    return labels.get(OUTPUTS_OF) == uid and any(one.get("uid") == uid for one in references)


def _holder(meta: Mapping[str, Any]) -> str:
    """The owner of a ConfigMap that does not belong to the resource, for a message; empty: not known."""
    references: Sequence[Mapping[str, Any]] = meta.get("ownerReferences") or ()
    found = [f"{one.get('kind')} {one.get('name')}" for one in references if one.get("controller")]
    return found[0] if found else ""


def _body(resource: Resource, values: Mapping[str, str]) -> dict[str, Any]:
    """A new ConfigMap. The garbage collector deletes it after the resource. It does not block the deletion."""
    owner = {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "name": resource.key.name, "uid": resource.uid}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": resource.config_map,
            "namespace": resource.key.namespace,
            "labels": {OUTPUTS_OF: resource.uid, "app.kubernetes.io/managed-by": "esm-operator"},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "data": dict(values),
    }


def _patch(existing: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A merge patch after which the data of a ConfigMap are exactly the values; empty: they are already."""
    data: Mapping[str, str] = existing.get("data") or {}
    if data == values and not existing.get("binaryData"):
        return {}
    version = {"metadata": {"resourceVersion": existing["metadata"]["resourceVersion"]}}
    return {**version, "data": {**dict.fromkeys(data), **values}, "binaryData": None}
