"""Follows all resources by one watch, so that the API server is asked for no list, and keeps the little that is asked
of them: the UUID, whether they are ready, and whether the status is about their present spec."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from tests.bed import condition_of
from tests.bench.errors import BenchError
from tests.bench.workload import Name, name_of
from tests.controlplane.client import KubernetesClient, Watch, path
from tests.controlplane.kubeconfig import Access

PATH = path("EventSourceMapping")


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource, as it was seen last."""

    uuid: str
    ready: bool
    """Ready, its spec as it is now."""
    told: bool
    """Whether the status is about the present spec."""


class Following:
    """The resources, from the construction on; there must not be any before."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = KubernetesClient(Access.read(kubeconfig))
        self._seen: dict[Name, Seen] = {}
        self._ready = self._told = 0
        self._lock = Lock()
        self._watch: Watch | None = None
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
        if self._watch is not None:
            self._watch.close()
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
        """The number of resources whose status is about the present spec."""
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
                self._watch = self._client.watch(f"{PATH}?allowWatchBookmarks=true&resourceVersion={version}")
                for kind, found in self._watch:
                    if kind == "ERROR":
                        raise BenchError(str(found))
                    version = found["metadata"]["resourceVersion"]
                    self._take(kind, found)
            except (OSError, http.client.HTTPException):
                continue  # cut: on from the last version
            except Exception as error:
                if not self._stopped:
                    self._failure = f"{type(error).__name__}: {error}"
                return

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
        listed = self._client.get(f"{PATH}?limit=1")
        if listed is None or listed["items"]:
            raise BenchError("There are resources already.")
        return str(listed["metadata"]["resourceVersion"])


def _seen(resource: Mapping[str, Any]) -> Seen:
    ready = condition_of(resource, "Ready").get("status")
    return Seen(
        uuid=str((resource.get("status") or {}).get("uuid") or ""), ready=ready == "True", told=ready is not None
    )
