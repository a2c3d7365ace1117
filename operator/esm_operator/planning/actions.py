"""The actions that a plan can answer. The executor carries them out; at a :data:`Rest` the reconcile ends."""

from collections.abc import Mapping
from dataclasses import dataclass

from esm_operator.api.values import Canonical
from esm_operator.planning.finding import Finding

#: What an Update can change of a mapping's identity.
IDENTITY = frozenset({"functionName"})


class Action:
    """What to do next for one resource."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class NoOp(Action):
    """The mapping matches the spec."""


@dataclass(frozen=True, slots=True)
class Wait(Finding, Action):
    """Nothing can be done until the observation changes."""

    uuid: str = ""
    """The mapping that is waited for, if it is not the one in the status."""


@dataclass(frozen=True, slots=True)
class Stall(Finding, Action):
    """Nothing can be done until a person acts."""


@dataclass(frozen=True, slots=True)
class Conflict(Finding, Action):
    """A mapping of others is in the way."""

    uuid: str = ""


@dataclass(frozen=True, slots=True)
class AddFinalizer(Action):
    """Write finalizer and intent to the resource."""

    keep_intent: bool = False
    """Whether the present intent is kept, because a mapping may have been created by it."""


@dataclass(frozen=True, slots=True)
class SearchByFunction(Action):
    """List the mappings of the function that the intent names."""


@dataclass(frozen=True, slots=True)
class Create(Action):
    """Create the mapping."""

    again: bool = False
    """Whether it existed before and was deleted by somebody else."""
    replaces: str = ""
    """The UUID of the mapping that it replaces, which is deleted before or after."""


@dataclass(frozen=True, slots=True)
class _OfMapping(Action):
    uuid: str


@dataclass(frozen=True, slots=True)
class GetMapping(_OfMapping):
    """Get one mapping from AWS."""


@dataclass(frozen=True, slots=True)
class ListTags(_OfMapping):
    """List the tags of one mapping."""


@dataclass(frozen=True, slots=True)
class RecordUUID(_OfMapping):
    """Record the UUID of a mapping that is the resource's own."""


@dataclass(frozen=True, slots=True)
class Update(_OfMapping):
    """Set and reset fields of the mapping."""

    change: Mapping[str, Canonical]
    """Path -> value to set."""
    reset: frozenset[str]
    """Paths to reset to AWS's default."""
    old: Mapping[str, Canonical]
    """Path -> value that AWS has now, for the Event."""
    drift: bool = False
    """Whether somebody else changed the mapping, not the spec."""


@dataclass(frozen=True, slots=True)
class Tag(_OfMapping):
    """Add, change and remove tags of the mapping."""

    add: Mapping[str, str]
    remove: frozenset[str]
    drift: bool = False
    """Whether somebody else changed the tags, not the spec."""


@dataclass(frozen=True, slots=True)
class Adopt(_OfMapping):
    """Tag an existing mapping as the resource's own, and record its UUID."""

    previous: str = ""
    """The owner from which the mapping is taken over; empty: it had no owner."""


@dataclass(frozen=True, slots=True)
class Replace(_OfMapping):
    """Delete the mapping because one with other immutable fields replaces it."""

    fields: tuple[str, ...]
    successor: str = ""
    """The UUID of the mapping that replaces it; empty: it is created afterwards."""
    consumer_group: str = ""
    """The Kafka consumer group of the mapping, if its successor joins the same one."""


@dataclass(frozen=True, slots=True)
class Discard(_OfMapping):
    """Delete a second mapping of the resource, which a cancelled replacement has left."""


@dataclass(frozen=True, slots=True)
class Delete(_OfMapping):
    """Delete the mapping."""


@dataclass(frozen=True, slots=True)
class RemoveOwnerTags(_OfMapping):
    """Remove the owner tags from the mapping and keep it."""

    remove: frozenset[str]


@dataclass(frozen=True, slots=True)
class RemoveFinalizer(Action):
    """Remove the finalizer."""


#: Actions that end a reconcile.
Rest = NoOp | Wait | Stall | Conflict
#: Actions that change something in AWS.
WRITES = (Create, Update, Tag, Adopt, Replace, Discard, Delete, RemoveOwnerTags)
