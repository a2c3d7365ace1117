"""The people and tools that apply, edit and delete resources: over HTTP, some at a time, each write counted.

They write with kubectl's verbs, as the operator does; what the API server counted less what was counted here is the
operator's.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import urllib3

from tests.bench import writes
from tests.bench.errors import BenchError
from tests.bench.workload import NAMESPACES, manifest, name_of
from tests.controlplane.kubeconfig import Access

RESOURCES = "eventsourcemappings"
TIMEOUT = 60.0
#: Requests under way at once.
AT_ONCE = 8


class Driver:
    """An administrator at the API server. For any thread."""

    def __init__(self, kubeconfig: Path) -> None:
        access = Access.read(kubeconfig)
        self._server = access.server
        self._http = urllib3.PoolManager(
            maxsize=AT_ONCE + 2,
            timeout=TIMEOUT,
            ssl_context=access.tls(),
            headers=access.headers,
        )
        self._writes: Counter[str] = Counter()
        self._lock = Lock()
        self._given_up = False

    def make_namespaces(self) -> None:
        """All that the resources are spread over."""
        for namespace in NAMESPACES:
            self._request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})

    def create(self, numbers: Iterable[int]) -> None:
        """Make resources."""
        self._each(numbers, lambda number: self._write("POST", _folder(number), manifest(number)))

    def edit(self, number: int, batch_size: int) -> float:
        """Change the batchSize of a resource. Returns the time at which that was answered."""
        kind = "application/merge-patch+json"
        self._write("PATCH", _path(number), {"spec": {"batchSize": batch_size}}, kind)
        return time.time()

    def delete(self, numbers: Iterable[int]) -> None:
        """Ask for resources to be deleted."""
        self._each(numbers, lambda number: self._write("DELETE", _path(number)))

    def give_up(self) -> None:
        """Begin no more of what is under way."""
        self._given_up = True

    def writes_of_others(self) -> Counter[str]:
        """All writes to the API server so far by kind, but for those made here."""
        with self._lock:
            own = self._writes.copy()
        counted = writes.counted(self._request("GET", "/metrics").decode())
        counted.subtract(own)
        return counted

    def _each(self, numbers: Iterable[int], do: Callable[[int], None]) -> None:
        def unless_given_up(number: int) -> None:
            if not self._given_up:
                do(number)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="driver") as threads:
            for _ in threads.map(unless_given_up, numbers):
                pass

    def _write(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> None:
        self._request(method, path, body, kind)
        with self._lock:
            self._writes[writes.kind(method, RESOURCES)] += 1

    def _request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> bytes:
        headers = {**self._http.headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        answer = self._http.request(method, self._server + path, body=data, headers=headers, retries=False)
        if answer.status >= 300:
            raise BenchError(f"{method} {path}: {answer.status} {answer.data.decode()}")
        return answer.data


def _folder(number: int) -> str:
    return f"/apis/lambda.esm-operator.io/v1/namespaces/{name_of(number).namespace}/{RESOURCES}"


def _path(number: int) -> str:
    return f"{_folder(number)}/{name_of(number).name}"
