"""One referenced object, as far as the reference cache knows it: its values, consent, version and users."""

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM, OUTPUTS_OF, allowed_referrers
from esm_operator.api.object_fields import WrongTypeError, value_in
from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Key
from esm_operator.clock import monotonic
from esm_operator.cluster.discovery import Kind
from esm_operator.cluster.reference_users import Users, with_user, with_users, without_user
from esm_operator.cluster.resource_versions import is_later

LOADING = Missing(Cause.LOADING)
_NOBODY: frozenset[str] = frozenset()
#: The shortest and the longest pause, in seconds, between two changes of an object after which its users are resolved
#: again. The number of users for which the pause is one second. A thousand users take a second of CPU time.
_SHORTEST_PAUSE, _LONGEST_PAUSE, _USERS_A_SECOND = 1.0, 30.0, 100


class ObjectName(NamedTuple):
    """The name of an object of a kind."""

    namespace: str
    """Empty: the kind has no namespaces."""
    name: str


class Affected(NamedTuple):
    """The resources to resolve again."""

    users: Iterable[Key] = ()
    delay: float = 0.0
    """Seconds until then."""


class NeededField(NamedTuple):
    """A field of an object whose value resources need."""

    needed_for: str
    """The field of the spec that holds the reference, without the index of an item."""
    field_path: str
    key: str


@dataclass(slots=True)
class ReferencedObject:
    """One referenced object. It may not exist."""

    lists_before: int
    """How many lists of its kind had begun when it was first referenced."""
    users: Users = ()
    references: int = 0
    """How many references name it."""
    values: dict[NeededField, str | Missing] = field(default_factory=dict[NeededField, str | Missing])
    """The values of the fields that its users need. Fields of references that have ended stay for some time."""
    waiting: dict[Key, None] | None = None
    """The users of fields whose values are not known yet, because they were added after the object was read."""
    version: str = ""
    """The newest known version, also of the deletion; empty: nothing is known."""
    exists: bool = False
    deleting: bool = False
    allowed: frozenset[str] = _NOBODY
    """The namespaces that may reference it. ``*``: all."""
    problem: Missing = LOADING
    """The reason why unknown values are unknown."""
    turn: float = -math.inf
    """Monotonic time at which the users are resolved again after the last change, in seconds."""

    @property
    def is_known(self) -> bool:
        """Whether all values are known, or it is known that the object does not exist."""
        return bool(self.version) and not self.waiting

    @property
    def has_many_unused_fields(self) -> bool:
        """Whether at least half of its fields are unused, so that a search for them is worth its time."""
        return len(self.values) > 2 * self.references

    def allows(self, namespace: str) -> bool:
        """Whether the object exists, and may be referenced from a namespace."""
        return self.exists and not self.allowed.isdisjoint((namespace, "*"))

    def value(self, reference: Reference) -> str | Missing:
        """The value of a reference."""
        found = self.values.get(needed_field(reference), LOADING)
        return found if found != LOADING else self.problem

    def add(self, key: Key, reference: Reference) -> None:
        """Register a reference of a resource."""
        self.users = with_user(self.users, key)
        self.references += 1
        if self.values.setdefault(needed_field(reference), LOADING) == LOADING and self.exists:
            self.waiting = self.waiting or {}
            self.waiting[key] = None

    def remove(self, key: Key) -> None:
        """Forget one reference of a resource."""
        self.users = without_user(self.users, key)
        self.references -= 1

    def forget(self) -> None:
        """Forget what is known about the object, but not the references to it."""
        self.lists_before, self.version, self.problem = 0, "", LOADING
        self.exists, self.deleting, self.allowed = False, False, _NOBODY
        self.values, self.waiting = dict.fromkeys(self.values, LOADING), None

    def merge(self, other: "ReferencedObject") -> None:
        """Take the references to an object that has turned out to be the same. Nothing is known about either."""
        self.users = with_users(self.users, other.users)
        self.references += other.references
        self.values |= other.values

    def keep_fields(self, used: Container[NeededField]) -> None:
        """Forget all fields except these."""
        self.values = {needed: value for needed, value in self.values.items() if needed in used}

    def put(self, kind: Kind, body: Mapping[str, Any]) -> Affected:
        """Record a version of the object, unless a newer one is known. Return the resources to resolve again."""
        version, was_known = version_of(body), bool(self.version)
        if is_later(self.version, version):
            return Affected()
        before = (self.exists, self.deleting, self.allowed)
        meta: Mapping[str, Any] = body["metadata"]
        annotations: Mapping[str, Any] = meta.get("annotations") or {}
        self.version, self.exists, self.problem = version, True, LOADING
        self.deleting = bool(meta.get("deletionTimestamp"))
        self.allowed = allowed_referrers(str(annotations.get(ALLOW_REFERENCES_FROM) or ""))
        old, self.values = self.values, {needed: _value(kind, needed, body) for needed in self.values}
        waiting, self.waiting = self.waiting, None
        differs = any(value not in (LOADING, self.values[needed]) for needed, value in old.items())
        if differs or before != (self.exists, self.deleting, self.allowed):
            return self._changed(was_known)
        return Affected(waiting or ())

    def put_absent(self, version: str) -> Affected:
        """Record that the object does not exist in a version. Return the resources to resolve again."""
        was_known = bool(self.version)
        is_news = self.exists or not was_known
        self.version, self.exists, self.deleting, self.allowed = version, False, False, _NOBODY
        self.waiting, self.problem = None, LOADING
        return self._changed(was_known) if is_news else Affected()

    def _changed(self, was_known: bool) -> Affected:
        """All users, and the delay until they are resolved again.

        An object can have thousands of users. So only the first change has no delay. After that, changes are a pause
        apart, and all changes during a pause count as one.
        """
        if not was_known:
            return Affected(self.users)
        now, pause = monotonic(), max(_SHORTEST_PAUSE, min(len(self.users) / _USERS_A_SECOND, _LONGEST_PAUSE))
        if self.turn <= now:
            self.turn = max(now, self.turn + pause)
        return Affected(self.users, self.turn - now)


def needed_field(reference: Reference) -> NeededField:
    """The field that a reference needs."""
    return _field(reference.field, reference.field_path, reference.key)


def version_of(body: Mapping[str, Any]) -> str:
    """The resource version of an object."""
    return str(body["metadata"].get("resourceVersion") or "")


@lru_cache(1_000)
def _field(needed_for: str, field_path: str, key: str) -> NeededField:
    """One object for equal fields, because most objects of a kind have the same fields."""
    return NeededField(needed_for, field_path, key)


def _value(kind: Kind, needed: NeededField, body: Mapping[str, Any]) -> str | Missing:
    """The value of a field in an object.

    A ConfigMap with outputs has none, because a resource that refers to its own outputs would change itself again
    and again. The same applies to resources that refer to the outputs of each other.
    """
    labels: Mapping[str, Any] = body["metadata"].get("labels") or {}
    if OUTPUTS_OF in labels:
        return Missing(Cause.OUTPUTS)
    reference = Reference(needed.needed_for, kind.api_version, kind.kind, "", "", needed.field_path, needed.key)
    try:
        value = value_in(reference, body)
    except WrongTypeError as error:
        return Missing(Cause.WRONG_TYPE, str(error))
    return value if value else Missing(Cause.NOT_READY)
