"""The state of the server, that is, all event source mappings, and the operations on it.

Each method runs in the only thread of the event loop and does not await. So requests are processed one after the other,
whatever the number of connections, and the state needs no lock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from collections.abc import Mapping as Map
from itertools import count
from typing import Any

from .arns import parse_function
from .clock import Clock
from .configuration import Config
from .faults import Faults
from .ledger import Ledger
from .mappings import TRANSITIONS, Mapping, Mappings, Transitions
from .quota import Quota
from .settings import Settings
from .sources import FILLED_IN, NO_RECORDS, Source
from .tagging import TagIndex
from .world import World

#: The last processing results that follow each other on a stream with little traffic.
RESULTS = ("OK", NO_RECORDS)


class Cloud:
    def __init__(self, settings: Settings, world: World, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.settings = settings
        self.world = world
        self._sequence = count(1)
        self.reset()

    def reset(self) -> None:
        """Remove everything except settings and world."""
        self.faults = Faults(self.clock)
        self.policies: dict[str, Map[str, Any]] = {}
        self.ledger = Ledger(self.clock)
        self.quota = Quota(self.clock, self.settings.quota)
        self.tagging_quota = Quota(self.clock, self.settings.tagging_quota)
        self.transitions = Transitions(self.clock)
        self.transitions.held = self.settings.hold
        self._results_second = 0
        self._mappings: dict[tuple[str, str], Mappings] = {}
        self._tags: dict[tuple[str, str], TagIndex] = {}

    def make(
        self, account: str, region: str, asked: Map[str, Any], source: Source, uuid: str, config: Config
    ) -> Mapping:
        """Create a mapping in its final state, and do not store it yet."""
        enabled = asked.get("Enabled") is not False
        return Mapping(
            uuid=uuid,
            sequence=next(self._sequence),
            account=account,
            region=region,
            source=source,
            function=parse_function(asked["FunctionName"], account, region),
            config=config,
            enabled=enabled,
            state="Enabled" if enabled else "Disabled",
            reason=FILLED_IN[source].reason,
            last_modified=time.time(),
            last_processing_result=FILLED_IN[source].last_processing_result,
        )

    def mappings(self, account: str, region: str) -> Mappings:
        return self._mappings.setdefault((account, region), Mappings())

    def every_mapping(self) -> Iterator[Mapping]:
        for mappings in self._mappings.values():
            yield from mappings

    def tag_index(self, account: str, region: str) -> TagIndex:
        return self._tags.setdefault((account, region), TagIndex(self.clock))

    def apply(self, settings: Settings) -> None:
        """Apply changed settings."""
        if settings.quota != self.settings.quota:
            self.quota.rate = settings.quota
        if settings.tagging_quota != self.settings.tagging_quota:
            self.tagging_quota.rate = settings.tagging_quota
        self.transitions.held = settings.hold
        self.settings = settings

    def enter(self, mapping: Mapping, state: str) -> None:
        """Put a mapping into a state. A transition ends later without another call."""
        mapping.state = state
        mapping.settles_at = None
        mapping.changed(time.time())
        if state in TRANSITIONS:
            self.transitions.start(mapping, self.settings.pace)

    def settle(self) -> None:
        """End the transitions that are due, and change processing results. Called before each request."""
        for mapping in self.transitions.done():
            self.finish(mapping)
        second = int(self.clock())
        if self.settings.result_period and second != self._results_second:
            self._results_second = second
            self._change_results(second)

    def _change_results(self, second: int) -> None:
        """Set the results that the mappings have in a second. Mappings that follow each other change in turn."""
        for mapping in self.every_mapping():
            phase = (second + mapping.sequence) // self.settings.result_period
            result = RESULTS[int(phase) % len(RESULTS)]
            if mapping.last_processing_result in RESULTS and mapping.last_processing_result != result:
                mapping.last_processing_result = result
                mapping.forget_answers()

    def finish(self, mapping: Mapping) -> None:
        """End a mapping's transition now."""
        if mapping.state == "Deleting":
            self.remove(mapping)
        elif mapping.state in TRANSITIONS:
            self.enter(mapping, "Enabled" if mapping.enabled else "Disabled")

    def remove(self, mapping: Mapping) -> None:
        mapping.settles_at = None
        self.mappings(mapping.account, mapping.region).remove(mapping)
        self.tag_index(mapping.account, mapping.region).note(mapping.arn, None, self.settings.tagging_lag)

    def tag(self, mapping: Mapping, tags: dict[str, str]) -> None:
        """Replace the tags of a mapping. The tagging API shows them later."""
        mapping.tags = tags
        lag = max(self.settings.tagging_lag, mapping.tags_hidden_until - self.clock())
        self.tag_index(mapping.account, mapping.region).note(mapping.arn, dict(tags), lag)

    def visible_tags(self, mapping: Mapping) -> dict[str, str]:
        """The tags that ListTags shows. Empty while the tags of the Create are delayed."""
        return mapping.tags if self.clock() >= mapping.tags_hidden_until else {}
