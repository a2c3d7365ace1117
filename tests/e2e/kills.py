"""Stages: beds whose operator can be killed at a boundary, and the expected result.

Several stages run at the same time. Each has its own namespace, its own account in AWS and an operator for only these.
A scenario runs on a stage many times, each time with a new resource. The resources of earlier runs remain, so that
tests notice if the operator changes mappings of other resources. ``test_kills``, ``test_random_kills`` and
``test_races`` use this module.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bed import FINALIZER, Bed, is_ready
from tests.boundaries import MAIN, Watch
from tests.operator_process import OperatorProcess
from tests.waiting import LIMIT, eventually

Spec = dict[str, Any]
REGION = "eu-west-1"
SWEEP = "ListEventSourceMappings"
OWNER = "esm-operator.io/"
#: The account of the model mappings, with which mappings are compared.
MODEL_ACCOUNT = "999999999999"
_OWN_TO_EACH = ("UUID", "EventSourceMappingArn", "LastModified", "Tags", "account")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The expected result. ``{name}`` in texts is the name of the resource."""

    mapping: Mapping[str, Any] | None
    """The mapping, as the members of a Create. Other members have AWS's defaults. None: there is no mapping."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Its tags, in addition to the owner tags."""
    others_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of other tools."""
    applied: frozenset[str] = frozenset()
    """``status.applied.fields``, without the function and the source."""
    ignored: Mapping[str, str] = field(default_factory=dict[str, str])
    """``status.applied.ignored``."""
    same: bool | None = None
    """Whether it is the mapping that existed before. None: both are allowed."""
    immutable: Mapping[str, str] = field(default_factory=dict[str, str])
    """``status.applied.immutable``, without the source ARN and the starting position."""
    alone: bool = False
    """The resource no longer exists, so the mapping has no owner."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A bed, its operator, and the boundaries at which it can be killed."""

    bed: Bed
    operator: OperatorProcess
    watch: Watch

    def mappings(self) -> dict[str, dict[str, Any]]:
        """All mappings of the account, by UUID."""
        return {one["UUID"]: one for one in self.bed.mappings()}

    def mappings_of(self, name: str) -> dict[str, dict[str, Any]]:
        """The mappings of a resource's functions, whose names are its name, or begin with its name and a dash."""
        return {key: one for key, one in self.mappings().items() if _is_of(name, one)}

    def creations(self, name: str) -> int:
        """The number of mappings that AWS created for a resource's functions."""
        return sum(
            _names_function(name, str(one["members"].get("FunctionName", ""))) and one["status"] == 202
            for one in self.bed.log("CreateEventSourceMapping")
        )

    def start(self) -> None:
        """Start the operator for the first time, and wait until it has seen all mappings of the account."""
        self.operator.start()
        eventually(lambda: self.bed.log(SWEEP), "the account is swept")

    def problems(self, name: str, wanted: Wanted, before: frozenset[str]) -> list[str]:
        """The differences from the expected result.

        Args:
            name: the resource.
            wanted: the expected result.
            before: UUIDs of the mappings that existed before the edit.
        """
        resource = self.bed.get(name)
        expected = wanted.mapping is not None and not wanted.alone
        if expected and not is_ready(resource):  # most checks end here, with one request each
            return [f"{name} is not ready"]
        found = self.mappings_of(name)
        model = self.model(name, wanted.mapping) if wanted.mapping is not None and found else {}
        return problems(name, self.bed.namespace, resource, found, wanted, model, before)

    def model(self, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The mapping as AWS shows it immediately after a Create with these members."""
        members = named(wanted, name)
        made = self.bed.control.make_mapping(account=MODEL_ACCOUNT, region=REGION, **members)
        self.bed.control.delete_mapping(made["UUID"])
        return comparable(made)

    def shown(self, name: str) -> str:
        """The resource, its mappings and the log of the operator, for the report of a failing test."""
        return (
            f"Resource: {json.dumps(self.bed.get(name), indent=1)}\n"
            f"Mappings: {json.dumps(list(self.mappings_of(name).values()), indent=1)}\n"
            f"The end of the operator's log:\n{self.operator.tail(80)}"
        )


def problems(
    name: str,
    namespace: str,
    resource: Mapping[str, Any] | None,
    found: Mapping[str, Mapping[str, Any]],
    wanted: Wanted,
    model: Mapping[str, Any],
    before: frozenset[str],
) -> list[str]:
    """The differences from the expected result.

    Args:
        name: the name of the resource.
        namespace: the namespace of the resource.
        resource: the resource. None: it does not exist.
        found: its mappings by UUID.
        wanted: the expected result.
        model: the expected mapping, from ``Stage.model``.
        before: UUIDs of the mappings that existed before.
    """
    expected = wanted.mapping is not None and not wanted.alone
    if (resource is not None) != expected:
        return ["the resource is gone" if expected else "the resource is still there"]
    if len(found) != (wanted.mapping is not None):
        return [f"there are {len(found)} mappings"]
    if wanted.mapping is None:
        return []
    (mapping,) = found.values()
    tags = {**wanted.tags, **wanted.others_tags}
    if resource is not None:
        tags |= {f"{OWNER}cluster": "default", f"{OWNER}namespace": namespace}
        tags |= {f"{OWNER}name": name, f"{OWNER}uid": resource["metadata"]["uid"]}
    told = list(_mapping_problems(mapping, model, tags))
    if wanted.same is not None and (mapping["UUID"] in before) != wanted.same:
        told.append("it is another mapping than before" if wanted.same else "it is the mapping from before")
    if resource is not None:
        told += _resource_problems(resource, mapping, wanted)
    return told


def _mapping_problems(mapping: Mapping[str, Any], model: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator[str]:
    have = comparable(mapping)
    for member in sorted(have.keys() | model.keys()):
        if have.get(member) != model.get(member):
            yield f"{member} is {have.get(member)}, and has to be {model.get(member)}"
    if mapping["Tags"] != tags:
        yield f"the tags are {mapping['Tags']}, and have to be {tags}"


def _resource_problems(resource: Mapping[str, Any], mapping: Mapping[str, Any], wanted: Wanted) -> Iterator[str]:
    meta, status = resource["metadata"], resource.get("status") or {}
    if "deletionTimestamp" in meta:
        yield "it is being deleted"
    if meta.get("finalizers") != [FINALIZER]:
        yield f"its finalizers are {meta.get('finalizers')}"
    if not is_ready(resource):
        yield f"it is not ready: {status.get('conditions')}"
    spec = resource["spec"]
    applied: dict[str, Any] = status.get("applied") or {}
    known = {"functionName", "eventSourceARN"} & spec.keys()
    ours = mapping["Tags"].keys() - wanted.others_tags.keys()
    fixed = {name: spec[name] for name in ("eventSourceARN", "startingPosition") if name in spec}
    for name, has, wants in (
        ("uuid", status.get("uuid"), mapping["UUID"]),
        ("state", status.get("state"), mapping["State"]),
        ("tagsAll", status.get("tagsAll"), mapping["Tags"]),
        ("applied.fields", sorted(applied.get("fields") or ()), sorted(wanted.applied | known)),
        ("applied.tags", sorted(applied.get("tags") or ()), sorted(ours)),
        ("applied.ignored", applied.get("ignored") or {}, wanted.ignored),
        ("applied.immutable", applied.get("immutable"), {**fixed, **named(wanted.immutable, meta["name"])}),
    ):
        if has != wants:
            yield f"status.{name} is {has}, and has to be {wants}"


def comparable(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping without its UUID and times, so that two mappings with the same members are equal."""
    rest = {name: value for name, value in mapping.items() if name not in _OWN_TO_EACH}
    text = json.dumps(rest, sort_keys=True).replace(mapping["UUID"], "UUID")
    return json.loads(text.replace(mapping["account"], "ACCOUNT"))


def named(value: Any, name: str, uuid: str = "") -> Any:
    """The value with ``{name}`` and ``{uuid}`` replaced in all texts."""
    text = json.dumps(value)
    return json.loads(text.replace("{name}", name).replace("{uuid}", uuid))


def wait(problems: Callable[[], list[str]], limit: float = LIMIT) -> None:
    """Wait until there are no problems.

    Raises:
        AssertionError: there are still problems after the limit.
    """
    found: list[str] = []

    def none() -> bool:
        found[:] = problems()
        return not found

    eventually(none, lambda: "; ".join(found), limit=limit, every=0.2)


def stage(bed: Bed, *arguments: str) -> Stage:
    """A stage on a bed with its own account. Its operator is not started yet.

    Args:
        bed: the bed.
        arguments: more flags of the operator.
    """
    watched = bed.folder / "boundaries"
    watched.mkdir()
    watch = Watch(watched)
    flags = (f"--namespaces={bed.namespace}", "--sweep-interval=600", *arguments)
    return Stage(bed, bed.operator(*flags, start=False, environment=watch.environment, entry=MAIN), watch)


def _is_of(name: str, mapping: Mapping[str, Any]) -> bool:
    return _names_function(name, mapping["FunctionArn"])


def _names_function(name: str, function: str) -> bool:
    return re.search(rf"(?:^|:){re.escape(name)}(?:$|:|-)", function) is not None
