"""A client of the API server over HTTP. A kubectl process costs a quarter of a second of CPU time for each request.

Tests set up, look and clean up with it. They run kubectl where they are about what a user of kubectl does.
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
#: Connections that are kept open.
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
    """There is an object of this name, or it has changed (409)."""


@dataclass(frozen=True, slots=True)
class _Kind:
    api: str
    plural: str
    namespaced: bool = True


def _of_group(group: str, namespaced: bool, **plurals: str) -> dict[str, _Kind]:
    api = f"/apis/{group}/v1" if group else "/api/v1"
    return {kind: _Kind(api, plural, namespaced) for kind, plural in plurals.items()}


#: The kinds that tests have to do with.
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
        kind: as manifests spell it, such as ``EventSourceMapping``.
        name: empty: all.
        namespace: ignored for kinds that have none; empty: all namespaces.
    """
    of = _KINDS[kind]
    folder = f"{of.api}/namespaces/{namespace}/{of.plural}" if of.namespaced and namespace else f"{of.api}/{of.plural}"
    return f"{folder}/{name}" if name else folder


class Watch:
    """The events of a watch, for one thread; :meth:`close` is for any."""

    def __init__(self, access: Access, where: str) -> None:
        self._connection = http.client.HTTPSConnection(urlsplit(access.server).netloc, context=access.tls())
        self._connection.request("GET", where, headers=access.headers)
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise ApiError(f"GET {where}", self._answer.status, _message(self._answer.read()))

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        """Type and object of each event, until the watch is closed or cut.

        Raises:
            OSError, http.client.HTTPException: it was cut.
        """
        while line := self._answer.readline():
            event = json.loads(line)
            yield event["type"], event["object"]

    def close(self) -> None:
        """End it, also while another thread waits for the next event."""
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
        """An object, or a list; None: there is none."""
        return self.request("GET", where)

    def items(self, where: str) -> list[Object]:
        """The objects of a list; none where the API server does not know the kind."""
        return (self.get(where) or {"items": []})["items"]

    def create(self, manifest: Mapping[str, Any], namespace: str = "") -> Object:
        """Create an object.

        Args:
            manifest: the object.
            namespace: where the manifest names none.

        Raises:
            ExistsError: there is one of this name.
            ApiError: it is refused.
        """
        meta = manifest["metadata"]
        where = path(manifest["kind"], namespace=meta.get("namespace") or namespace)
        return self._must("POST", f"{where}?fieldValidation=Strict", manifest)

    def apply(self, manifest: Mapping[str, Any], namespace: str = "") -> None:
        """Do what ``kubectl apply`` does on the client's side: create an object, or set what the manifest says.

        As there, what an earlier apply has set and this one does not is removed.

        Args:
            manifest: the object.
            namespace: where the manifest names none.

        Raises:
            ApiError: it is refused.
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
        """Let objects be as their manifests say (a server-side apply with force)."""
        for manifest in manifests:
            meta = manifest["metadata"]
            where = path(manifest["kind"], meta["name"], meta.get("namespace", ""))
            self._must("PATCH", f"{where}?fieldManager=tests&force=true", manifest, APPLY)

    def merge(self, where: str, patch: Mapping[str, Any]) -> Object | None:
        """Send a merge patch; None: there is no such object."""
        return self.request("PATCH", where, patch, MERGE)

    def replace(self, where: str, field: str, value: Any) -> Object | None:
        """Replace one field by a JSON patch; None: there is no such object.

        Args:
            where: the object's path.
            field: a JSON pointer, such as ``/spec``.
            value: the new value.
        """
        return self.request("PATCH", where, [{"op": "replace", "path": field, "value": value}], JSON_PATCH)

    def delete(self, where: str) -> bool:
        """Ask for an object, or all of a list, to be deleted, without waiting. Returns whether there was one."""
        return self.request("DELETE", where) is not None

    def request(self, method: str, where: str, body: Any = None, kind: str = JSON) -> Any:
        """The answer as JSON; None for 404.

        A server that asks for a later attempt (429: after a change of a CRD its storage is opened again) gets one.

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
        """What is answered as plain text, such as ``/metrics``."""
        answer = self._send("GET", where)
        if answer.status != 200:
            raise ApiError(f"GET {where}", answer.status, answer.data.decode(errors="replace"))
        return answer.data.decode()

    def watch(self, where: str) -> Watch:
        """Begin a watch; it is connected when this returns.

        Raises:
            ApiError: it is refused.
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
        # One retry, of a request that changes nothing, for a kept connection that the server has just closed.
        retries = urllib3.Retry(total=1, connect=0) if method == "GET" else False
        return self._http.request(method, self._server + where, body=data, headers=headers, retries=retries)


def _with_removals(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """A merge patch to what is wanted, that removes what was wanted before only."""
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
