"""A listener of the inventory, for tests without a term."""

from collections.abc import Collection, Mapping

from esm_operator.aws.inventory import Inventory
from esm_operator.aws.inventory_listener import CountOrphans
from esm_operator.planning.target import Place, Target


class Listener:
    """The listener of an account whose mappings all have a resource without tags."""

    def __init__(self) -> None:
        self.inventory = Inventory()
        self.passes = 0

    def mappings_changed(self, place: Place, uuids: Collection[str]) -> None:
        """Nobody shows the mappings."""

    def results_changed(self, place: Place, uuids: Collection[str]) -> None:
        raise AssertionError(f"no result has changed: {uuids}")

    def first_sweep_ended(self, target: Target) -> None:
        raise AssertionError(f"no sweep runs: {target}")

    def staleness_changed(self, target: Target) -> None:
        """Nobody sees a failure of the tag sweep."""

    def referenced(self, place: Place, uuids: Collection[str]) -> list[str]:
        return list(uuids)

    def recorded_tags(self, place: Place, uuids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        return {uuid: {} for uuid in uuids}

    def pending_changes(self, target: Target) -> int:
        return 0

    def write_latency(self) -> float:
        return 0.0

    def new_orphan_counter(self) -> CountOrphans:
        async def count(present: Mapping[str, Mapping[str, str]]) -> int:
            self.passes += 1
            return len(present)

        return count
