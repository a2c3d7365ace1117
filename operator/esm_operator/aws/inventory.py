"""The inventory: what one target (account and region) was last seen to have.

Sweeps bring whole lists, a page at a time, single answers bring one mapping each. A page never overrules what
was written or read after it was asked for. Absence from a sweep alone is no proof either, for pages shift while
mappings come and go: a mapping is *gone* when AWS answers so for its UUID, or when it was being deleted and a
sweep has it no more. Written by the client and the sweeper, read by the reconciler. For one event loop.
"""

import math
import sys
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from esm_operator.api import identity
from esm_operator.api.fields import observed_values
from esm_operator.api.frozen_json import AT_HAND, FrozenJSON, shared
from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.recorded_status import MappingReport
from esm_operator.api.values import Canonical
from esm_operator.clock import monotonic, seconds_since
from esm_operator.planning.state import TRANSITIONS, Observed

#: Seconds for which it is remembered that AWS has no mapping of a UUID. Who still notes it then asks once more.
_GONE_FOR = 3600.0
#: Seconds for which an empty answer of ListTags is not trusted. AWS documents no limit. Another emulator shows tags
#: some seconds late; delays of 15 s are tested.
TAGS_VISIBLE = 30.0
#: Seconds after a mapping's LastModified in which its tags may not be visible yet: the above, and the most by which
#: AWS's clock and this machine's may differ (AWS refuses signatures beyond 5 minutes).
_JUST_MODIFIED = 600.0

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class InventoryEntry:
    """One mapping as AWS answered it last."""

    uuid: str
    state: str
    raw: FrozenJSON
    """The answer."""
    seen: float
    """Monotonic time, in seconds, from which the answer is."""
    since: float
    """Monotonic time, in seconds, from which it is known to be in its state."""
    identity: Identity
    consumer_group: ConsumerGroup | None = None
    """The Kafka consumer group that it is in."""
    tags: dict[str, str] | None = None
    tags_written: float = -math.inf
    """Monotonic time at which tags were written by us last, in seconds."""
    tags_seen: float = -math.inf
    """Monotonic time at which tags were read or written last, in seconds."""
    tags_in_doubt: bool = False
    """Whether AWS has not answered a request to change the tags, and they have not been read since."""
    tags_shown: bool = False
    """Whether AWS has ever shown tags: from then on, tags that are missing have been taken off."""
    untagged_since: float = math.inf
    """Monotonic time of the first of the latest reads in a row that showed no tags at all, in seconds."""
    filters: Mapping[str, Any] | None = None
    """Filter criteria from an answer that shows them, where they are encrypted, so that List hides them."""
    filters_shown: bool = False
    """Whether there was such an answer."""
    listed: bool = False
    """Whether it was seen last on a page of a list."""

    def observed(self, since: float = -math.inf) -> Observed:
        """The entry for the planner.

        Args:
            since: monotonic time from which tags count as fresh, in seconds.
        """
        raw = self.raw.unpacked
        encrypted = bool(raw.get("KMSKeyArn") or raw.get("FilterCriteriaError"))
        hidden = encrypted and raw.get("FilterCriteria") is None
        if hidden and self.filters_shown:
            values, hidden = observed_values({**raw, "FilterCriteria": self.filters}), False
        else:
            values = _values(self.raw)
        return Observed(
            uuid=self.uuid,
            state=self.state,
            values=values,
            tags=self.tags,
            filters_hidden=hidden,
            tags_fresh=self.tags_seen >= since,
            tags_in_doubt=self.tags_in_doubt,
            tags_may_follow=self._tags_may_follow(),
            consumer_group=self.consumer_group,
        )

    def report(self) -> MappingReport:
        """What a status repeats of the answer."""
        return _report(self.raw)

    def _tags_may_follow(self) -> bool:
        if self.tags_shown or not 0 <= monotonic() - self.untagged_since < TAGS_VISIBLE:
            return False
        return seconds_since(self.report().last_modified or "") < _JUST_MODIFIED


@lru_cache(AT_HAND)
def _values(raw: FrozenJSON) -> Mapping[str, Canonical]:
    return observed_values(raw.unpacked)


@lru_cache(AT_HAND)
def _report(raw: FrozenJSON) -> MappingReport:
    return MappingReport.of_answer(raw.unpacked)


def _filters(
    mapping: Mapping[str, Any], old: InventoryEntry | None, *, listed: bool
) -> tuple[Mapping[str, Any] | None, bool]:
    """Filter criteria that have to be remembered, and whether an answer has shown them."""
    if not mapping.get("KMSKeyArn"):
        return None, False
    filters, shown = mapping.get("FilterCriteria"), not listed and not mapping.get("FilterCriteriaError")
    if filters is None and not shown and old is not None:
        return old.filters, old.filters_shown
    return filters, shown


class Inventory:
    """The mappings of one target."""

    def __init__(self) -> None:
        self.swept = False
        self.swept_from = -math.inf
        """Monotonic time at which the last complete sweep began, in seconds."""
        self._entries: dict[str, InventoryEntry] = {}
        self._by_identity: dict[tuple[str, str], set[str]] = {}
        self._by_group: dict[str, set[str]] = {}
        """By the name of the consumer group."""
        self._gone: dict[str, float] = {}
        """With the monotonic time at which AWS said so, in seconds."""
        self._moving: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def uuids(self) -> list[str]:
        """The mappings that are known."""
        return list(self._entries)

    def get(self, uuid: str) -> InventoryEntry | None:
        """The mapping with this UUID, if it was seen."""
        return self._entries.get(uuid)

    def is_gone(self, uuid: str) -> bool:
        """Whether AWS has said that there is no mapping with this UUID."""
        return uuid in self._gone

    def with_identity(self, wanted: Identity) -> list[InventoryEntry]:
        """The mappings that AWS would call the same as one with this identity."""
        return [entry for entry in self._same(wanted) if entry.state != "Deleting"]

    def leaving(self, wanted: Identity) -> list[InventoryEntry]:
        """Those with this identity that AWS is deleting: still in the way of a new one."""
        return [entry for entry in self._same(wanted) if entry.state == "Deleting"]

    def _same(self, wanted: Identity) -> list[InventoryEntry]:
        uuids = sorted(self._by_identity.get(wanted.key, ()))
        return [entry for uuid in uuids if (entry := self._entries[uuid]).identity.same_as(wanted)]

    def leaving_group(self, wanted: ConsumerGroup) -> list[InventoryEntry]:
        """The mappings in this consumer group that AWS is deleting: still in the way of a new one."""
        uuids = sorted(self._by_group.get(wanted.name, ()))
        entries = [self._entries[uuid] for uuid in uuids]
        return [one for one in entries if one.state == "Deleting" and wanted.same_as(one.consumer_group)]

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
        filters, shown = _filters(mapping, old, listed=listed)
        raw = FrozenJSON(mapping)
        if old is not None and old.raw == raw and (old.filters, old.filters_shown) == (filters, shown):
            old.seen, old.listed = at, listed
            if tags is not None:
                old.tags = shared(tags)
                old.tags_written = old.tags_seen = at
            return False
        self._unindex(uuid)
        entry = InventoryEntry(
            uuid=uuid,
            state=sys.intern(str(mapping.get("State", ""))),
            raw=raw,
            seen=at,
            since=old.since if old is not None and old.state == mapping.get("State", "") else at,
            identity=identity.of_mapping(mapping),
            consumer_group=identity.consumer_group(mapping),
            tags=shared(tags) if tags is not None else old.tags if old is not None else None,
            tags_written=at if tags is not None else old.tags_written if old is not None else -math.inf,
            tags_seen=at if tags is not None else old.tags_seen if old is not None else -math.inf,
            tags_in_doubt=old.tags_in_doubt if old is not None else False,
            tags_shown=old.tags_shown if old is not None else False,
            untagged_since=old.untagged_since if old is not None and tags is None else math.inf,
            filters=filters,
            filters_shown=shown,
            listed=listed,
        )
        self._entries[uuid] = entry
        self._by_identity.setdefault(entry.identity.key, set()).add(uuid)
        if entry.consumer_group is not None:
            self._by_group.setdefault(entry.consumer_group.name, set()).add(uuid)
        if entry.state in TRANSITIONS:
            self._moving.add(uuid)
        self._gone.pop(uuid, None)
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
        if entry is None:
            return
        now = entry.tags_seen = monotonic()
        if written is not None:
            entry.tags_written, entry.untagged_since = written, math.inf
        elif tags:
            entry.tags_shown, entry.untagged_since = True, math.inf
        elif entry.tags and not entry.tags_shown and now - entry.tags_written < TAGS_VISIBLE:
            return  # AWS does not show yet what we have written
        else:
            entry.untagged_since = min(entry.untagged_since, now)
        entry.tags, entry.tags_in_doubt = shared(tags), False

    def forget_tags(self, uuid: str) -> None:
        """It is not known which tags a mapping has: they were to be changed, and AWS did not answer."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.tags, entry.tags_in_doubt = None, True

    def record_gone(self, uuid: str) -> None:
        """Note that AWS has no mapping with this UUID."""
        self._unindex(uuid)
        self._entries.pop(uuid, None)
        self._gone[uuid] = monotonic()

    def record_page(self, mappings: Iterable[Mapping[str, Any]], at: float) -> set[str]:
        """Note a page of a sweep.

        Args:
            mappings: the page.
            at: monotonic time before it was asked for, in seconds.

        Returns:
            the UUIDs of mappings that changed or came.
        """
        return {
            str(mapping["UUID"])
            for mapping in mappings
            if str(mapping["UUID"]) not in self._gone and self.record(mapping, at, listed=True)
        }

    def record_swept(self, began: float) -> set[str]:
        """Note the end of a sweep of all pages.

        Args:
            began: monotonic time before its first page was asked for, in seconds.

        Returns:
            the UUIDs of mappings that were on none of them.
        """
        self.swept = True
        self.swept_from = began
        self._forget_gone()
        unseen = self._unseen(began)
        for uuid in unseen:
            if self._entries[uuid].state == "Deleting":
                self.record_gone(uuid)
            else:
                self._drop(uuid)
        return set(unseen)

    def drop_overdue(self, since: float, most: int) -> set[str]:
        """Know no more of mappings that a sweep should have met by now.

        Args:
            since: monotonic time from which they should have been seen, in seconds.
            most: of how many at most; the sweep's end tells of the others.

        Returns:
            their UUIDs. Of one that was being deleted, or not seen on a page but otherwise, nothing follows before
            the sweep's end.
        """
        unseen = [(uuid, self._entries[uuid]) for uuid in self._unseen(since)]
        overdue = [uuid for uuid, entry in unseen if entry.listed and entry.state != "Deleting"][:most]
        for uuid in overdue:
            self._drop(uuid)
        return set(overdue)

    def _unseen(self, since: float) -> list[str]:
        return [uuid for uuid, entry in self._entries.items() if entry.seen < since]

    def _drop(self, uuid: str) -> None:
        self._unindex(uuid)
        del self._entries[uuid]

    def _forget_gone(self) -> None:
        """Forget UUIDs that are gone for so long that no late page can bring them back."""
        before = monotonic() - _GONE_FOR
        self._gone = {uuid: at for uuid, at in self._gone.items() if at >= before}

    def _unindex(self, uuid: str) -> None:
        self._moving.discard(uuid)
        entry = self._entries.get(uuid)
        if entry is not None:
            _discard(self._by_identity, entry.identity.key, uuid)
            if entry.consumer_group is not None:
                _discard(self._by_group, entry.consumer_group.name, uuid)


def _discard(index: dict[Key, set[str]], key: Key, uuid: str) -> None:
    uuids = index.get(key, set())
    uuids.discard(uuid)
    if not uuids:
        index.pop(key, None)
