"""The inventory: what one target (account and region) was last seen to have.

Sweeps bring whole lists, single answers bring one mapping each. A sweep never overrules what was written
or read after the sweep began, for it may have passed that mapping before. Absence from a sweep alone is
no proof either, for pages shift while mappings come and go: a mapping is *gone* when AWS answers so for
its UUID, or when it was being deleted and a sweep has it no more. Written by the client and the observer,
read by the reconciler. For one event loop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from esm_operator.api import identity
from esm_operator.api.fields import observed_values
from esm_operator.api.identity import Identity
from esm_operator.plan import TRANSITIONS, Observed


@dataclass(slots=True)
class Entry:
    """One mapping as AWS answered it last."""

    raw: Mapping[str, Any]
    seen: float
    """Monotonic time, in seconds, from which the answer is."""
    identity: Identity
    tags: dict[str, str] | None = None
    filters: Mapping[str, Any] | None = field(default=None)
    """Filter criteria from an answer that shows them, where List hides them."""

    @property
    def state(self) -> str:
        return str(self.raw.get("State", ""))

    def observed(self) -> Observed:
        """The entry for the planner."""
        hidden = bool(self.raw.get("KMSKeyArn")) and self.raw.get("FilterCriteria") is None
        raw = self.raw
        if hidden and self.filters is not None:
            raw, hidden = {**raw, "FilterCriteria": self.filters}, False
        return Observed(
            uuid=str(raw["UUID"]),
            state=self.state,
            values=observed_values(raw),
            tags=self.tags,
            filters_hidden=hidden,
        )


class Inventory:
    """The mappings of one target."""

    def __init__(self) -> None:
        self.swept = False
        self._entries: dict[str, Entry] = {}
        self._by_identity: dict[tuple[str, str], set[str]] = {}
        self._gone: set[str] = set()
        self._moving: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

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
        uuids = sorted(self._by_identity.get(wanted.key, ()))
        entries = (self._entries[uuid] for uuid in uuids)
        return [entry for entry in entries if entry.identity.same_as(wanted) and entry.state != "Deleting"]

    def in_transition(self) -> frozenset[str]:
        """The UUIDs of mappings that AWS is at work on."""
        return frozenset(self._moving)

    def record(self, mapping: Mapping[str, Any], at: float, tags: Mapping[str, str] | None = None) -> bool:
        """Note one mapping as AWS answered it.

        Args:
            mapping: the answer.
            at: monotonic time from which the answer is, in seconds.
            tags: its tags, where they are known with certainty (just created with them).

        Returns:
            whether it differs from what was known.
        """
        uuid = str(mapping["UUID"])
        old = self._entries.get(uuid)
        if old is not None and old.seen > at:
            return False
        filters = mapping.get("FilterCriteria") or (old.filters if old is not None else None)
        if old is not None and old.raw == mapping:
            old.seen = at
            if tags is not None:
                old.tags = dict(tags)
            return False
        self._unindex(uuid)
        entry = Entry(
            raw=mapping,
            seen=at,
            identity=identity.of_mapping(mapping),
            tags=dict(tags) if tags is not None else old.tags if old is not None else None,
            filters=filters if mapping.get("KMSKeyArn") else None,
        )
        self._entries[uuid] = entry
        self._by_identity.setdefault(entry.identity.key, set()).add(uuid)
        if entry.state in TRANSITIONS:
            self._moving.add(uuid)
        self._gone.discard(uuid)
        return True

    def record_tags(self, uuid: str, tags: Mapping[str, str]) -> None:
        """Note all tags of a mapping."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.tags = dict(tags)

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
            if uuid not in self._gone and self.record(mapping, began):
                changed.add(uuid)
        for uuid in [uuid for uuid, entry in self._entries.items() if entry.seen < began and uuid not in listed]:
            changed.add(uuid)
            if self._entries[uuid].state == "Deleting":
                self.record_gone(uuid)
            else:
                self._unindex(uuid)
                del self._entries[uuid]
        self.swept = True
        return changed

    def _unindex(self, uuid: str) -> None:
        self._moving.discard(uuid)
        entry = self._entries.get(uuid)
        if entry is not None:
            peers = self._by_identity.get(entry.identity.key, set())
            peers.discard(uuid)
            if not peers:
                self._by_identity.pop(entry.identity.key, None)
