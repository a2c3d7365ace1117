"""The inventory: the mappings that one account and region had when AWS last answered.

A sweep records the whole list, page by page. Other answers record one mapping. A page never replaces data that was
written or read after the page was requested. A mapping that is missing from a sweep may still exist, because pages
shift when mappings are created or deleted. A mapping is *gone* if AWS answers so for its UUID, or if it was being
deleted and is missing from a sweep.

The last processing result of a stream with little traffic changes all the time. If it changes alone, and is no problem,
the inventory keeps it and collects the UUID, but the mapping does not count as changed.
"""

import json
import math
import sys
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from esm_operator.api import identity, limits
from esm_operator.api.fields import observed_values
from esm_operator.api.frozen_json import FrozenJSON, at_hand, shared
from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.recorded_status import MappingReport, differs_harmlessly
from esm_operator.api.values import Canonical
from esm_operator.aws.answer_limits import BYTES_OF_ITEM, ListLimit, size_of_tags
from esm_operator.clock import monotonic, seconds_since
from esm_operator.planning.inputs import TRANSITIONS, ObservedMapping

_RESULT = "LastProcessingResult"
#: What to do if an account has more mappings than the inventory may have.
_REMEDY = (
    "If the account has so many, start the operator with a higher --max-mappings (value maxMappings of the chart)."
)
#: Seconds for which the inventory remembers that AWS has no mapping with a UUID.
_GONE_FOR = 3600.0
#: Seconds for which an empty answer of ListTags is not trusted. AWS documents no limit. Another emulator shows tags
#: some seconds late. Tests use delays of 15 s.
TAGS_VISIBLE = 30.0
#: Seconds after a mapping's LastModified in which its tags may not be visible yet. It includes the difference between
#: the clocks of AWS and this machine (AWS refuses signatures beyond 5 minutes).
_JUST_MODIFIED = 600.0


class FormerMapping(NamedTuple):
    """A mapping that AWS does not have any more, or that the last sweep did not show."""

    at: float
    """Monotonic time since which it is missing, in seconds."""
    gone: bool
    """Whether AWS has answered that there is no mapping with its UUID."""
    identity: Identity | None
    """None: it is not known, because the mapping was gone before this process saw it."""
    consumer_group: ConsumerGroup | None


@dataclass(slots=True)
class InventoryEntry:
    """One mapping in the last answer of AWS. Times are monotonic, in seconds."""

    uuid: str
    state: str
    raw: FrozenJSON
    """The answer."""
    seen: float
    """Time of the answer."""
    since: float
    """Time since which it is known to be in its state."""
    identity: Identity
    consumer_group: ConsumerGroup | None = None
    """The Kafka consumer group that it is in."""
    tags: dict[str, str] | None = None
    tags_written: float = -math.inf
    """Time at which the operator last wrote tags."""
    tags_seen: float = -math.inf
    """Time at which tags were last read or written."""
    tags_confirmed: bytes = b""
    """Digest of the tags that the tagging API has answered, if a status records the same. The answer may be late, so it
    only decides what a status may show."""
    tags_in_doubt: bool = False
    """Whether the last request to change the tags has no answer, and the tags were not read after it."""
    tags_shown: bool = False
    """Whether AWS has ever shown tags. If so, missing tags were removed."""
    untagged_since: float = math.inf
    """Time of the first of the latest reads in a row that showed no tags at all."""
    filters: Mapping[str, Any] | None = None
    """Encrypted filter criteria from an answer of Get, because List hides them."""
    filters_shown: bool = False
    """Whether AWS has sent such an answer."""
    listed: bool = False
    """Whether the last answer was a page of a list."""

    @property
    def size(self) -> int:
        """The bytes of the answer and of the tags."""
        return self.raw.size + size_of_tags(self.tags or {})

    def observed(self, since: float = -math.inf) -> ObservedMapping:
        """The entry for the planner. Tags count as fresh if they were seen from ``since`` on."""
        raw = self.raw.unpacked
        encrypted = bool(raw.get("KMSKeyArn") or raw.get("FilterCriteriaError"))
        hidden = encrypted and raw.get("FilterCriteria") is None
        if hidden and self.filters_shown:
            values, hidden = observed_values({**raw, "FilterCriteria": self.filters}), False
        else:
            values = _values(self.raw)
        return ObservedMapping(
            uuid=self.uuid,
            state=self.state,
            values=values,
            tags=self.tags,
            filters_hidden=hidden,
            tags_fresh=self.tags_seen >= since,
            tags_may_follow=self._tags_may_follow(),
            consumer_group=self.consumer_group,
        )

    def report(self) -> MappingReport:
        """The part of the answer that a status shows."""
        return _report(self.raw)

    def confirms(self, tags: Mapping[str, str]) -> bool:
        """Whether the tagging API has answered these tags."""
        return self.tags_confirmed == _digest(tags)

    def _tags_may_follow(self) -> bool:
        if self.tags_shown or not 0 <= monotonic() - self.untagged_since < TAGS_VISIBLE:
            return False
        return seconds_since(self.report().last_modified or "") < _JUST_MODIFIED


def _digest(tags: Mapping[str, str]) -> bytes:
    return sha256(json.dumps(sorted(tags.items())).encode()).digest()


@at_hand
def _values(raw: FrozenJSON) -> Mapping[str, Canonical]:
    return observed_values(raw.unpacked)


@at_hand
def _report(raw: FrozenJSON) -> MappingReport:
    return MappingReport.of_answer(raw.unpacked)


def _filters(
    mapping: Mapping[str, Any], old: InventoryEntry | None, *, listed: bool
) -> tuple[Mapping[str, Any] | None, bool]:
    """Encrypted filter criteria, and whether an answer has shown them."""
    if not mapping.get("KMSKeyArn"):
        return None, False
    filters, shown = mapping.get("FilterCriteria"), not listed and not mapping.get("FilterCriteriaError")
    if filters is None and not shown and old is not None:
        return old.filters, old.filters_shown
    return filters, shown


class Inventory:
    """The mappings of one account and region at one endpoint."""

    def __init__(self, most: int = limits.MAX_MAPPINGS) -> None:
        """
        Args:
            most: the maximum number of mappings, and, with 2,000 bytes for each, of the bytes of mappings and tags.
                Those who read lists enforce it, see :attr:`is_too_large`. As many deleted mappings are remembered.
        """
        self._most = most
        self.bytes = 0
        """The sum of the sizes of the entries."""
        self.swept = False
        self.swept_from = -math.inf
        """Monotonic time at which the last complete sweep began, in seconds."""
        self._entries: dict[str, InventoryEntry] = {}
        self._before: dict[str, InventoryEntry] = {}
        """Entries from before :meth:`resume` that AWS has not answered again."""
        self._resumed = -math.inf
        """Monotonic time of :meth:`resume`, in seconds."""
        self._index: dict[Hashable, set[str]] = {}
        """By the key of the identity, and by the name of the consumer group."""
        self._former: dict[str, FormerMapping] = {}
        self._in_transition: set[str] = set()
        self._changed_results: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_too_large(self) -> bool:
        """Whether there are more mappings than AWS can have, so that an endpoint may list mappings without end."""
        return len(self._entries) + len(self._before) > self._most or self.bytes > self._most * BYTES_OF_ITEM

    def new_list_limit(self) -> ListLimit:
        """The limit of one list of the mappings."""
        return ListLimit(self._most, _REMEDY)

    def clear(self) -> None:
        """Forget all mappings. They are known again after the next complete sweep."""
        self.resume()
        self._before = {}

    def resume(self) -> None:
        """Begin a term of the process that filled the inventory, after a time without answers of AWS.

        A mapping is known again when AWS has answered it, by the next sweep at the latest. Its tags are then known too,
        so they need not be read again.
        """
        self.swept, self._resumed = False, monotonic()
        self._before |= self._entries
        self._entries, self._index, self._in_transition, self.bytes = {}, {}, set(), 0

    def forget_tags_before(self, uuid: str) -> None:
        """Forget tags from before :meth:`resume`, so that they are read before the next change of the mapping."""
        entry = self._entries.get(uuid) or self._before.get(uuid)
        if entry is not None and entry.tags_seen < self._resumed:
            self._set_tags(entry, None)

    def uuids(self) -> list[str]:
        """The known mappings."""
        return list(self._entries)

    def get(self, uuid: str) -> InventoryEntry | None:
        """The mapping with this UUID, if it is known."""
        return self._entries.get(uuid)

    def is_gone(self, uuid: str) -> bool:
        """Whether AWS has answered that no mapping has this UUID."""
        former = self._former.get(uuid)
        return former is not None and former.gone

    def former(self, uuid: str) -> FormerMapping | None:
        """A mapping that is missing, and was known in the last hour. None: nothing is known."""
        return self._former.get(uuid)

    def with_identity(self, wanted: Identity) -> list[InventoryEntry]:
        """The mappings that conflict in AWS with a mapping of this identity."""
        return [entry for entry in self._same(wanted) if entry.state != "Deleting"]

    def leaving(self, wanted: Identity) -> list[InventoryEntry]:
        """The mappings with this identity that AWS is deleting. Until the end, AWS refuses a new mapping."""
        return [entry for entry in self._same(wanted) if entry.state == "Deleting"]

    def _same(self, wanted: Identity) -> list[InventoryEntry]:
        uuids = sorted(self._index.get(wanted.key, ()))
        return [entry for uuid in uuids if (entry := self._entries[uuid]).identity.same_as(wanted)]

    def leaving_group(self, wanted: ConsumerGroup) -> list[InventoryEntry]:
        """The mappings in this consumer group that AWS is deleting. Until the end, AWS refuses a new mapping."""
        entries = [self._entries[uuid] for uuid in sorted(self._index.get(wanted.name, ()))]
        return [one for one in entries if one.state == "Deleting" and wanted.same_as(one.consumer_group)]

    def in_transition(self) -> frozenset[str]:
        """The UUIDs of mappings that AWS is changing."""
        return frozenset(self._in_transition)

    def take_changed_results(self) -> set[str]:
        """The mappings of which only the last processing result has changed since the last call, without a problem."""
        taken, self._changed_results = self._changed_results, set()
        return taken

    def record(
        self, mapping: Mapping[str, Any], at: float, tags: Mapping[str, str] | None = None, *, listed: bool = False
    ) -> bool:
        """Record one mapping from an answer of AWS. Returns whether it differs from the last answer.

        A last processing result that changes harmlessly is recorded and does not count, see
        :meth:`take_changed_results`.

        Args:
            at: monotonic time of the answer, in seconds.
            tags: the tags with which it was just created. None: they are not known.
            listed: whether it is an item of a List, which hides encrypted filter criteria.
        """
        uuid = str(mapping["UUID"])
        old = self._entries.get(uuid)
        if old is not None and old.seen > at:
            return False
        known = old or self._before.pop(uuid, None)
        filters, shown = _filters(mapping, known, listed=listed)
        raw = FrozenJSON(mapping)
        if old is not None and (old.filters, old.filters_shown) == (filters, shown) and self._is_same(old, raw):
            self.bytes += raw.size - old.raw.size
            old.raw, old.seen, old.listed = raw, at, listed
            self._record_created_tags(old, tags, at)
            return False
        self._drop(uuid)
        state = sys.intern(str(mapping.get("State", "")))
        of = identity.of_mapping(mapping)
        entry = replace(
            known or InventoryEntry(uuid, state, raw, at, at, of),
            state=state,
            raw=raw,
            seen=at,
            since=known.since if known is not None and known.state == state else at,
            identity=of,
            consumer_group=identity.consumer_group(mapping),
            filters=filters,
            filters_shown=shown,
            listed=listed,
        )
        self._entries[uuid] = entry
        self.bytes += entry.size
        self._record_created_tags(entry, tags, at)
        for key in _index_keys(entry):
            self._index.setdefault(key, set()).add(uuid)
        if entry.state in TRANSITIONS:
            self._in_transition.add(uuid)
        self._former.pop(uuid, None)
        return True

    def _is_same(self, old: InventoryEntry, raw: FrozenJSON) -> bool:
        """Whether an answer is the last one again, or differs only in a last processing result without a problem."""
        if old.raw == raw:
            return True
        before = old.raw.get(_RESULT)
        if not differs_harmlessly(before, raw.get(_RESULT)) or FrozenJSON({**raw, _RESULT: before}) != old.raw:
            return False
        self._changed_results.add(old.uuid)
        return True

    def tags(self, uuid: str) -> Mapping[str, str] | None:
        """The tags of a mapping. None: the tags or the mapping are not known."""
        entry = self._entries.get(uuid)
        return entry.tags if entry is not None else None

    def record_tags(self, uuid: str, tags: Mapping[str, str], written: float | None = None) -> None:
        """Record all tags of a mapping, which were written at a monotonic time, or read (None)."""
        entry = self._entries.get(uuid)
        if entry is None:
            return
        now = entry.tags_seen = monotonic()
        if written is not None:
            entry.tags_written, entry.untagged_since = written, math.inf
        elif tags:
            entry.tags_shown, entry.untagged_since = True, math.inf
        elif entry.tags and not entry.tags_shown and now - entry.tags_written < TAGS_VISIBLE:
            return  # AWS does not show yet what the operator has written
        else:
            entry.untagged_since = min(entry.untagged_since, now)
        entry.tags_in_doubt = False
        self._set_tags(entry, shared(tags))

    def confirm_tags(self, uuid: str, tags: Mapping[str, str]) -> None:
        """Record that the tagging API has answered the tags of a mapping as a status records them."""
        entry = self._entries.get(uuid)
        if entry is not None and entry.tags is None and not entry.tags_in_doubt:
            entry.tags_confirmed = _digest(tags)

    def forget_tags(self, uuid: str) -> None:
        """Record that AWS did not answer a request to change the tags of a mapping."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.tags_in_doubt = True
            self._set_tags(entry, None)

    def record_gone(self, uuid: str) -> None:
        """Record that AWS has no mapping with this UUID."""
        self._record_former(uuid, gone=True)
        self._before.pop(uuid, None)

    def _record_former(self, uuid: str, *, gone: bool) -> None:
        known = self._entries.get(uuid) or self._before.get(uuid) or self._former.get(uuid)
        self._drop(uuid)
        self._former.pop(uuid, None)  # the last one is the latest
        identity, group = (known.identity, known.consumer_group) if known is not None else (None, None)
        self._former[uuid] = FormerMapping(monotonic(), gone, identity, group)
        if len(self._former) > self._most:  # AWS answers again for the oldest one if it must be known
            del self._former[next(iter(self._former))]

    def record_page(self, mappings: Iterable[Mapping[str, Any]], at: float) -> set[str]:
        """Record a page of a sweep that was requested at a monotonic time. Returns the UUIDs that differ."""
        return {
            str(mapping["UUID"])
            for mapping in mappings
            if not self.is_gone(str(mapping["UUID"])) and self.record(mapping, at, listed=True)
        }

    def record_swept(self, began: float) -> set[str]:
        """Record the end of a sweep that began at a monotonic time. Returns the UUIDs that were on no page."""
        self.swept = True
        self.swept_from = began
        self._before.clear()
        # Later no page that was requested before can contain a mapping that is gone.
        self._former = {uuid: one for uuid, one in self._former.items() if one.at >= monotonic() - _GONE_FOR}
        unseen = self._unseen(began)
        for uuid in unseen:
            self._record_former(uuid, gone=self._entries[uuid].state == "Deleting")
        return set(unseen)

    def drop_overdue(self, since: float, most: int) -> set[str]:
        """Drop some listed mappings that a sweep should have shown since a monotonic time. Returns their UUIDs.

        The sweep's end drops the others.
        """
        unseen = [(uuid, self._entries[uuid]) for uuid in self._unseen(since)]
        overdue = [uuid for uuid, entry in unseen if entry.listed and entry.state != "Deleting"][:most]
        for uuid in overdue:
            self._record_former(uuid, gone=False)
        return set(overdue)

    def _unseen(self, since: float) -> list[str]:
        return [uuid for uuid, entry in self._entries.items() if entry.seen < since]

    def _drop(self, uuid: str) -> None:
        self._in_transition.discard(uuid)
        self._changed_results.discard(uuid)
        entry = self._entries.pop(uuid, None)
        if entry is None:
            return
        self.bytes -= entry.size
        for key in _index_keys(entry):
            self._index[key].discard(uuid)
            if not self._index[key]:
                del self._index[key]

    def _record_created_tags(self, entry: InventoryEntry, tags: Mapping[str, str] | None, at: float) -> None:
        if tags is not None:
            entry.untagged_since, entry.tags_written, entry.tags_seen = math.inf, at, at
            self._set_tags(entry, shared(tags))

    def _set_tags(self, entry: InventoryEntry, tags: dict[str, str] | None) -> None:
        if entry is self._entries.get(entry.uuid):
            self.bytes += size_of_tags(tags or {}) - size_of_tags(entry.tags or {})
        entry.tags, entry.tags_confirmed = tags, b""


def _index_keys(entry: InventoryEntry) -> list[Hashable]:
    group = entry.consumer_group
    return [entry.identity.key] if group is None else [entry.identity.key, group.name]
