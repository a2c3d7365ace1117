"""The inventory: what one target (account and region) was last seen to have.

Sweeps bring whole lists, single answers bring one mapping each. A sweep never overrules what was written
or read after the sweep began, for it may have passed that mapping before. Absence from a sweep alone is
no proof either, for pages shift while mappings come and go: a mapping is *gone* when AWS answers so for
its UUID, or when it was being deleted and a sweep has it no more. Written by the client and the observer,
read by the reconciler. For one event loop.
"""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from esm_operator.api import identity
from esm_operator.api.fields import observed_values
from esm_operator.api.identity import Identity
from esm_operator.planning.state import TRANSITIONS, Observed


@dataclass(slots=True)
class Entry:
    """One mapping as AWS answered it last."""

    raw: Mapping[str, Any]
    seen: float
    """Monotonic time, in seconds, from which the answer is."""
    identity: Identity
    tags: dict[str, str] | None = None
    tags_written: float = -math.inf
    """Monotonic time at which tags were written by us last, in seconds."""
    tags_seen: float = -math.inf
    """Monotonic time at which tags were read or written last, in seconds."""
    filters: Mapping[str, Any] | None = None
    """Filter criteria from an answer that shows them, where List hides them."""
    filters_shown: bool = False
    """Whether there was such an answer."""

    @property
    def uuid(self) -> str:
        return str(self.raw["UUID"])

    @property
    def state(self) -> str:
        return str(self.raw.get("State", ""))

    def observed(self, since: float = -math.inf) -> Observed:
        """The entry for the planner.

        Args:
            since: monotonic time from which tags count as fresh, in seconds.
        """
        encrypted = bool(self.raw.get("KMSKeyArn") or self.raw.get("FilterCriteriaError"))
        hidden = encrypted and self.raw.get("FilterCriteria") is None
        raw = self.raw
        if hidden and self.filters_shown:
            raw, hidden = {**raw, "FilterCriteria": self.filters}, False
        return Observed(
            uuid=self.uuid,
            state=self.state,
            values=observed_values(raw),
            tags=self.tags,
            filters_hidden=hidden,
            tags_fresh=self.tags_seen >= since,
        )


class Inventory:
    """The mappings of one target."""

    def __init__(self) -> None:
        self.swept = False
        self.swept_from = -math.inf
        """Monotonic time at which the last complete sweep began, in seconds."""
        self._entries: dict[str, Entry] = {}
        self._by_identity: dict[tuple[str, str], set[str]] = {}
        self._gone: set[str] = set()
        self._moving: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def uuids(self) -> list[str]:
        """The mappings that are known."""
        return list(self._entries)

    def get(self, uuid: str) -> Entry | None:
        """The mapping with this UUID, if it was seen."""
        return self._entries.get(uuid)

    def seen(self, uuid: str) -> float:
        """Monotonic time from which the last answer about a mapping is, in seconds; 0: it was never seen."""
        entry = self._entries.get(uuid)
        return entry.seen if entry is not None else 0.0

    def is_gone(self, uuid: str) -> bool:
        """Whether AWS has said that there is no mapping with this UUID."""
        return uuid in self._gone

    def with_identity(self, wanted: Identity) -> list[Entry]:
        """The mappings that AWS would call the same as one with this identity."""
        return [entry for entry in self._same(wanted) if entry.state != "Deleting"]

    def leaving(self, wanted: Identity) -> list[Entry]:
        """Those with this identity that AWS is deleting: still in the way of a new one."""
        return [entry for entry in self._same(wanted) if entry.state == "Deleting"]

    def _same(self, wanted: Identity) -> list[Entry]:
        uuids = sorted(self._by_identity.get(wanted.key, ()))
        return [entry for uuid in uuids if (entry := self._entries[uuid]).identity.same_as(wanted)]

    def in_transition(self) -> frozenset[str]:
        """The UUIDs of mappings that AWS is at work on."""
        return frozenset(self._moving)

    def record(
        self, mapping: Mapping[str, Any], at: float, tags: Mapping[str, str] | None = None, *, listed: bool = False
    ) -> bool:
        """Note one mapping as AWS answered it.

        Args:
            mapping: the answer.
            at: monotonic time from which the answer is, in seconds.
            tags: its tags, where they are known with certainty (just created with them).
            listed: whether it is an item of a List, which hides filter criteria that are encrypted.

        Returns:
            whether it differs from what was known.
        """
        uuid = str(mapping["UUID"])
        old = self._entries.get(uuid)
        if old is not None and old.seen > at:
            return False
        filters, shown = mapping.get("FilterCriteria"), not listed and not mapping.get("FilterCriteriaError")
        if filters is None and not shown and old is not None and mapping.get("KMSKeyArn"):
            filters, shown = old.filters, old.filters_shown
        if old is not None and old.raw == mapping and (old.filters, old.filters_shown) == (filters, shown):
            old.seen = at
            if tags is not None:
                old.tags = dict(tags)
                old.tags_written = old.tags_seen = at
            return False
        self._unindex(uuid)
        entry = Entry(
            raw=mapping,
            seen=at,
            identity=identity.of_mapping(mapping),
            tags=dict(tags) if tags is not None else old.tags if old is not None else None,
            tags_written=at if tags is not None else old.tags_written if old is not None else -math.inf,
            tags_seen=at if tags is not None else old.tags_seen if old is not None else -math.inf,
            filters=filters,
            filters_shown=shown,
        )
        self._entries[uuid] = entry
        self._by_identity.setdefault(entry.identity.key, set()).add(uuid)
        if entry.state in TRANSITIONS:
            self._moving.add(uuid)
        self._gone.discard(uuid)
        return True

    def tags(self, uuid: str) -> Mapping[str, str] | None:
        """The tags of a mapping; None: they are not known, or it is not."""
        entry = self._entries.get(uuid)
        return entry.tags if entry is not None else None

    def record_tags(self, uuid: str, tags: Mapping[str, str], written: float | None = None) -> None:
        """Note all tags of a mapping.

        Args:
            uuid: the mapping.
            tags: all that it has.
            written: monotonic time at which they were written, in seconds; None: they were read.
        """
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.tags = dict(tags)
            entry.tags_seen = time.monotonic()
            if written is not None:
                entry.tags_written = written

    def forget_tags(self, uuid: str) -> None:
        """It is not known which tags a mapping has: they were to be changed, and AWS did not answer."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.tags = None

    def record_gone(self, uuid: str) -> None:
        """Note that AWS has no mapping with this UUID."""
        self._unindex(uuid)
        self._entries.pop(uuid, None)
        self._gone.add(uuid)

    def record_sweep(self, mappings: Iterable[Mapping[str, Any]], began: float) -> set[str]:
        """Note a complete list.

        Args:
            mappings: all mappings of the target.
            began: monotonic time before the first page was asked for, in seconds.

        Returns:
            the UUIDs of mappings that changed, came or were not in the list.
        """
        changed: set[str] = set()
        listed: set[str] = set()
        for mapping in mappings:
            uuid = str(mapping["UUID"])
            listed.add(uuid)
            if uuid not in self._gone and self.record(mapping, began, listed=True):
                changed.add(uuid)
        for uuid in [uuid for uuid, entry in self._entries.items() if entry.seen < began and uuid not in listed]:
            changed.add(uuid)
            if self._entries[uuid].state == "Deleting":
                self.record_gone(uuid)
            else:
                self._unindex(uuid)
                del self._entries[uuid]
        self.swept = True
        self.swept_from = began
        return changed

    def _unindex(self, uuid: str) -> None:
        self._moving.discard(uuid)
        entry = self._entries.get(uuid)
        if entry is not None:
            peers = self._by_identity.get(entry.identity.key, set())
            peers.discard(uuid)
            if not peers:
                self._by_identity.pop(entry.identity.key, None)
