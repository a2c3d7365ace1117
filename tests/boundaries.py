"""Kills the operator at a chosen boundary, immediately before or after a call to AWS or a write to Kubernetes.

The operator's code does not contain these boundaries. A test starts ``main`` of this module instead of the operator's
own. It wraps the two library functions that make every such call (one of botocore and one of the kubernetes package),
and then calls the operator's ``main``.

A boundary has a name: ``before CreateEventSourceMapping 1``, ``after PATCH eventsourcemappings/status 2``. The number
counts the calls of that name that *began* while boundaries were watched, so a call has both boundaries or none.
*Before* means that nothing has been sent. *After* means that the answer has arrived and the operator has not seen it.
All calls to AWS Lambda count, and all writes to the API server except those of the Lease, which never stop.

The kill tests use this module through ``Watch``. The process watches boundaries only while a file exists, so it can
start undisturbed. The process kills itself, so the moment is exact.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter
from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from botocore.client import BaseClient
from kubernetes.aio.client import ApiClient

from tests import forked_operator

#: The entry point that tests start instead of the operator's own.
MAIN = "tests.boundaries:main"
_FOLDER = "BOUNDARIES"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Watch:
    """The boundaries of all operators that are started with one environment, as the test sees them."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: an empty folder.
        """
        self._orders, self._trace = folder / "orders", folder / "trace"
        self.environment: Mapping[str, str] = {_FOLDER: str(folder)}

    def begin(self, kill_at: str = "") -> None:
        """Watch from now on, in the running process and in later ones.

        Args:
            kill_at: the boundary at which the process kills itself.
        """
        self._trace.unlink(missing_ok=True)
        new = self._orders.with_suffix(".new")
        new.write_text(f"{uuid.uuid4()}\n{kill_at}")
        new.rename(self._orders)

    def passed(self) -> list[str]:
        """The boundaries that have been passed since ``begin``, in order."""
        return self._trace.read_text().splitlines() if self._trace.exists() else []

    def end(self) -> None:
        """Stop watching."""
        self._orders.unlink(missing_ok=True)


class _Boundaries:
    """The boundaries of this process, counted from the first watched one."""

    def __init__(self, folder: Path) -> None:
        self._orders, self._trace = folder / "orders", folder / "trace"
        self._lock = Lock()
        self._watch = ""
        self._counts: Counter[str] = Counter()

    def before(self, call: str) -> str:
        """A call begins. Returns the argument for ``after``. Empty: boundaries are not watched."""
        with self._lock:
            watch, _ = self._read()
            if watch != self._watch:
                self._watch = watch
                self._counts.clear()
            if not watch:
                return ""
            self._counts[call] += 1
            numbered = f"{call} {self._counts[call]}"
        self._passed(f"before {numbered}", watch)
        return f"{watch}\n{numbered}"

    def after(self, begun: str) -> None:
        """A call has been answered, or has failed."""
        if begun:
            watch, _, numbered = begun.partition("\n")
            self._passed(f"after {numbered}", watch)

    def _passed(self, boundary: str, begun_in: str) -> None:
        watch, kill_at = self._read()
        if watch != begun_in:
            return
        with self._trace.open("a") as trace:
            trace.write(f"{boundary}\n")
        if boundary == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _read(self) -> tuple[str, str]:
        """The current watch, and the boundary to kill at. Both are empty if boundaries are not watched."""
        try:
            watch, _, kill_at = self._orders.read_text().partition("\n")
        except FileNotFoundError:
            return "", ""
        return watch, kill_at


def main() -> None:
    """Run the operator with its boundaries watched."""
    _wrap(_Boundaries(Path(os.environ[_FOLDER])))
    forked_operator.main()


def _wrap(boundaries: _Boundaries) -> None:
    aws: Any = vars(BaseClient)["_make_api_call"]
    kubernetes: Any = ApiClient.call_api

    @wraps(aws)
    def call_aws(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name != "lambda":
            return aws(client, operation, parameters)
        begun = boundaries.before(operation)
        try:
            return aws(client, operation, parameters)
        finally:
            boundaries.after(begun)

    @wraps(kubernetes)
    async def call_kubernetes(client: Any, method: str, url: str, *rest: Any, **named: Any) -> Any:
        parts = urlsplit(url).path.strip("/").split("/")
        if method not in _WRITES or "leases" in parts:
            return await kubernetes(client, method, url, *rest, **named)
        begun = boundaries.before(f"{method} {_resource(parts)}")
        try:
            return await kubernetes(client, method, url, *rest, **named)
        finally:
            boundaries.after(begun)

    setattr(BaseClient, "_make_api_call", call_aws)  # noqa: B010
    setattr(ApiClient, "call_api", call_kubernetes)  # noqa: B010


def _resource(parts: list[str]) -> str:
    """The kind and subresource in an API path, such as ``eventsourcemappings/status``."""
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    return "/".join([rest[0], *rest[2:]])
