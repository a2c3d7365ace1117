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
from itertools import islice
from typing import Any, NamedTuple

from esm_operator.api import identity, limits
from esm_operator.api.fields import observed_values
from esm_operator.api.frozen_json import FrozenJSON, at_hand, shared
from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.observed_fields import observed_fields
from esm_operator.api.recorded_status import MappingReport, differs_harmlessly, is_by_aws
from esm_operator.api.spec import MappingSpec
from esm_operator.api.values import Canonical
from esm_operator.aws.answer_limits import MEMORY_OF_MAPPING, ListLimit, memory_of_tags
from esm_operator.aws.errors import RepeatedIdentityError
from esm_operator.clock import monotonic, seconds_since
from esm_operator.planning.inputs import TRANSITIONS, ObservedMapping

_RESULT = "LastProcessingResult"
#: What to do if an account has more mappings than the inventory may have.
_REMEDY = (
    "If the account has so many, start the operator with a higher --max-mappings (value maxMappings of the chart)."
)
#: Mappings of one identity, without those that AWS is deleting. AWS allows one. The number is higher because the
#: identity is assumed for some sources, and because the inventory notices late that a mapping was deleted. A reconcile
#: reads all of them, and at most as many that AWS is deleting.
MOST_OF_IDENTITY = 10
#: Bytes of memory of an entry, at most, in addition to its texts. It includes its places in dictionaries.
_ENTRY = 1_500
#: Bytes of memory of a bootstrap server, at most, in addition to its text. Each has an index entry of its own.
_SERVER = 600
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
    keys: frozenset[int] | None
    """The digests of its identity and consumer group. None: this process has never seen the mapping."""


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
    filters: FrozenJSON | None = None
    """Encrypted filter criteria from an answer of Get, because List hides them."""
    filters_shown: bool = False
    """Whether AWS has sent such an answer."""
    listed: bool = False
    """Whether the last answer was a page of a list."""

    @property
    def size(self) -> int:
        """The bytes of memory of the mapping and its tags, at most."""
        of, group = self.identity, self.consumer_group
        texts = [self.state, of.function, of.source, *of.servers]
        texts += [group.name, group.cluster] if group is not None else []
        size = _ENTRY + self.raw.size + len(of.servers) * _SERVER + sum(map(sys.getsizeof, texts))
        size += self.filters.size if self.filters is not None else 0
        return size + _size_of_tags(self.tags)

    def observed(self, since: float = -math.inf) -> ObservedMapping:
        """The entry for the planner. Tags count as fresh if they were seen from ``since`` on."""
        raw = self.raw.unpacked
        encrypted = bool(raw.get("KMSKeyArn") or raw.get("FilterCriteriaError"))
        hidden = encrypted and raw.get("FilterCriteria") is None
        if hidden and self.filters_shown:
            shown = self.filters.unpacked if self.filters is not None else None
            raw, hidden = {**raw, "FilterCriteria": shown}, False
            values = observed_values(raw)
        else:
            values = _values(self.raw)
        reason = self.raw.get("StateTransitionReason") if self.state == "Disabled" else None
        return ObservedMapping(
            uuid=self.uuid,
            state=self.state,
            values=values,
            tags=self.tags,
            filters_hidden=hidden,
            tags_fresh=self.tags_seen >= since,
            tags_may_follow=self._tags_may_follow(),
            consumer_group=self.consumer_group,
            answer=raw,
            disabled_because=str(reason) if is_by_aws(reason) else "",
        )

    def report(self) -> MappingReport:
        """The part of the answer that a status shows."""
        return _report(self.raw)

    def confirms(self, tags: Mapping[str, str]) -> bool:
        """Whether the tagging API has answered these tags."""
        return self.tags_confirmed == _digest(tags)

    def observed_fields(self, spec: MappingSpec) -> Mapping[str, Any]:
        """The fields of the mapping for the status of a resource with this spec."""
        return observed_fields(self.raw.unpacked, _values(self.raw), spec)

    def _tags_may_follow(self) -> bool:
        if self.tags_shown or not 0 <= monotonic() - self.untagged_since < TAGS_VISIBLE:
            return False
        return seconds_since(self.report().last_modified or "") < _JUST_MODIFIED


def _size_of_tags(tags: Mapping[str, str] | None) -> int:
    return memory_of_tags(tags) if tags else 0


def _digest(tags: Mapping[str, str]) -> bytes:
    return sha256(json.dumps(sorted(tags.items())).encode()).digest()


@at_hand
def _values(raw: FrozenJSON) -> Mapping[str, Canonical]:
    return observed_values(raw.unpacked)


@at_hand
def _report(raw: FrozenJSON) -> MappingReport:
    return MappingReport.of_answer(raw.unpacked)


def _filters(mapping: Mapping[str, Any], old: InventoryEntry | None, *, listed: bool) -> tuple[FrozenJSON | None, bool]:
    """Encrypted filter criteria, and whether an answer has shown them."""
    if not mapping.get("KMSKeyArn"):
        return None, False
    filters, shown = mapping.get("FilterCriteria"), not listed and not mapping.get("FilterCriteriaError")
    if filters is None and not shown and old is not None:
        return old.filters, old.filters_shown
    return FrozenJSON(filters) if filters is not None else None, shown


class Inventory:
    """The mappings of one account and region at one endpoint."""

    def __init__(self, most: int = limits.MAX_MAPPINGS) -> None:
        """
        Args:
            most: the maximum number of mappings. All of them, with their tags and the tags of a tag sweep, take at most
                :data:`MEMORY_OF_MAPPING` bytes of memory for each. As many deleted mappings are remembered.
        """
        self._most = most
        self.bytes = 0
        """The sum of the sizes of the entries, also of those from before :meth:`resume`."""
        self._reserved = 0
        self.swept = False
        self.swept_from = -math.inf
        """Monotonic time at which the last complete sweep began, in seconds."""
        self._entries: dict[str, InventoryEntry] = {}
        self._before: dict[str, InventoryEntry] = {}
        """Entries from before :meth:`resume` that AWS has not answered again."""
        self._resumed = -math.inf
        """Monotonic time of :meth:`resume`, in seconds."""
        self._index: dict[Hashable, dict[str, None]] = {}
        """By the keys of :func:`_index_keys`, with the UUIDs in a fixed order."""
        self._former: dict[str, FormerMapping] = {}
        self._in_transition: set[str] = set()
        self._changed_results: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def reserve(self, memory: int) -> None:
        """Set the bytes of memory that the tag sweep takes at the moment. Raises TooLongListError if it is too much."""
        if memory:
            self._require_room(0, memory - self._reserved)
        self._reserved = memory

    def _require_room(self, mappings: int, memory: int) -> None:
        """Check that this many more mappings and bytes of memory fit into the limits. Raises TooLongListError.

        An endpoint may list mappings without end.
        """
        number, size = len(self._entries) + len(self._before) + mappings, self.bytes + self._reserved + memory
        if number > self._most or size > self._most * MEMORY_OF_MAPPING:
            raise self.new_list_limit().exceeded()

    def new_list_limit(self) -> ListLimit:
        """The limit of one list of the mappings."""
        return ListLimit(self._most, _REMEDY)

    def clear(self) -> None:
        """Forget all mappings. They are known again after the next complete sweep."""
        self.resume()
        self._forget_before()

    def resume(self) -> None:
        """Begin a term of the process that filled the inventory, after a time without answers of AWS.

        A mapping is known again when AWS has answered it, by the next sweep at the latest. Its tags are then known too,
        so they need not be read again.
        """
        self.swept, self._resumed = False, monotonic()
        self._before |= self._entries
        self._entries, self._index, self._in_transition = {}, {}, set()

    def _forget_before(self) -> None:
        self.bytes -= sum(entry.size for entry in self._before.values())
        self._before = {}

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
        return self._indexed((False, *key) for key in wanted.keys)

    def leaving(self, wanted: Identity) -> list[InventoryEntry]:
        """Mappings with this identity that AWS is deleting. Until the end, AWS refuses a new mapping."""
        return self._indexed((True, *key) for key in wanted.keys)

    def leaving_group(self, wanted: ConsumerGroup) -> list[InventoryEntry]:
        """Mappings in this consumer group that AWS is deleting. Until the end, AWS refuses a new mapping."""
        return self._indexed(wanted.keys)

    def in_group(self, wanted: ConsumerGroup) -> list[InventoryEntry]:
        """Some mappings in this consumer group, in which AWS accepts one. It reads all mappings, without an index."""
        found = (entry for entry in self._entries.values() if wanted.same_as(entry.consumer_group))
        return list(islice(found, MOST_OF_IDENTITY))

    def _indexed(self, keys: Iterable[Hashable]) -> list[InventoryEntry]:
        """The mappings with any of the keys, but not more than some of each, because an endpoint may list thousands."""
        uuids = {uuid for key in keys for uuid in islice(self._index.get(key, ()), MOST_OF_IDENTITY)}
        return [self._entries[uuid] for uuid in sorted(uuids)]

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
        :meth:`take_changed_results`. Raises TooLongListError, and records nothing, if AWS would not have such mappings.

        Args:
            at: monotonic time of the answer, in seconds.
            tags: the tags with which it was just created. None: they are not known.
            listed: whether it is an item of a List, which hides encrypted filter criteria.
        """
        uuid = str(mapping["UUID"])
        old = self._entries.get(uuid)
        if old is not None and old.seen > at:
            return False
        known = old or self._before.get(uuid)
        filters, shown = _filters(mapping, known, listed=listed)
        raw = FrozenJSON(mapping)
        if old is not None and (old.filters, old.filters_shown) == (filters, shown) and self._is_same(old, raw):
            self._require_room(0, raw.size - old.raw.size)
            self.bytes += raw.size - old.raw.size
            old.raw, old.seen, old.listed = raw, at, listed
            self._record_created_tags(old, tags, at)
            return False
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
        self._check_identity(entry)
        self._require_room(int(known is None), entry.size - (known.size if known is not None else 0))
        self._drop(uuid)
        self._drop_before(uuid)
        self._entries[uuid] = entry
        self.bytes += entry.size
        self._record_created_tags(entry, tags, at)
        for key in _index_keys(entry):
            self._index.setdefault(key, {})[uuid] = None
        if entry.state in TRANSITIONS:
            self._in_transition.add(uuid)
        self._former.pop(uuid, None)
        return True

    def _check_identity(self, entry: InventoryEntry) -> None:
        """Check that AWS could have the mapping in addition to the known ones. Raises RepeatedIdentityError."""
        if entry.state == "Deleting":
            return
        for key in _index_keys(entry):
            same = self._index.get(key, {})
            if len(same) >= MOST_OF_IDENTITY and entry.uuid not in same:
                raise RepeatedIdentityError(most=MOST_OF_IDENTITY, uuid=entry.uuid)

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
        """Record all tags of a mapping, which were written at a monotonic time, or read (None).

        Raises TooLongListError, and records nothing, if there is no room for tags that were read.
        """
        entry = self._entries.get(uuid)
        if entry is None:
            return
        if written is None:
            self._require_room(0, _size_of_tags(tags) - _size_of_tags(entry.tags))
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

    def _record_former(self, uuid: str, *, gone: bool) -> None:
        known, before = self._entries.get(uuid) or self._before.get(uuid), self._former.pop(uuid, None)
        keys = before.keys if before is not None else None
        keys = identity.digests(known.identity, known.consumer_group) if known is not None else keys
        self._drop(uuid)
        self._drop_before(uuid)
        self._former[uuid] = FormerMapping(monotonic(), gone, keys)  # the last one is the latest
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
        self._forget_before()
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
            self._index[key].pop(uuid, None)
            if not self._index[key]:
                del self._index[key]

    def _drop_before(self, uuid: str) -> None:
        entry = self._before.pop(uuid, None)
        if entry is not None:
            self.bytes -= entry.size

    def _record_created_tags(self, entry: InventoryEntry, tags: Mapping[str, str] | None, at: float) -> None:
        if tags is not None:
            entry.untagged_since, entry.tags_written, entry.tags_seen = math.inf, at, at
            self._set_tags(entry, shared(tags))

    def _set_tags(self, entry: InventoryEntry, tags: dict[str, str] | None) -> None:
        if entry is (self._entries.get(entry.uuid) or self._before.get(entry.uuid)):
            self.bytes += _size_of_tags(tags) - _size_of_tags(entry.tags)
        entry.tags, entry.tags_confirmed = tags, b""


def _index_keys(entry: InventoryEntry) -> list[Hashable]:
    """The keys of the identity, and of the consumer group while AWS is deleting the mapping. Two mappings with a common
    key conflict in AWS.
    """
    leaving, group = entry.state == "Deleting", entry.consumer_group
    keys: list[Hashable] = [(leaving, *key) for key in entry.identity.keys]
    return [*keys, *group.keys] if leaving and group is not None else keys
