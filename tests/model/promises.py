"""The promises of the operator, checked against the simulated AWS and cluster.

There are three kinds: promises about a request to AWS, checked when it is sent; promises that hold at every moment; and
promises that hold at the end, when all faults are over and nothing changes any more.

``excused`` are resources that users separated from their mapping: the finalizer was removed by hand, or the resource
was deleted with ``managementPolicy: Observe`` or with the annotation ``orphan``. The operator may leave their mappings
in AWS. Resources that look the same to the operator are excused too (``unseen_removals``).

Specs are compared with their effective values. Of a reference, that is the present value of its object. If the object
cannot be used, it is the value that ``status.references`` records.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from esm_operator.api.annotations import ORPHAN, PAUSED
from esm_operator.api.fields import FIELDS, at
from esm_operator.api.ignore_changes import IgnoredChanges
from esm_operator.api.recorded_status import is_by_aws
from esm_operator.api.resource import Key, Resource
from esm_operator.planning.ownership import OWNER_TAGS, Owner, owner_of
from tests.model.aws import REFUSED_WINDOW, WINDOW, Standing, default_batch, group_of, identity_of
from tests.model.calls import Call
from tests.model.cluster import is_deleting, key_of
from tests.model.objects import STANDS_FOR, effective, references_in
from tests.model.world import CLUSTER_NAME, World

_WINDOW_FIELD = "maximumBatchingWindowInSeconds"
_WRITES = (
    "update_event_source_mapping",
    "delete_event_source_mapping",
    "tag_resource",
    "untag_resource",
)


class BrokenPromiseError(AssertionError):
    """The operator has broken a promise."""


#: Seconds between the last read of a mapping and a request to create its replacement, at most.
_READ_BEFORE = 300.0


@dataclass
class _Left:
    """The values of a mapping that others may have set."""

    owner: tuple[str, str]
    """The resource (namespace/name) that the owner tags name, and its uid."""
    source: str
    ends: float | None = None
    """The time at which the operator asked to delete it to replace it; None: it has not."""
    ignored: frozenset[str] = frozenset()
    """The fields that were ignored then."""
    noted: list[tuple[float, Mapping[str, Any]]] = field(default_factory=list[tuple[float, Mapping[str, Any]]])
    """The values, and the times since which they have been noted."""

    def note(self, now: float, values: Mapping[str, Any]) -> None:
        """Note the present values. None: AWS set it, so it is not left to others."""
        if not self.noted or self.noted[-1][1] != values:
            self.noted.append((now, values))

    def values_since(self, name: str, now: float) -> list[Any]:
        """The values that a field may have had when the operator read the mapping. All, if AWS itself set one."""
        end = self.ends if self.ends is not None else now
        times = [time for time, _ in self.noted[1:]] + [math.inf]
        recent = [
            values[name] for (_, values), until in zip(self.noted, times, strict=True) if until > end - _READ_BEFORE
        ]
        return [True, False] if None in recent else recent


class Promises:
    """Checks the promises in one world."""

    #: Whether tags record the owners of mappings.
    owner_tags = True

    def __init__(self) -> None:
        self.world = World(self.sent, owner_tags=self.owner_tags)
        self.broken: list[str] = []
        self.excused: set[Key] = set()
        self.handled: set[Key] = set()
        """Resources whose mapping was changed by hand, adopted, or whose notes were lost: AWS may keep values
        that the spec does not name."""
        self.told = False
        self.held: set[Key] = set()
        """Resources that were paused already when all was quiet."""
        self._left: dict[str, _Left] = {}
        """What others may have set in the mappings that exist, or that the operator replaces, by UUID."""
        self.writes = 0
        """Requests to AWS that write, counted."""

    def fail(self, what: str) -> None:
        """Record a broken promise."""
        self.broken.append(what)
        self.world.log(f"BROKEN: {what}")

    # When a request is sent

    def sent(self, call: Call) -> None:
        """Check a write request to AWS when it is sent."""
        self.writes += 1
        self._note_left()
        if call.name == "create_event_source_mapping":
            self._create_sent(call)
            return
        self._check_values(call, self._sender(call))
        assert call.name in _WRITES, call
        uuid = call.what.get("UUID") or str(call.what["Resource"]).rpartition(":")[2]
        one = self.world.aws.standing.get(uuid)
        if one is None:
            return
        owner = owner_of(one.tags)
        resource = self._known(owner) if owner is not None and owner.cluster == CLUSTER_NAME else None
        if call.name == "tag_resource" and self._takes_over(call, one, owner):
            return
        self._check_held(call, owner)
        if call.name == "untag_resource" and not set(call.what["TagKeys"]) & one.tags.keys():
            return
        if owner is None or owner.cluster != CLUSTER_NAME:
            self.fail(f"{call} changes a mapping of {owner or 'nobody'}")
            return
        if resource is None:
            self.fail(f"{call} changes a mapping of {owner}, of which nothing is known")
            return
        self._check_asked(call, one, resource)
        self._check_ignored(call, one, resource)
        left = self._left.get(uuid)
        if call.name == "delete_event_source_mapping" and left is not None and left.ends is None:
            left.ends, left.ignored = self.world.clock.now, resource.spec.ignored.fields

    def quiet(self) -> None:
        """No request is in progress. From now on, no request for a paused resource is allowed."""
        if not self.world.waiting and not self.world.cluster.watch:
            bodies = self.world.cluster.mappings
            self.held = {key for key, body in bodies.items() if PAUSED in (body["metadata"].get("annotations") or {})}

    def _check_held(self, call: Call, owner: Owner | None) -> None:
        if owner is not None and owner.cluster == CLUSTER_NAME and Key(owner.namespace, owner.name) in self.held:
            self.fail(f"{call} though the resource is paused")

    def _create_sent(self, call: Call) -> None:
        owner = self.maker(call)
        self._check_held(call, owner)
        resource = self._known(owner) if owner is not None else None
        self._check_values(call, resource)
        if resource is not None and resource.uuid in self._left:
            self._check_left(call, resource, self._left[resource.uuid])
        if resource is None:
            self.fail(f"{call} for no resource")
        elif resource.deleting or resource.packed_spec.get("managementPolicy") == "Observe":
            self.fail(f"{call} for a resource that does not ask for it")
        elif (resource.packed_spec.get("adoption") or {}).get("policy") == "Required" and not resource.uuid:
            self.fail(f"{call} though adoption.policy is Required")

    def _sender(self, call: Call) -> Resource | None:
        """The resource whose reconcile sends a request."""
        process, key = self.world.process, Key(*call.task.removeprefix("work on ").partition("/")[::2])
        return process.knows(key) if process is not None else None

    def _check_values(self, call: Call, resource: Resource | None) -> None:
        """The operator acts on no value that the object of a reference has never had."""
        if resource is None or resource.deleting:
            return
        spec = resource.packed_spec.unpacked
        for name, reference in references_in(spec).items():
            value = "".join(spec.get(STANDS_FOR[name], ""))
            if not self.world.cluster.objects.has_had(reference, value):
                self.fail(f'{call} although {name} never had the value "{value}"')

    def maker(self, call: Call) -> Owner | None:
        """The owner of the mapping that a Create makes."""
        return owner_of(call.what["Tags"])

    def _check_asked(self, call: Call, one: Standing, resource: Resource) -> None:
        spec = resource.packed_spec
        if spec.get("managementPolicy") == "Observe":
            self.fail(f"{call} though managementPolicy is Observe")
        if call.name != "delete_event_source_mapping":
            return
        if resource.deleting:
            if spec.get("deletionPolicy") == "Retain":
                self.fail(f"{call} though deletionPolicy is Retain")
            return
        if resource.uuid and resource.uuid != one.uuid:
            return  # one too many
        other = one.identity[1:] != identity_of(spec)[1:] or one.group != _group(spec, one)
        if "startingPosition" not in resource.spec.ignored.fields:
            other = other or one.position != spec.get("startingPosition", "")
        if not other or spec.get("replacePolicy") != "Recreate":
            self.fail(f"{call} of a resource that lives and does not ask for it")

    def _check_ignored(self, call: Call, one: Standing, resource: Resource) -> None:
        """The operator sends nothing that ignoreChanges names, except the same value as a part of a structure."""
        ignored = resource.spec.ignored
        has = one.answer()
        sent = {
            row.path
            for row in FIELDS
            if row.path in ignored.fields and row.top in call.what
            if len(row.member) == 1 or at(call.what, row.member) != at(has, row.member)
        }
        if call.name == "update_event_source_mapping" and sent:
            self.fail(f"{call} changes {sent}, which ignoreChanges names")
        keys = {*(call.what.get("Tags") or {}), *call.what.get("TagKeys", ())}
        if any(map(ignored.has_tag, keys)):
            self.fail(f"{call} changes tags that ignoreChanges names")

    def _check_left(self, call: Call, resource: Resource, left: "_Left") -> None:
        """A mapping that replaces another one gets the values of ignored fields that others have set in the former.

        The operator may have read them some time before.
        """
        if left.owner != (str(resource.key), resource.uid) or left.source.split(":")[2] != _service(call):
            return
        asked = call.what
        sent: dict[str, Any] = {
            "batchSize": asked.get("BatchSize", default_batch(asked["EventSourceArn"])),
            _WINDOW_FIELD: asked.get(WINDOW, 0),
            "enabled": asked.get("Enabled", True),
        }
        ignored = resource.spec.ignored.fields & (left.ignored if left.ends is not None else sent.keys())
        for name in sent.keys() & ignored:
            values = left.values_since(name, self.world.clock.now)
            if sent[name] not in values:
                self.fail(f"{call} has the {name} {sent[name]}, though others have left {values}")

    def forget_left(self) -> None:
        """Forget the values of others, because users removed the notes of the operator."""
        self._left.clear()

    def _note_left(self) -> None:
        """Note the values that mappings have."""
        for uuid, one in self.world.aws.standing.items():
            owner = owner_of(one.tags)
            if owner is None:
                self._left.pop(uuid, None)
                continue
            named = (f"{owner.namespace}/{owner.name}", owner.uid)
            left = self._left.get(uuid)
            if left is None or left.owner != named:
                left = self._left[uuid] = _Left(named, one.source)
            if left.ends is None:
                enabled = None if is_by_aws(one.reason) else one.enabled
                values = {"batchSize": one.config["BatchSize"], _WINDOW_FIELD: one.config[WINDOW], "enabled": enabled}
                left.note(self.world.clock.now, values)
        for uuid in [uuid for uuid, left in self._left.items() if left.ends is None]:
            if uuid not in self.world.aws.standing:
                del self._left[uuid]  # others deleted it, and nobody knows its last values

    def _takes_over(self, call: Call, one: Standing, owner: Owner | None) -> bool:
        """Check tags that change the owner of a mapping. Returns whether they change it."""
        taker = owner_of(call.what["Tags"])
        if taker is None or (owner is not None and str(taker) == str(owner)):
            return False
        self._check_held(call, taker)
        resource = self._known(taker)
        adoption = (resource.packed_spec.get("adoption") or {}) if resource is not None else {}
        if resource is None or resource.deleting:
            self.fail(f"{call} takes over a mapping for no resource that lives")
        elif owner is None and (
            adoption.get("policy") not in ("IfExists", "Required") or adoption.get("uuid") not in (None, one.uuid)
        ):
            self.fail(f"{call} takes over nobody's mapping, which the spec does not allow")
        elif owner is not None and not _names(adoption, one, owner):
            self.fail(f"{call} takes over a mapping of {owner}, which the spec does not allow")
        elif owner is not None and owner.namespace != taker.namespace:
            giver = self._known(owner)
            if giver is None or Key(taker.namespace, taker.name) not in giver.consents_to:
                self.fail(f"{call} takes over a mapping of {owner} without consent")
        if owner is not None and owner.cluster != CLUSTER_NAME:
            self.fail(f"{call} takes over a mapping of {owner}, whose cluster the settings do not name")
        if resource is not None:
            self._check_ignored(call, one, resource)
        self.handled.add(Key(taker.namespace, taker.name))
        return True

    def _known(self, owner: Owner) -> Resource | None:
        process = self.world.process
        return process.knows(Key(owner.namespace, owner.name)) if process is not None else None

    # At every moment

    def check(self) -> None:
        """Check the promises that hold at every moment. Raises BrokenPromiseError."""
        self._note_left()
        process = self.world.process
        for failure in (*self.world.bugs, *(process.loop.failures if process is not None else ())):
            self.fail(f"The operator failed: {failure}")
        self.excused |= self.world.cluster.unseen_removals
        for body in self.world.cluster.releases:
            self.check_release(body)
        self.world.cluster.releases.clear()
        for key, mappings in self.owned().items():
            self._check_doubles(key, [one for one in mappings if one.state != "Deleting"])
        if self.broken:
            raise BrokenPromiseError("; ".join(self.broken))

    def check_release(self, body: Mapping[str, Any]) -> None:
        key, spec = key_of(body), body["spec"]
        if spec.get("managementPolicy") == "Observe" or ORPHAN in (body["metadata"].get("annotations") or {}):
            self.excused.add(key)
        if key in self.excused:
            return
        for one in self.owned().get(key, ()):
            self.fail(f"{key} was let go while its mapping {one.uuid} exists ({one.state})")

    def _check_doubles(self, key: Key, mappings: list[Standing]) -> None:
        if len(mappings) < 2 or key in self.excused:
            return
        body = self.world.cluster.mappings.get(key)
        replaces = body is not None and body["spec"].get("replacePolicy") == "Recreate"
        if not replaces or len({one.identity[1:] for one in mappings}) < 2:
            self.fail(f"{key} has {len(mappings)} mappings: {', '.join(map(_described, mappings))}")

    def owned(self) -> dict[Key, list[Standing]]:
        """The mappings in AWS, by the resource of this cluster that their tags name."""
        found: dict[Key, list[Standing]] = {}
        for one in self.world.aws.standing.values():
            owner = owner_of(one.tags)
            if owner is not None and owner.cluster == CLUSTER_NAME:
                found.setdefault(Key(owner.namespace, owner.name), []).append(one)
        return found

    # At the end

    def missing(self) -> list[str]:
        """The promises of the end that do not hold yet."""
        owned = self.owned()
        bodies = self.world.cluster.mappings
        found = [
            f"{key} is gone, its mapping is not: {_described(one)}"
            for key, mappings in owned.items()
            if key not in bodies and key not in self.excused
            for one in mappings
        ]
        for key, body in bodies.items():
            if is_deleting(body):
                found.append(f"{key} is not gone: {_ready(body)}")
            elif body["spec"].get("managementPolicy") != "Observe":
                found += [f"{key}: {what}" for what in self._missing_of(key, body, owned.get(key, []))]
        return found

    def _missing_of(self, key: Key, body: Mapping[str, Any], mappings: list[Standing]) -> Iterator[str]:
        spec, status = self.effective(body), body["status"]
        ready = _ready(body)
        if status.get("observedGeneration") != body["metadata"]["generation"]:
            yield f"the status speaks of another spec ({ready})"
        yield from self._differences_of_references(body)
        if references_in(spec).keys() - self._values(body).keys():
            if not str(ready.get("reason")).startswith("Reference"):
                yield f"a reference has no value, which its status does not show: {ready}"
            if len(mappings) > 1 and key not in self.excused:
                yield f"it has {len(mappings)} mappings"
            return
        if self._in_its_way(key, spec):
            if ready.get("status") != "False":
                yield f"a mapping is in its way, which its status does not show: {ready}"
            if len(mappings) > 1 and key not in self.excused:
                yield f"it has {len(mappings)} mappings"
            return
        asked = identity_of(spec)
        # A separated mapping of an earlier resource of this name does not matter if its identity differs.
        to_adopt = [
            one
            for one in mappings
            if key not in self.excused or one.identity == asked or one.uuid == status.get("uuid")
        ]
        if not to_adopt and (spec.get("adoption") or {}).get("policy") == "Required":
            if ready.get("reason") != "NothingToAdopt":
                yield f"there is nothing to adopt, which its status does not show: {ready}"
            return
        if ready.get("reason") == "AdoptedMappingDiffers":
            if key not in self.handled | self.excused or not _replaced(spec, mappings):
                yield f"its status shows without need that it was adopted with other values: {ready}"
            return
        if ready.get("reason") == "ImmutableFieldChanged":
            if (spec.get("adoption") or {}).get("policy") != "Required" or not _replaced(spec, mappings):
                yield f"its status shows without need that something can't be changed: {ready}"
            return
        mine = [one for one in mappings if one.uuid == status.get("uuid")]
        if len(mine) != 1 or (len(mappings) != 1 and key not in self.excused):
            described = ", ".join(map(_described, mappings)) or "none"
            yield f"its mappings: {described}; status.uuid: {status.get('uuid')} ({ready})"
            return
        yield from self._differences(key, body, spec, mine[0])
        if _is_refused(spec, mine[0]):
            if ready.get("reason") != "RefusedByAWS":
                yield f"AWS refuses a field, which its status does not show: {ready}"
        elif _is_disabled_by_aws(spec, mine[0]):
            if ready.get("reason") != "DisabledInAWS":
                yield f"AWS has disabled it, which its status does not show: {ready}"
        elif ready.get("status") != "True":
            yield f"it is not ready: {ready}"

    def _in_its_way(self, key: Key, spec: Mapping[str, Any]) -> bool:
        """Whether a mapping of another owner has its identity or consumer group, or is the one to adopt."""
        wanted, group = identity_of(spec), group_of(spec)
        named = (spec.get("adoption") or {}).get("uuid")
        mine = self.owned().get(key, [])
        if (
            key in self.excused
        ):  # a separated mapping of an earlier resource of this name may be in the group, and stays there
            uuid = self.world.cluster.mappings[key]["status"].get("uuid")
            mine = [one for one in mine if one.identity == wanted or one.uuid == uuid]
        in_the_way = [
            one
            for one in self.world.aws.standing.values()
            if (one.identity == wanted or (group and one.group == group)) and one not in mine
        ]
        named_others = [one for one in self.world.aws.standing.values() if one.uuid == named and one not in mine]
        return bool(in_the_way) or (bool(named_others) and not mine)

    def effective(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The spec of a resource with the values of its references."""
        return effective(body["spec"], self._values(body))

    def _values(self, body: Mapping[str, Any]) -> dict[str, str]:
        """The values of the references of a resource that have one, by the names of the references."""
        values: dict[str, str] = {}
        for name, reference in references_in(body["spec"]).items():
            present = self.world.cluster.objects.value_of(reference, body["metadata"]["namespace"])
            value = present or _recorded(body, name, reference)
            if value:
                values[name] = value
        return values

    def _differences_of_references(self, body: Mapping[str, Any]) -> Iterator[str]:
        """What the status shows of references."""
        references, recorded = references_in(body["spec"]), body["status"].get("references") or []
        values, namespace = self._values(body), body["metadata"]["namespace"]
        shown = {one["field"]: one["value"] for one in recorded}
        if shown != values:
            yield f"status.references has {shown}, not {values}"
        conditions: Iterable[Mapping[str, Any]] = body["status"].get("conditions") or ()
        resolved = next((one["status"] for one in conditions if one["type"] == "ReferencesResolved"), "")
        objects = self.world.cluster.objects
        wanted = str(all(objects.value_of(one, namespace) for one in references.values())) if references else ""
        if resolved != wanted:
            yield f"ReferencesResolved is {resolved or 'absent'}, not {wanted or 'absent'}"

    def _differences(self, key: Key, body: Mapping[str, Any], spec: Mapping[str, Any], one: Standing) -> Iterator[str]:
        handled = key in self.handled or key in self.excused
        ignored = _ignored(spec)
        wanted: dict[str, tuple[Any, Any]] = {
            "functionName": (spec["functionName"], one.function),
            "eventSourceARN": (spec["eventSourceARN"], one.source),
        }
        if not handled:
            wanted["startingPosition"] = (spec.get("startingPosition", ""), one.position)
            wanted["topics"] = (identity_of(spec)[2], one.topic)
            wanted["consumerGroupID"] = (_group(spec, one), one.group)
        if "enabled" in spec or not handled:
            wanted["enabled"] = (spec.get("enabled", True), one.enabled)
        if "batchSize" in spec or not handled:
            wanted["batchSize"] = (spec.get("batchSize", default_batch(one.source)), one.config["BatchSize"])
        for name, (asked, has) in wanted.items():
            if asked != has and name not in ignored.fields:
                yield f"{name} is {has}, not {asked}"
        window, window_ignored = spec.get(_WINDOW_FIELD), _WINDOW_FIELD in ignored.fields
        if window not in (None, REFUSED_WINDOW, one.config[WINDOW]) and not window_ignored:
            yield f"maximumBatchingWindowInSeconds is {one.config[WINDOW]}, not {window}"
        kept = (body["status"].get("applied") or {}).get("kept", {})
        loose = handled or window_ignored or _WINDOW_FIELD in kept
        if window is None and one.config[WINDOW] and not loose:
            yield f"AWS keeps a batching window of {one.config[WINDOW]} s, and its status does not show it"
        owner = Owner(CLUSTER_NAME, key.namespace, key.name, body["metadata"]["uid"])
        if not self.owner_tags:
            return
        tags = {**(spec.get("tags") or {}), **owner.tags()}
        tags = {name: value for name, value in tags.items() if not ignored.has_tag(name)}
        has_tags = {name: value for name, value in one.tags.items() if not handled or name in tags}
        has_tags = {name: value for name, value in has_tags.items() if not ignored.has_tag(name)}
        if has_tags != tags:
            yield f"tags are {has_tags}, not {tags}"

    def is_refused(self) -> bool:
        """Whether AWS refuses a field of a resource. The operator sends the field again from time to time."""
        return any(_ready(body).get("reason") == "RefusedByAWS" for body in self.world.cluster.mappings.values())


def _service(call: Call) -> str:
    """The service of the source that a Create names."""
    return str(call.what["EventSourceArn"]).split(":")[2]


def _recorded(body: Mapping[str, Any], name: str, reference: Mapping[str, Any]) -> str:
    """The value that the status records for a reference; empty: none."""
    recorded: Iterable[Mapping[str, str]] = body["status"].get("references") or ()
    return next(
        (one["value"] for one in recorded if {**one, "value": ""} == {**reference, "field": name, "value": ""}), ""
    )


def _ignored(spec: Mapping[str, Any]) -> IgnoredChanges:
    return IgnoredChanges.parse(spec.get("ignoreChanges") or ())


def _is_disabled_by_aws(spec: Mapping[str, Any], one: Standing) -> bool:
    """Whether AWS itself has disabled a mapping that the operator does not enable."""
    left = "enabled" not in spec or "enabled" in _ignored(spec).fields
    return left and not one.enabled and is_by_aws(one.reason)


def _is_refused(spec: Mapping[str, Any], one: Standing) -> bool:
    """Whether AWS refuses the spec."""
    ignored = _WINDOW_FIELD in _ignored(spec).fields
    return not ignored and spec.get(_WINDOW_FIELD) == REFUSED_WINDOW != one.config[WINDOW]


def _replaced(spec: Mapping[str, Any], mappings: Iterable[Standing]) -> bool:
    """Whether the spec needs another mapping, because it changes immutable fields."""
    wanted = (*identity_of(spec)[1:], spec.get("startingPosition", ""))
    return any((*one.identity[1:], one.position) != wanted or one.group != _group(spec, one) for one in mappings)


def _group(spec: Mapping[str, Any], one: Standing) -> str:
    """The consumer group that a mapping needs. AWS generates one if the spec names none."""
    return group_of(spec) or (one.uuid if one.topic else "")


def _ready(body: Mapping[str, Any]) -> dict[str, Any]:
    conditions: Iterable[Mapping[str, Any]] = body["status"].get("conditions") or ()
    found = next((one for one in conditions if one["type"] == "Ready"), {})
    return {name: found[name] for name in ("status", "reason", "message") if name in found}


def _described(one: Standing) -> str:
    owner = " ".join(value for key, value in sorted(one.tags.items()) if key in OWNER_TAGS)
    return f"{one.uuid[:8]} {one.function} {one.source.split(':')[2]} {one.state} [{owner}]"


def _names(adoption: Mapping[str, Any], one: Standing, owner: Owner) -> bool:
    """Whether ``spec.adoption`` names the owner of a mapping, and no other mapping."""
    named = adoption.get("takeOverFrom") in (str(owner), f"{owner.namespace}/{owner.name}")
    return named and adoption.get("uuid") in (None, one.uuid)
