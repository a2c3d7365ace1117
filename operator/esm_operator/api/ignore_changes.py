"""``spec.ignoreChanges``: the fields and tags of a mapping that other tools may change in AWS.

The operator sends such a field when it creates a mapping. After that, it neither compares nor sends the field. An entry
is the path of a field, the path of a structure (all fields in it), ``tags`` (all tags) or ``tags.KEY`` (one tag). The
owner tags are never ignored. ``planning/left_to_others.py`` has the values for a mapping that replaces another one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from re import match

from esm_operator.api.fields import FIELDS
from esm_operator.api.limits import RESERVED_TAG_KEY

#: The fields by which the operator finds a mapping again. If others could change them, the operator could lose the
#: mapping and create a second one.
IDENTITY_FIELDS = frozenset(
    {
        "functionName",
        "eventSourceARN",
        "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
        "topics",
        "queues",
        "documentDBEventSourceConfig.databaseName",
        "documentDBEventSourceConfig.collectionName",
    }
)
#: The entry for all tags, and the beginning of an entry for one tag.
TAGS = "tags"
TAG = "tags."
#: Fields that AWS accepts only together with another field. They are ignored with that field, and are not entries.
_WITH: Mapping[str, str] = {"startingPositionTimestamp": "startingPosition"}


def _structures(path: str) -> Iterator[str]:
    """The structures around a field, and the field itself."""
    parts = path.split(".")
    yield from (".".join(parts[: depth + 1]) for depth in range(len(parts)))


def _entries() -> Iterator[tuple[str, frozenset[str]]]:
    """The entries for fields, each with the fields that it covers, in the order of the table of fields."""
    for entry in dict.fromkeys(one for row in FIELDS for one in _structures(row.path)):
        covered = {row.path for row in FIELDS if f"{row.path}.".startswith(f"{entry}.")}
        covered |= {path for path, other in _WITH.items() if other in covered}
        if not covered & IDENTITY_FIELDS and entry not in _WITH:
            yield entry, frozenset(covered)


#: The entries for fields, and the fields that each of them covers.
ENTRIES: Mapping[str, frozenset[str]] = dict(_entries())
#: The entries that are refused because the operator finds the mapping by these fields. They have their own message.
IDENTITY_ENTRIES: tuple[str, ...] = tuple(
    dict.fromkeys(one for row in FIELDS if row.path in IDENTITY_FIELDS for one in _structures(row.path))
)


def covering(path: str) -> list[str]:
    """The entries that cover a field; empty: it cannot be ignored."""
    return [entry for entry, covered in ENTRIES.items() if path in covered]


@dataclass(frozen=True, slots=True)
class IgnoredChanges:
    """The fields and tags that ``ignoreChanges`` leaves to others.

    Example:
        >>> ignored = IgnoredChanges.parse(["provisionedPollerConfig", "tags.team"])
        >>> "provisionedPollerConfig.maximumPollers" in ignored.fields
        True
        >>> ignored.has_tag("team"), ignored.has_tag("stage")
        (True, False)
    """

    fields: frozenset[str] = frozenset()
    """The paths of fields."""
    tags: frozenset[str] = frozenset()
    """The keys of single tags."""
    all_tags: bool = False
    unknown: tuple[str, ...] = ()
    """Entries that only a newer CRD allows."""

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "IgnoredChanges":
        """From the list in a spec."""
        return _parse(tuple(entries))

    def __bool__(self) -> bool:
        return bool(self.fields) or self.any_tags

    @property
    def any_tags(self) -> bool:
        """Whether some tags are ignored."""
        return self.all_tags or bool(self.tags)

    def has_tag(self, key: str) -> bool:
        """Whether a tag is ignored. The owner tags and the tags of AWS are not."""
        return (self.all_tags or key in self.tags) and not match(RESERVED_TAG_KEY, key)

    def has_immutable(self, key: str) -> bool:
        """Whether a key of ``status.applied.immutable``, a field or an entry of a list, is ignored."""
        return key.partition("[")[0] in self.fields


#: The value for a spec without ``ignoreChanges``.
NOTHING = IgnoredChanges()


@lru_cache(512)
def _parse(entries: tuple[str, ...]) -> IgnoredChanges:
    covered = [ENTRIES[entry] for entry in entries if entry in ENTRIES]
    tags = [entry.removeprefix(TAG) for entry in entries if entry.startswith(TAG)]
    unknown = [entry for entry in entries if entry not in ENTRIES and entry != TAGS and not entry.startswith(TAG)]
    return IgnoredChanges(frozenset[str]().union(*covered), frozenset(tags), TAGS in entries, tuple(unknown))
