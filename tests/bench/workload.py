"""The resources: numbered, of ten kinds of sources in turn, spread over twenty namespaces, no two of one identity."""

from typing import Any, NamedTuple

from tests.e2e.manifests import TEN_KINDS, mapping

NAMESPACES = tuple(f"bench-{number:02d}" for number in range(20))
#: What all resources set batchSize to, so that a drift of it is one, and edits have something to change.
BATCH_SIZE = 10
_KINDS = tuple(TEN_KINDS.items())


class Name(NamedTuple):
    """Which resource."""

    namespace: str
    name: str


def name_of(number: int) -> Name:
    """Where a resource is; ten that follow each other are of all kinds, in one namespace."""
    return Name(NAMESPACES[number // len(_KINDS) % len(NAMESPACES)], f"{kind_of(number)}-{number:05d}")


def kind_of(number: int) -> str:
    """The kind of a resource's source, a key of ``TEN_KINDS``."""
    return _KINDS[number % len(_KINDS)][0]


def function_of(number: int) -> str:
    """The function of a resource: its own."""
    return f"function-{number:05d}"


def manifest(number: int) -> dict[str, Any]:
    """The resource of a number."""
    tags = {"team": f"team-{number % 7}", "stage": "production", "cost-center": f"{1000 + number % 50}"}
    name = name_of(number)
    spec = {"batchSize": BATCH_SIZE, **_KINDS[number % len(_KINDS)][1], "tags": tags}
    if "amazonManagedKafkaEventSourceConfig" in spec:  # AWS takes one mapping in each group of a cluster
        spec["amazonManagedKafkaEventSourceConfig"] = {"consumerGroupID": f"group-{number:05d}"}
    made = mapping(name.name, **{**spec, "functionName": function_of(number)})
    made["metadata"]["namespace"] = name.namespace
    return made


def spread(count: int, over: range) -> list[int]:
    """So many of the numbers, evenly over all of them, and over the kinds.

    Args:
        count: at most as many as there are.
        over: the numbers.
    """
    step = len(over) // count
    return [over[index * step + index % step] for index in range(count)]
