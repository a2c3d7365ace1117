"""What can follow from a plan. Each is carried out, or told, by the reconciler."""

from collections.abc import Mapping
from dataclasses import dataclass

from esm_operator.api.values import Canonical
from esm_operator.planning.finding import Finding

#: What an Update can change of a mapping's identity.
IDENTITY = frozenset({"functionName"})


@dataclass(frozen=True, slots=True)
class NoOp:
    """AWS has what the spec says."""


@dataclass(frozen=True, slots=True)
class Wait(Finding):
    """Nothing can be done until the observation changes."""

    uuid: str = ""
    """The mapping that is waited for, if it is not the one in the status."""


@dataclass(frozen=True, slots=True)
class Stall(Finding):
    """Nothing can be done until a person acts."""


@dataclass(frozen=True, slots=True)
class Conflict(Finding):
    """A mapping of others is in the way."""

    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Write finalizer and intent to the resource."""

    keep_intent: bool = False
    """Whether the intent that stands is left as it is: a mapping may have been made by it."""


@dataclass(frozen=True, slots=True)
class GetMapping:
    """Get one mapping from AWS."""

    uuid: str


@dataclass(frozen=True, slots=True)
class SearchByFunction:
    """List the mappings of the function that the intent names."""


@dataclass(frozen=True, slots=True)
class ListTags:
    """List the tags of one mapping."""

    uuid: str


@dataclass(frozen=True, slots=True)
class TakeUp:
    """A mapping that is ours: note its uuid."""

    uuid: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the mapping."""

    again: bool = False
    """It existed before and was deleted by somebody else."""
    replaces: str = ""
    """The UUID of the mapping that it takes the place of: deleted for it, or to be deleted after it."""


@dataclass(frozen=True, slots=True)
class Update:
    """Set and reset fields of the mapping."""

    uuid: str
    change: Mapping[str, Canonical]
    """Path -> value to set."""
    reset: frozenset[str]
    """Paths that go back to AWS's default."""
    old: Mapping[str, Canonical]
    """Path -> value that AWS has now, for the event."""
    drift: bool = False
    """Whether somebody else changed the mapping, not the spec."""


@dataclass(frozen=True, slots=True)
class Tag:
    """Add, change and remove tags of the mapping."""

    uuid: str
    add: Mapping[str, str]
    remove: frozenset[str]
    drift: bool = False
    """Whether somebody else changed the tags, not the spec."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over a mapping that exists: tag it as ours, note its uuid."""

    uuid: str
    previous: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Delete the mapping, for it is, or was, created again with other immutable fields."""

    uuid: str
    fields: tuple[str, ...]
    successor: str = ""
    """The UUID of the mapping that was created in its place already; empty: it is created afterwards."""
    consumer_group: str = ""
    """The Kafka consumer group of the mapping which its successor joins again; empty: another one, or none."""


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete a second mapping of ours, which a replacement that was called off has left."""

    uuid: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the mapping at AWS."""

    uuid: str


@dataclass(frozen=True, slots=True)
class Release:
    """Take our tags off the mapping and leave it."""

    uuid: str
    remove: frozenset[str]


@dataclass(frozen=True, slots=True)
class Finish:
    """Let the resource go: remove the finalizer."""


Action = (
    NoOp
    | Wait
    | Stall
    | Conflict
    | Prepare
    | GetMapping
    | SearchByFunction
    | ListTags
    | TakeUp
    | Create
    | Update
    | Tag
    | Adopt
    | Replace
    | Discard
    | Delete
    | Release
    | Finish
)

#: What ends the work on a resource for now, whatever comes of it.
Rest = NoOp | Wait | Stall | Conflict
#: What changes something at AWS.
WRITES = (Create, Update, Tag, Adopt, Replace, Discard, Delete, Release)
