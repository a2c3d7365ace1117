"""The interface between the tasks of a target and the code that reconciles resources."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

from esm_operator.planning.target import Place, Target

#: Returns the number of orphans (None: not known) among the mappings that carry this cluster's tag, given as the tags
#: by UUID.
CountOrphans = Callable[[Mapping[str, Mapping[str, str]]], Awaitable[int | None]]


class InventoryListener(Protocol):
    """The resources that have mappings, and the code that reconciles them."""

    def referenced(self, place: Place, uuids: Collection[str]) -> list[str]:
        """Of the UUIDs, those of mappings in a place that resources have or wait for."""
        ...

    def recorded_tags(self, place: Place, uuids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Of the UUIDs, those of mappings in a place whose resources have owner tags, with the tags in the statuses."""
        ...

    def pending_changes(self, target: Target) -> int:
        """The number of resources of a target whose change was not sent yet."""
        ...

    def write_latency(self) -> float:
        """Seconds that a write to the API server takes. It makes no sense to read mappings much faster than that."""
        ...

    def new_orphan_counter(self) -> CountOrphans:
        """A counter of orphans for one more account and region."""
        ...

    def mappings_changed(self, place: Place, uuids: Collection[str]) -> None:
        """These mappings in a place have changed, are new, or were missing from a sweep. Any resource may have them."""
        ...

    def results_changed(self, place: Place, uuids: Collection[str]) -> None:
        """Of these mappings in a place, only the last processing result has changed, without a problem.

        The listener can wait.
        """
        ...

    def first_sweep_ended(self, target: Target) -> None:
        """The first sweep of a target is complete, or has failed for a reason that is not transient."""
        ...

    def staleness_changed(self, target: Target) -> None:
        """The inventory of a target has become stale, because sweeps fail, or is up to date again."""
        ...
