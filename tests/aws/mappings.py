"""The mappings of one account and region: their states, their order, their answers.

A mapping in a transition has the time at which the transition ends. The next request after this time finds the final
state. The server caches the answer of each mapping as bytes until the mapping changes, so a List of 100 mappings joins
100 strings.
"""

from __future__ import annotations

import heapq
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .arns import Function, mapping_arn
from .clock import Clock
from .configuration import Config
from .sources import Source

TRANSITIONS = frozenset({"Creating", "Enabling", "Disabling", "Updating", "Deleting"})


@dataclass(slots=True, eq=False)
class Mapping:
    """One event source mapping."""

    uuid: str
    sequence: int
    account: str
    region: str
    source: Source
    function: Function
    config: Config
    enabled: bool
    state: str
    reason: str
    last_modified: float
    last_processing_result: str | None = None
    filter_criteria_error: dict[str, str] | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    tags_hidden_until: float = 0.0
    settles_at: float | None = None
    _answer: bytes | None = None
    _list_answer: bytes | None = None

    @property
    def arn(self) -> str:
        return mapping_arn(self.account, self.region, self.uuid)

    @property
    def event_source_arn(self) -> str | None:
        return self.config.get("EventSourceArn")

    def members(self) -> dict[str, Any]:
        """The mapping as Get returns it."""
        members: dict[str, Any] = {
            **self.config,
            "EventSourceMappingArn": self.arn,
            "FunctionArn": self.function.arn,
            "LastModified": round(self.last_modified, 3),
            "State": self.state,
            "StateTransitionReason": self.reason,
            "UUID": self.uuid,
        }
        if self.last_processing_result is not None:
            members["LastProcessingResult"] = self.last_processing_result
        if self.filter_criteria_error is not None:
            members["FilterCriteriaError"] = self.filter_criteria_error
            members.pop("FilterCriteria", None)
        return members

    def answer(self) -> bytes:
        if self._answer is None:
            self._answer = json.dumps(self.members()).encode()
        return self._answer

    def list_answer(self) -> bytes:
        """The mapping as List returns it: encrypted filter criteria are null (documented)."""
        if "KMSKeyArn" not in self.config or "FilterCriteria" not in self.config:
            return self.answer()
        if self._list_answer is None:
            self._list_answer = json.dumps({**self.members(), "FilterCriteria": None}).encode()
        return self._list_answer

    def changed(self, wall_time: float) -> None:
        """Drop the cached answer. Called after each change."""
        self.last_modified = wall_time
        self.forget_answers()

    def forget_answers(self) -> None:
        self._answer = self._list_answer = None


class Mappings:
    """All mappings of one account and region."""

    def __init__(self) -> None:
        self._by_uuid: dict[str, Mapping] = {}
        self._in_order: list[Mapping] = []
        self._by_source: dict[str | None, dict[str, Mapping]] = {}

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._in_order)

    def get(self, uuid: str) -> Mapping | None:
        return self._by_uuid.get(uuid)

    def of_source(self, arn: str | None) -> Iterator[Mapping]:
        """The mappings of a source, in order. None: those of self-managed sources."""
        return iter(self._by_source.get(arn, {}).values())

    def after(self, sequence: int) -> Iterator[Mapping]:
        """The mappings that were created after the one with this number, in order of creation."""
        start = bisect_right(self._in_order, sequence, key=lambda mapping: mapping.sequence)
        for index in range(start, len(self._in_order)):
            yield self._in_order[index]

    def add(self, mapping: Mapping) -> None:
        self._by_uuid[mapping.uuid] = mapping
        self._in_order.append(mapping)
        self._by_source.setdefault(mapping.event_source_arn, {})[mapping.uuid] = mapping

    def remove(self, mapping: Mapping) -> None:
        del self._by_uuid[mapping.uuid]
        index = bisect_right(self._in_order, mapping.sequence, key=lambda other: other.sequence) - 1
        del self._in_order[index]
        del self._by_source[mapping.event_source_arn][mapping.uuid]


class Transitions:
    """The transitions in all accounts and regions, ordered by the time at which they end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Mapping]] = []
        self._number = 0
        self.held = False

    def start(self, mapping: Mapping, pace: float) -> None:
        mapping.settles_at = self._clock() + pace
        self._number += 1
        heapq.heappush(self._due, (mapping.settles_at, self._number, mapping))

    def done(self) -> Iterator[Mapping]:
        """Remove and return the transitions that are due. None while transitions are held."""
        now = self._clock()
        while not self.held and self._due and self._due[0][0] <= now:
            due, _, mapping = heapq.heappop(self._due)
            if mapping.settles_at == due:  # otherwise a test has ended it, or another transition followed
                yield mapping
