"""The planner: what is to be done for one resource, given what is desired and what is observed.

Pure: no clock, no input or output, no client. The reconciler asks it again after each action it has
carried out, until nothing is left but to wait. The order of the cases, first match wins:

| resource | mapping | what follows |
|---|---|---|
| going, nothing made | none | Finish |
| going, Retain | ours | Release, then Finish |
| going | unseen | Look / Wait for the sweep |
| going | ours, tags unseen | LookTags |
| going | ours, its uuid not noted | TakeUp |
| going | ours, in transition | Wait |
| going | ours | Delete, then Finish when it is gone |
| going | another's or nobody's | Finish: never delete what is not ours |
| invalid | any | Stall |
| Observe | any | NoOp: only tell |
| no finalizer or intent | any | Prepare |
| live | unseen | Look / Wait for the sweep |
| live | none | Create |
| live | not ours | Adopt where the policy says so, else Conflict |
| live | in transition | Wait |
| live, immutable field differs from what was applied | ours | Replace (Recreate) or Stall (Never) |
| live, fields differ | ours | Update |
| live, tags differ | ours | Tag |
| live | as desired | NoOp |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from esm_operator.api import values
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, Field
from esm_operator.api.identity import Identity
from esm_operator.api.sources import SourceType
from esm_operator.api.values import Canonical
from esm_operator.ownership import OWNER_TAGS, Owner, Ownership, owner_of, ownership

TRANSITIONS = frozenset({"Creating", "Enabling", "Disabling", "Updating", "Deleting"})


@dataclass(frozen=True, slots=True)
class Adoption:
    """``spec.adoption``."""

    policy: str = "Never"
    uuid: str = ""
    take_over_from: str = ""


@dataclass(frozen=True, slots=True)
class Desired:
    """What a resource asks for, and what the operator noted on it."""

    owner: Owner
    identity: Identity
    """The identity that the spec asks for now."""
    intended: Identity | None
    """The identity that the intent names: where a mapping may stand that a crash left without a note."""
    source: SourceType | None
    values: Mapping[str, Canonical]
    tags: Mapping[str, str]
    """Default tags, the spec's and the owner's; the spec's win over default ones."""
    deleting: bool = False
    prepared: bool = False
    """Whether finalizer and intent stand on the resource."""
    intent_current: bool = False
    """Whether the intent names the identity and the fields that a Create would send now."""
    finalizer: bool = False
    uuid: str = ""
    applied_fields: frozenset[str] = frozenset()
    applied_tags: frozenset[str] = frozenset()
    applied_immutable: Mapping[str, str] = field(default_factory=dict[str, str])
    known_tags: Mapping[str, str] | None = None
    """Tags written last, by the status; to notice an edit without asking AWS."""
    edited: bool = False
    """Whether the spec is another than the one that the status speaks of."""
    was_in_sync: bool = False
    """Whether AWS had all of this very spec before: what differs now was changed by somebody else."""
    problem: str = ""
    """What makes the spec impossible to carry out, as a sentence with its remedy."""
    problem_reason: str = "InvalidSpec"
    retain: bool = False
    observe_only: bool = False
    recreate: bool = False
    adoption: Adoption = field(default_factory=Adoption)


@dataclass(frozen=True, slots=True)
class Observed:
    """A mapping as AWS told of it last."""

    uuid: str
    state: str
    values: Mapping[str, Canonical]
    tags: Mapping[str, str] | None = None
    """None: not seen in this process's life."""
    filters_hidden: bool = False
    """FilterCriteria is encrypted: List answers null for it, which is no drift."""

    @property
    def in_transition(self) -> bool:
        return self.state in TRANSITIONS


@dataclass(frozen=True, slots=True)
class View:
    """What the inventory can say about one resource's mapping."""

    swept: bool
    """Whether a sweep of the target is complete; before that absence means nothing."""
    mapping: Observed | None = None
    """The mapping with the uuid that the resource (or its adoption) names."""
    gone: bool = False
    """AWS itself has said that there is no mapping with that uuid."""
    candidates: tuple[Observed, ...] = ()
    """Mappings with the identity that the spec asks for: ours, or in the way."""
    intended: tuple[Observed, ...] = ()
    """Mappings with the identity of the intent, where that is another: ours, or nothing to us."""


# What follows from a plan. Each is carried out by the reconciler.


@dataclass(frozen=True, slots=True)
class NoOp:
    """AWS has what the spec says."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done until the observation changes."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing can be done until a person does something."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A mapping that is not ours is in the way."""

    uuid: str
    message: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Write finalizer and intent to the resource."""


@dataclass(frozen=True, slots=True)
class Look:
    """Get one mapping from AWS."""

    uuid: str


@dataclass(frozen=True, slots=True)
class LookTags:
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


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over a mapping that exists: tag it as ours, note its uuid."""

    uuid: str
    previous: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Delete the mapping, so that it is created again with other immutable fields."""

    uuid: str
    fields: tuple[str, ...]


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
    | Look
    | LookTags
    | TakeUp
    | Create
    | Update
    | Tag
    | Adopt
    | Replace
    | Delete
    | Release
    | Finish
)

SWEEPING = Wait(
    "WaitingForSweep",
    "Waiting for the first list of the mappings of this account and region, so that none is made twice.",
)
NOT_FOUND = Wait(
    "NotFound",
    "managementPolicy is Observe and there is no such mapping at AWS. It is shown as soon as there is one.",
)


def plan(desired: Desired, view: View) -> Action:
    """The one thing to do next."""
    return _plan_going(desired, view) if desired.deleting else _plan_live(desired, view)


def _plan_going(desired: Desired, view: View) -> Action:
    if not desired.finalizer:
        return NoOp()
    if desired.observe_only or not (desired.prepared or desired.uuid):
        return Finish()
    found = _find(desired, view)
    if isinstance(found, Look | LookTags | Wait):
        return found
    if found is None or ownership(desired.owner, found.tags) in (Ownership.FOREIGN, Ownership.NOBODYS):
        return Finish()
    if found.tags is None and (desired.retain or not found.in_transition):
        return LookTags(found.uuid)
    if desired.uuid != found.uuid:
        return TakeUp(found.uuid)  # else it is not waited for: what is being deleted is no candidate
    if desired.retain:
        return Release(found.uuid, OWNER_TAGS)
    if found.in_transition:
        return Wait("Deleting", _transition(found, "it is deleted" if found.state != "Deleting" else ""))
    return Delete(found.uuid)


def _plan_live(desired: Desired, view: View) -> Action:
    if desired.problem:
        return Stall(desired.problem_reason, desired.problem)
    if desired.observe_only:
        return _plan_observed(desired, view)
    if not desired.prepared:
        return Prepare()
    found = _find(desired, view)
    if isinstance(found, Look | LookTags | Wait):
        return found
    if found is None:
        return _plan_missing(desired, view)
    whose = ownership(desired.owner, found.tags)
    if whose in (Ownership.FOREIGN, Ownership.NOBODYS):
        return _plan_other(desired, found)
    if desired.uuid != found.uuid:
        return TakeUp(found.uuid)
    return _plan_ours(desired, found)


def _plan_observed(desired: Desired, view: View) -> Action:
    mapping = view.mapping or (view.candidates[0] if len(view.candidates) == 1 else None)
    if mapping is not None:
        return NoOp()
    if not view.swept:
        return SWEEPING
    return NOT_FOUND


def _find(desired: Desired, view: View) -> Observed | Look | LookTags | Wait | None:
    """The mapping of this resource: by its uuid, else by identity and owner tags; else the one in its way."""
    if desired.uuid:
        if view.mapping is not None:
            if ownership(desired.owner, view.mapping.tags) in (Ownership.OURS, Ownership.UNKNOWN):
                return view.mapping
        elif not view.gone:
            return Look(desired.uuid) if view.swept or desired.edited or desired.deleting else SWEEPING
    if not view.swept:
        return SWEEPING
    candidates = view.candidates
    if desired.adoption.uuid and not desired.uuid and not desired.deleting:
        if view.mapping is None and not view.gone:
            return Look(desired.adoption.uuid)
        candidates = (view.mapping,) if view.mapping is not None else ()
    for candidate in (*view.intended, *candidates):
        if candidate.tags is None:
            return LookTags(candidate.uuid)
        if ownership(desired.owner, candidate.tags) is Ownership.OURS:
            return candidate
    return candidates[0] if candidates else None


def _plan_missing(desired: Desired, view: View) -> Action:
    if desired.adoption.policy == "Required" and not desired.uuid:
        named = f"with uuid {desired.adoption.uuid} " if desired.adoption.uuid else ""
        return Stall(
            "NothingToAdopt",
            f"adoption.policy is Required and there is no mapping {named}to adopt. Create it, correct "
            "spec.adoption.uuid, or set spec.adoption.policy to IfExists.",
        )
    if not desired.intent_current:
        return Prepare()
    return Create(again=bool(desired.uuid) and not immutable_changes(desired))


def _plan_other(desired: Desired, found: Observed) -> Action:
    other = owner_of(found.tags or {})
    adoption = desired.adoption
    if other is None and adoption.policy in ("IfExists", "Required"):
        return Adopt(found.uuid, "nobody")
    if other is not None and adoption.uuid == found.uuid and adoption.take_over_from == str(other):
        return Adopt(found.uuid, str(other))
    if other is None:
        message = (
            f"The mapping {found.uuid} of this function and source exists and belongs to no resource. To take it "
            "over, set spec.adoption.policy to IfExists; else delete it at AWS."
        )
    else:
        message = (
            f"The mapping {found.uuid} of this function and source belongs to {other} (cluster/namespace/name). "
            f"To take it over, set spec.adoption to {{policy: IfExists, uuid: {found.uuid}, "
            f"takeOverFrom: {other}}}; else delete one of the two resources."
        )
    return Conflict(found.uuid, message)


def _plan_ours(desired: Desired, found: Observed) -> Action:
    if found.in_transition:
        return Wait(found.state, _transition(found, ""))
    immutable = immutable_changes(desired)
    change, reset, old = differences(desired, found)
    writes = bool(immutable or change or reset)
    if (writes or _tags_edited(desired)) and found.tags is None:
        return LookTags(found.uuid)
    if immutable:
        if not desired.recreate:
            return Stall(
                "ImmutableDiffers",
                f"AWS can't change {_list(immutable)} of a mapping. Set it back, or set spec.replacePolicy to "
                "Recreate to have the mapping deleted and created again.",
            )
        return Replace(found.uuid, immutable)
    if change or reset:
        return Update(found.uuid, change, reset, old, drift=desired.was_in_sync)
    if found.tags is not None:
        add, remove = tag_changes(desired, found.tags)
        if add or remove:
            return Tag(found.uuid, add, remove)
    return NoOp()


def immutable_changes(desired: Desired) -> tuple[str, ...]:
    """The immutable fields that differ from what this resource itself has applied."""
    if not desired.applied_immutable:
        return ()
    wanted = immutable_texts(desired.values)
    paths = set(wanted) | set(desired.applied_immutable)
    return tuple(sorted(path for path in paths if wanted.get(path) != desired.applied_immutable.get(path)))


def immutable_texts(wanted: Mapping[str, Canonical]) -> dict[str, str]:
    """The immutable fields and their values as text, the way ``status.applied.immutable`` keeps them."""
    texts = {row.path: values.text(wanted[row.path]) for row in FIELDS if row.immutable and row.path in wanted}
    fixed, _ = _split_access(wanted.get("sourceAccessConfigurations"))
    return texts | {f"sourceAccessConfigurations[{kind}]": uri for kind, uri in fixed}


def differences(desired: Desired, found: Observed) -> tuple[dict[str, Canonical], frozenset[str], dict[str, Canonical]]:
    """The fields to set, the fields to reset, and what AWS has for them now.

    A field that is neither in the spec nor applied is AWS's own business.
    """
    change: dict[str, Canonical] = {}
    reset: set[str] = set()
    old: dict[str, Canonical] = {}
    queue_mode = desired.values.get("selfManagedKafkaEventSourceConfig.consumptionMode") == "Queue"
    for row in FIELDS:
        if row.immutable or (row.path == "filterCriteria" and found.filters_hidden):
            continue
        observed = found.values.get(row.path)
        wanted = desired.values.get(row.path)
        if wanted is not None:
            if not same(row, wanted, observed):
                change[row.path] = wanted
                old[row.path] = observed
        elif row.path in desired.applied_fields and desired.source not in row.unresettable:
            default = row.default(desired.source, queue_mode=queue_mode) if desired.source else None
            if row.path == "enabled" and observed is None:
                continue
            if not values.equal(default, observed) and not _struct_gone(row, found):
                reset.add(row.path)
                old[row.path] = observed
    return change, frozenset(reset), old


def same(row: Field, wanted: Canonical, observed: Canonical) -> bool:
    """Whether AWS has what the spec says for one field."""
    if observed is None:
        return bool(wanted is False) or (row.path == "enabled")
    if row.path == "sourceAccessConfigurations":
        return _split_access(wanted)[1] == _split_access(observed)[1]
    return values.equal(wanted, observed)


def _split_access(entries: Canonical) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Access configurations that never change, and the others."""
    fixed = [entry for entry in entries or () if entry[0] in IMMUTABLE_ACCESS_TYPES]
    return fixed, [entry for entry in entries or () if entry[0] not in IMMUTABLE_ACCESS_TYPES]


def unresettable(desired: Desired) -> tuple[str, ...]:
    """Fields that were removed from the spec and that AWS can't put back."""
    return tuple(
        sorted(
            path
            for path in desired.applied_fields
            if path in BY_PATH and path not in desired.values and desired.source in BY_PATH[path].unresettable
        )
    )


def _struct_gone(row: Field, found: Observed) -> bool:
    """Whether AWS has nothing of a structure, so that a part of it needs no reset."""
    return len(row.member) > 1 and not any(other.top == row.top and other.path in found.values for other in FIELDS)


def tag_changes(desired: Desired, tags: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """The tags to set and the keys to take off; tags that others put there stay."""
    add = {key: value for key, value in desired.tags.items() if tags.get(key) != value}
    remove = frozenset(key for key in desired.applied_tags if key not in desired.tags and key in tags)
    return add, remove


def _tags_edited(desired: Desired) -> bool:
    known = desired.known_tags
    if known is None:
        return True
    add, remove = tag_changes(desired, known)
    return bool(add or remove)


def _transition(found: Observed, then: str) -> str:
    doing = f"AWS is at work on the mapping {found.uuid} (state {found.state})"
    return f"{doing}; {then} after that." if then else f"{doing}."


def _list(paths: tuple[str, ...]) -> str:
    return ", ".join(f"spec.{path}" for path in paths)


def describe(update: Update) -> str:
    """The fields of an update with their old and new values, for events and logs."""
    parts = [
        f"{path}: {values.text(update.old.get(path))} -> {values.text(value)}"
        for path, value in sorted(update.change.items())
    ]
    parts += [f"{path}: {values.text(update.old.get(path))} -> AWS's default" for path in sorted(update.reset)]
    return ", ".join(parts)
