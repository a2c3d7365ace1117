"""The people and tools that apply, edit and delete resources: over HTTP, some at a time, each write counted.

They write with kubectl's verbs, as the operator does; what the API server counted less what was counted here is the
operator's.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from urllib3.exceptions import HTTPError

from tests.bed.cluster import create_namespace
from tests.bench import writes
from tests.bench.errors import BenchError
from tests.bench.referenced import collection, function_arn, function_object, references, source_object
from tests.bench.workload import NAMESPACES, manifest, name_of
from tests.controlplane.client import JSON, MERGE, ApiError, ExistsError, KubernetesClient, path
from tests.controlplane.kubeconfig import Access

RESOURCES = "eventsourcemappings"
#: Requests under way at the same time.
AT_ONCE = 8


class Driver:
    """An administrator at the API server. For any thread."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = KubernetesClient(Access.read(kubeconfig))
        self._writes: Counter[str] = Counter()
        self._lock = Lock()
        self._given_up = False

    def make_namespaces(self) -> None:
        """All that the resources are spread over."""
        for namespace in NAMESPACES:
            create_namespace(self._client, namespace)

    def create(self, numbers: Iterable[int]) -> None:
        """Make resources."""
        self._each(numbers, self._create)

    def create_in_turn(self, numbers: Iterable[int]) -> None:
        """Make resources, as ``kubectl create`` does: over one connection, each after the answer to the one before.

        A request that the API server did not answer, or refused because it is too busy, is repeated.
        """
        for number in numbers:
            self._create_at_last(number)

    def create_patiently(self, numbers: Iterable[int]) -> None:
        """Make resources, some at a time. A request that got no answer, or met a busy API server, is repeated."""
        self._each(numbers, self._create_at_last)

    def read(self, number: int) -> dict[str, Any]:
        """A resource as it is now."""
        found = self._client.get(_path(number))
        if found is None:
            raise BenchError(f"GET {_path(number)}: not found")
        return found

    def edit(self, number: int, batch_size: int) -> float:
        """Change the batchSize of a resource. Returns the time at which that was answered."""
        self._write("PATCH", _path(number), {"spec": {"batchSize": batch_size}}, MERGE)
        return time.time()

    def refer(self, numbers: Iterable[int]) -> None:
        """Create the objects of resources, and put references in the place of values."""
        self._each(numbers, self._refer)

    def edit_function(self, number: int, arn: str) -> float:
        """Change the ARN of a function in its object. Returns the time at which that was answered."""
        where, body = function_object(number, arn)
        if self._client.merge(where, body) is None:
            raise BenchError(f"PATCH {where}: not found")
        return time.time()

    def delete(self, numbers: Iterable[int]) -> None:
        """Ask for resources to be deleted."""
        self._each(numbers, lambda number: self._write("DELETE", _path(number)))

    def give_up(self) -> None:
        """Begin no more of the work under way."""
        self._given_up = True

    def writes_of_others(self) -> Counter[str]:
        """All writes to the API server so far by kind, but for those made here."""
        with self._lock:
            own = self._writes.copy()
        counted = writes.counted(self._client.text("/metrics"))
        counted.subtract(own)
        return counted

    def _each(self, numbers: Iterable[int], do: Callable[[int], None]) -> None:
        def unless_given_up(number: int) -> None:
            if not self._given_up:
                do(number)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="driver") as threads:
            for _ in threads.map(unless_given_up, numbers):
                pass

    def _create_at_last(self, number: int) -> None:
        while not self._given_up:
            try:
                self._create(number)
            except ExistsError:  # made by a request without an answer
                return
            except HTTPError:
                continue
            except ApiError as error:
                if error.status < 500:
                    raise
            else:
                return

    def _create(self, number: int) -> None:
        self._write("POST", _path(number, ""), manifest(number))

    def _refer(self, number: int) -> None:
        for where, body in (function_object(number, function_arn(number)), source_object(number)):
            self._client.request("POST", collection(where), body)
        self._write("PATCH", _path(number), {"spec": references(number)}, MERGE)

    def _write(self, method: str, where: str, body: Any = None, kind: str = JSON) -> None:
        if self._client.request(method, where, body, kind) is None:
            raise BenchError(f"{method} {where}: not found")
        with self._lock:
            self._writes[writes.kind(method, RESOURCES)] += 1


def _path(number: int, name: str | None = None) -> str:
    """The path of a resource, or with an empty name of its namespace's resources."""
    of = name_of(number)
    return path("EventSourceMapping", of.name if name is None else name, of.namespace)
