"""Many resources of one namespace, created, edited, deleted and awaited together."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tests.bed import Bed, is_ready
from tests.e2e.manifests import queue
from tests.waiting import LIMIT, eventually

#: Requests under way at the same time, and seconds between two lists of all resources.
_AT_ONCE, _EVERY = 8, 0.5

Item = TypeVar("Item")


def names(count: int, prefix: str = "orders") -> list[str]:
    """So many names."""
    return [f"{prefix}-{number:04d}" for number in range(count)]


def create(bed: Bed, which: Iterable[str], **spec: Any) -> None:
    """Create a mapping of an SQS queue for each name."""
    _each(which, lambda name: bed.client.create(queue(name, **spec), bed.namespace))


def edit(bed: Bed, which: Iterable[str], **spec: Any) -> None:
    """Change fields of all specs."""
    _each(which, lambda name: bed.patch(name, spec))


def delete(bed: Bed, which: Iterable[str]) -> None:
    """Request all deletions, and do not wait."""
    _each(which, bed.delete)


def wait_ready(bed: Bed, count: int) -> None:
    """Wait until so many resources are Ready with their present specs."""
    wait(lambda: sum(is_ready(one) for one in bed.all()), count, "resources are ready")


def wait_gone(bed: Bed) -> None:
    """Wait until there are no resources."""
    eventually(lambda: not bed.all(), "all resources are gone", limit=_limit(100), every=_EVERY)


def wait(count: Callable[[], int], wanted: int, what: str) -> float:
    """Wait until so many are counted. Returns the seconds. The limit grows with the number."""
    began, found = time.monotonic(), 0

    def enough() -> bool:
        nonlocal found
        found = count()
        return found >= wanted

    eventually(enough, lambda: f"{wanted} {what}, there are {found}", limit=_limit(wanted), every=_EVERY)
    return time.monotonic() - began


def _limit(count: int) -> float:
    return LIMIT + 4 * count


def _each(items: Iterable[Item], do: Callable[[Item], object]) -> Sequence[object]:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(do, items))
