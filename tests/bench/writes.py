"""Writes to Kubernetes by kind, as the API server counts them: of all clients, except the benchmark's own.

The API server's own writes (its leases) are among those of ``leases``, which are always shown apart.
"""

from collections import Counter
from collections.abc import Mapping

from tests.bench.exposition import series

METRIC = "apiserver_request_total"
LEASES = "leases"
EVENTS = "POST events"
METADATA = "PATCH eventsourcemappings"
STATUS = "PATCH eventsourcemappings/status"
_VERBS = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_RESOURCES = frozenset({"eventsourcemappings", "providerconfigs", "events", LEASES})
_REFUSED = 400


def counted(text: str) -> Counter[str]:
    """Writes by kind: ``PATCH eventsourcemappings/status``; one that was refused has its code behind that."""
    found: Counter[str] = Counter()
    for labels, value in series(text, METRIC):
        if labels["verb"] in _VERBS and labels["resource"] in _RESOURCES:
            found[kind(labels["verb"], labels["resource"], labels["subresource"], int(labels["code"]))] += int(value)
    return found


def kind(verb: str, resource: str, subresource: str = "", code: int = 200) -> str:
    """What a write is called here."""
    path = f"{resource}/{subresource}" if subresource else resource
    return f"{verb} {path} {code}" if code >= _REFUSED else f"{verb} {path}"


def between(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What was added, without what was not."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


def without_leases(writes: Mapping[str, int]) -> dict[str, int]:
    """All but those of leases."""
    return {name: count for name, count in writes.items() if LEASES not in name.split()}
