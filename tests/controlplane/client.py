"""A client of the API server over HTTP, because a kubectl process takes a quarter of a second of CPU time.

Tests set up, read and clean up with this client. They run kubectl where they test what a user of kubectl does.
"""

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3

from tests.controlplane.kubeconfig import Access

#: Seconds for one request.
TIMEOUT = 60.0
#: Connections that remain open.
CONNECTIONS = 12
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
#: Content types of requests.
JSON, MERGE = "application/json", "application/merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused a request. The text has its message."""

    def __init__(self, request: str, status: int, message: str) -> None:
        super().__init__(f"{request}: {status} {message}")
        self.status = status
        self.message = message


class ExistsError(ApiError):
    """An object of this name exists already, or the object has changed (409)."""


@dataclass(frozen=True, slots=True)
class _Kind:
    api: str
    plural: str
    namespaced: bool = True


def _of_group(group: str, namespaced: bool, **plurals: str) -> dict[str, _Kind]:
    api = f"/apis/{group}/v1" if group else "/api/v1"
    return {kind: _Kind(api, plural, namespaced) for kind, plural in plurals.items()}


#: The kinds that tests use.
_KINDS: Mapping[str, _Kind] = {
    **_of_group("", False, Namespace="namespaces"),
    **_of_group(
        "",
        True,
        ConfigMap="configmaps",
        Event="events",
        Pod="pods",
        Secret="secrets",
        Service="services",
        ServiceAccount="serviceaccounts",
    ),
    **_of_group(
        "admissionregistration.k8s.io",
        False,
        ValidatingAdmissionPolicy="validatingadmissionpolicies",
        ValidatingAdmissionPolicyBinding="validatingadmissionpolicybindings",
    ),
    **_of_group("apiextensions.k8s.io", False, CustomResourceDefinition="customresourcedefinitions"),
    **_of_group("apps", True, Deployment="deployments"),
    **_of_group("coordination.k8s.io", True, Lease="leases"),
    **_of_group("lambda.esm-operator.io", True, EventSourceMapping="eventsourcemappings"),
    **_of_group("lambda.esm-operator.io", False, ProviderConfig="providerconfigs"),
    **_of_group("policy", True, PodDisruptionBudget="poddisruptionbudgets"),
    **_of_group(
        "rbac.authorization.k8s.io", False, ClusterRole="clusterroles", ClusterRoleBinding="clusterrolebindings"
    ),
    **_of_group("rbac.authorization.k8s.io", True, Role="roles", RoleBinding="rolebindings"),
}


def path(kind: str, name: str = "", namespace: str = "") -> str:
    """The path of an object in the API, or of all objects of a kind.

    Args:
        kind: as in manifests, such as ``EventSourceMapping``.
        name: empty: all objects.
        namespace: empty: all namespaces. It is ignored for kinds without namespaces.
    """
    of = _KINDS[kind]
    folder = f"{of.api}/namespaces/{namespace}/{of.plural}" if of.namespaced and namespace else f"{of.api}/{of.plural}"
    return f"{folder}/{name}" if name else folder


class Watch:
    """The events of a watch, for one thread. Any thread may call :meth:`close`."""

    def __init__(self, access: Access, where: str) -> None:
        self._connection = http.client.HTTPSConnection(urlsplit(access.server).netloc, context=access.tls())
        self._connection.request("GET", where, headers=access.headers)
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise ApiError(f"GET {where}", self._answer.status, _message(self._answer.read()))

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        """Type and object of each event, until the watch is closed or cut.

        Raises:
            OSError, http.client.HTTPException: the watch was cut.
        """
        while line := self._answer.readline():
            event = json.loads(line)
            yield event["type"], event["object"]

    def close(self) -> None:
        """End the watch, also while another thread waits for the next event."""
        if isinstance(self._connection.sock, socket.socket):
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)


class KubernetesClient:
    """Requests as one user. For any thread.

    Example:
        client = KubernetesClient(Access.read(kubeconfig))
        client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        client.get(path("Namespace", "shop"))
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._server = access.server
        self._http = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            timeout=TIMEOUT,
            ssl_context=access.tls(),
            headers=access.headers,
        )

    def get(self, where: str) -> Object | None:
        """An object, or a list. None: it does not exist."""
        return self.request("GET", where)

    def items(self, where: str) -> list[Object]:
        """The objects of a list. Empty if the API server does not serve the kind."""
        return (self.get(where) or {"items": []})["items"]

    def create(self, manifest: Mapping[str, Any], namespace: str = "") -> Object:
        """Create an object.

        Args:
            manifest: the object.
            namespace: for a manifest without a namespace.

        Raises:
            ExistsError: an object of this name exists.
            ApiError: the API server refuses the object.
        """
        meta = manifest["metadata"]
        where = path(manifest["kind"], namespace=meta.get("namespace") or namespace)
        return self._must("POST", f"{where}?fieldValidation=Strict", manifest)

    def apply(self, manifest: Mapping[str, Any], namespace: str = "") -> None:
        """Do a client-side apply, as ``kubectl apply``: create the object, or set the fields of the manifest.

        Fields that an earlier apply has set, and that the manifest does not have, are removed.

        Args:
            manifest: the object.
            namespace: for a manifest without a namespace.

        Raises:
            ApiError: the API server refuses the object.
        """
        meta = manifest["metadata"]
        where = path(manifest["kind"], meta["name"], meta.get("namespace") or namespace)
        annotations = {**meta.get("annotations", {}), LAST_APPLIED: json.dumps(manifest)}
        wanted = {**manifest, "metadata": {**meta, "annotations": annotations}}
        present = self.get(where)
        if present is None:
            self.create(wanted, namespace)
            return
        before = json.loads(present["metadata"].get("annotations", {}).get(LAST_APPLIED, "{}"))
        self._must("PATCH", f"{where}?fieldValidation=Strict", _with_removals(before, wanted), MERGE)

    def install(self, *manifests: Mapping[str, Any]) -> None:
        """Do a server-side apply with force."""
        for manifest in manifests:
            meta = manifest["metadata"]
            where = path(manifest["kind"], meta["name"], meta.get("namespace", ""))
            self._must("PATCH", f"{where}?fieldManager=tests&force=true", manifest, APPLY)

    def merge(self, where: str, patch: Mapping[str, Any]) -> Object | None:
        """Send a merge patch. None: the object does not exist."""
        return self.request("PATCH", where, patch, MERGE)

    def replace(self, where: str, field: str, value: Any) -> Object | None:
        """Replace one field with a JSON patch. None: the object does not exist.

        Args:
            where: the object's path.
            field: a JSON pointer, such as ``/spec``.
            value: the new value.
        """
        return self.request("PATCH", where, [{"op": "replace", "path": field, "value": value}], JSON_PATCH)

    def delete(self, where: str) -> bool:
        """Request the deletion of an object, or of a list, without waiting. Returns whether it existed."""
        return self.request("DELETE", where) is not None

    def request(self, method: str, where: str, body: Any = None, kind: str = JSON) -> Any:
        """The answer as JSON. None for 404.

        The request is repeated while the API server answers 429. It does so after a change of a CRD.

        Raises:
            ExistsError: 409.
            ApiError: any other refusal.
            urllib3.exceptions.HTTPError: no answer.
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._send(method, where, body, kind)
            if answer.status != 429 or time.monotonic() > deadline:
                break
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        if answer.status == 404:
            return None
        if answer.status >= 300:
            error = ExistsError if answer.status == 409 else ApiError
            raise error(f"{method} {where}", answer.status, _message(answer.data))
        return json.loads(answer.data)

    def text(self, where: str) -> str:
        """An answer in plain text, such as that of ``/metrics``."""
        answer = self._send("GET", where)
        if answer.status != 200:
            raise ApiError(f"GET {where}", answer.status, answer.data.decode(errors="replace"))
        return answer.data.decode()

    def watch(self, where: str) -> Watch:
        """Begin a watch. It is connected when this method returns.

        Raises:
            ApiError: the API server refuses the watch.
        """
        return Watch(self._access, f"{where}{'&' if '?' in where else '?'}watch=true")

    def _must(self, method: str, where: str, body: Any, kind: str = JSON) -> Object:
        answer = self.request(method, where, body, kind)
        if answer is None:
            raise ApiError(f"{method} {where}", 404, "not found")
        return answer

    def _send(self, method: str, where: str, body: Any = None, kind: str = JSON) -> urllib3.BaseHTTPResponse:
        headers = {**self._http.headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        # One retry of a read, because the server may just have closed the connection that was kept open.
        retries = urllib3.Retry(total=1, connect=0) if method == "GET" else False
        return self._http.request(method, self._server + where, body=data, headers=headers, retries=retries)


def _with_removals(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """A merge patch that sets the wanted fields, and removes those that only the earlier manifest has."""
    patch: Object = {name: None for name in before if name not in wanted}
    for name, value in wanted.items():
        old: Any = before.get(name)
        deeper = isinstance(value, Mapping) and isinstance(old, Mapping)
        patch[name] = _with_removals(cast(Object, old), cast(Object, value)) if deeper else value
    return patch


def _message(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
