"""A typed client of the control API for tests. README.md has a table of its calls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from .arns import DEFAULT_ACCOUNT
from .faults import ANY_OPERATION, Kind
from .settings import Settings

TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls by operation; errors by operation and code; throttled calls; for each `account/region` the most
    calls against Lambda's quota in any one second."""

    calls: dict[str, int]
    errors: dict[str, dict[str, int]]
    throttled: int
    busiest_second: dict[str, int]


class ControlError(Exception):
    """The control API refused a call."""


class Control:
    def __init__(self, endpoint: str) -> None:
        self._address = urlsplit(endpoint).netloc

    def counts(self) -> Counts:
        return Counts(**self._call("GET", "counts"))

    def reset_counts(self) -> Counts:
        """Reset the counts. Returns the counts so far. Each call is in one of the two."""
        return Counts(**self._call("DELETE", "counts"))

    def requests(self, last: int = 100) -> list[dict[str, Any]]:
        """The last requests, with time, account, region, operation, members, outcome and status."""
        return self._call("GET", f"requests?{urlencode({'last': last})}")

    def changes(self) -> list[dict[str, Any]]:
        """All requests that have changed a mapping: operation, uuid, account, region and the client's user agent."""
        return self._call("GET", "changes")

    def settings(self) -> Settings:
        return Settings(**self._call("GET", "settings"))

    def set(self, **changes: float | str | bool | None) -> Settings:
        """Change settings, by the names of `Settings`."""
        return Settings(**self._call("PUT", "settings", changes))

    def world(self) -> dict[str, Any]:
        return self._call("GET", "world")

    def set_world(
        self,
        *,
        population: str | None = None,
        missing_functions: Iterable[str] | None = None,
        missing_sources: Iterable[str] | None = None,
        functions: Iterable[str] | None = None,
        sources: Iterable[str] | None = None,
    ) -> None:
        """Replace the sets of existing and missing functions and sources. None leaves a set unchanged."""
        sets = {
            "missing_functions": missing_functions,
            "missing_sources": missing_sources,
            "functions": functions,
            "sources": sources,
        }
        body: dict[str, Any] = {name: list(value) for name, value in sets.items() if value is not None}
        if population is not None:
            body["population"] = population
        self._call("PUT", "world", body)

    def set_policy(self, policy: dict[str, Any], account: str = DEFAULT_ACCOUNT) -> None:
        """Set the IAM policy of all clients of an account, until the server is reset. See `iam.py`."""
        self._call("PUT", f"policies/{account}", policy)

    def fault(
        self,
        kind: Kind,
        operation: str = ANY_OPERATION,
        *,
        match: dict[str, str] | None = None,
        after: int = 0,
        times: int | None = None,
        for_seconds: float | None = None,
        seconds: float = 0.0,
        code: str | None = None,
        message: str | None = None,
        status: int | None = None,
        retry_after: str | None = None,
        action: str | None = None,
    ) -> int:
        """Add a fault. See `faults.Fault`. Returns its number, with which a test can remove it."""
        body = {name: value for name, value in locals().items() if name != "self" and value is not None}
        return int(self._call("POST", "faults", body)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The active faults, with their hits."""
        return self._call("GET", "faults")

    def remove_fault(self, number: int) -> None:
        self._call("DELETE", f"faults/{number}")

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def mappings(self, *, account: str | None = None, region: str | None = None) -> list[dict[str, Any]]:
        """All mappings as Get answers them, with Tags, account, region and source."""
        query = {name: value for name, value in (("account", account), ("region", region)) if value}
        return self._call("GET", f"mappings?{urlencode(query)}")

    def make_mapping(self, **members: Any) -> dict[str, Any]:
        """Create a mapping as another tool does: members of Create, `account` and `region`. It exists immediately."""
        return self._call("POST", "mappings", members)

    def make_mappings(self, count: int, **members: Any) -> list[str]:
        """So many in one request, each as `make_mapping` makes it, with `{n}` in texts replaced by its number:
        UUIDs."""
        return self._call("POST", "mappings/many", {"count": count, "mapping": members})

    def edit_mapping(self, uuid: str, **members: Any) -> dict[str, Any]:
        """Change members as AWS answers them (State, LastProcessingResult, BatchSize, ...) and Tags; None
        removes."""
        return self._call("PATCH", f"mappings/{uuid}", members)

    def delete_mapping(self, uuid: str) -> None:
        """Delete a mapping immediately."""
        self._call("DELETE", f"mappings/{uuid}")

    def settle(self, uuid: str) -> dict[str, Any]:
        """End a mapping's transition now, even while transitions are held."""
        return self._call("POST", f"mappings/{uuid}/settle")

    def reset(self) -> None:
        """Reset the server to its state after the start."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = HTTPConnection(self._address, timeout=TIMEOUT)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/_control/{path}", data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise ControlError(f"{response.status}: {text}")
        return json.loads(text)
