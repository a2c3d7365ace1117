"""Follows all resources by one watch, so that the API server is asked for no list, and keeps the little that is asked
of them: the UUID, whether they are ready, and whether anything was told of their spec as it is now."""

import contextlib
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.bench.errors import BenchError
from tests.bench.workload import Name, name_of
from tests.controlplane.kubeconfig import Access

PATH = "/apis/lambda.esm-operator.io/v1/eventsourcemappings"


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource, as it was seen last."""

    uuid: str
    ready: bool
    """Ready, its spec as it is now."""
    told: bool
    """Whether the status tells of the spec as it is now."""


class Following:
    """The resources, from the construction on; there must be none before."""

    def __init__(self, kubeconfig: Path) -> None:
        access = Access.read(kubeconfig)
        self._address = urlsplit(access.server).netloc
        self._headers, self._tls = access.headers, access.tls()
        self._seen: dict[Name, Seen] = {}
        self._ready = self._told = 0
        self._lock = Lock()
        self._connection: http.client.HTTPSConnection | None = None
        self._stopped = False
        self._failure = ""
        self._thread = Thread(target=self._follow, args=[self._version()], name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped = True
        connection = self._connection
        if connection is not None and isinstance(connection.sock, socket.socket):
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def __len__(self) -> int:
        """How many resources there are."""
        return len(self._seen)

    @property
    def ready(self) -> int:
        """How many are ready."""
        return self._ready

    @property
    def told(self) -> int:
        """Of how many the status tells, of the spec as it is now."""
        return self._told

    def uuid(self, number: int) -> str:
        """The mapping of a resource."""
        seen = self._seen.get(name_of(number))
        if seen is None or not seen.uuid:
            raise BenchError(f"{name_of(number)} has no mapping.")
        return seen.uuid

    def check(self) -> None:
        """Raises if the watch has failed."""
        if self._failure:
            raise BenchError(f"The watch on the resources failed: {self._failure}")

    def _follow(self, version: str) -> None:
        while not self._stopped:
            try:
                for event in self._events(version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event["type"], event["object"])
            except (OSError, http.client.HTTPException):
                continue  # cut: on from the last version
            except Exception as error:
                if not self._stopped:
                    self._failure = f"{type(error).__name__}: {error}"
                return

    def _events(self, version: str) -> Any:
        self._connection = http.client.HTTPSConnection(self._address, context=self._tls)
        path = f"{PATH}?watch=true&allowWatchBookmarks=true&resourceVersion={version}"
        with contextlib.closing(self._connection):
            self._connection.request("GET", path, headers=self._headers)
            answer = self._connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise BenchError(f"{answer.status} {answer.read().decode()}")
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise BenchError(str(event["object"]))
                yield event

    def _take(self, kind: str, resource: Mapping[str, Any]) -> None:
        if kind == "BOOKMARK":
            return
        name = Name(resource["metadata"]["namespace"], resource["metadata"]["name"])
        seen = None if kind == "DELETED" else _seen(resource)
        with self._lock:
            before = self._seen.pop(name, None)
            if seen is not None:
                self._seen[name] = seen
            self._ready += int(seen is not None and seen.ready) - int(before is not None and before.ready)
            self._told += int(seen is not None and seen.told) - int(before is not None and before.told)

    def _version(self) -> str:
        with contextlib.closing(http.client.HTTPSConnection(self._address, context=self._tls)) as connection:
            connection.request("GET", f"{PATH}?limit=1", headers=self._headers)
            listed = json.loads(connection.getresponse().read())
        if listed["items"]:
            raise BenchError("There are resources already.")
        return str(listed["metadata"]["resourceVersion"])


def _seen(resource: Mapping[str, Any]) -> Seen:
    status = resource.get("status") or {}
    told = status.get("observedGeneration") == resource["metadata"]["generation"]
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return Seen(
        uuid=str(status.get("uuid") or ""),
        ready=told and conditions.get("Ready") == "True",
        told=told and "Ready" in conditions,
    )
