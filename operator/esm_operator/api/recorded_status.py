"""The status of an EventSourceMapping as frozen dataclasses: read from JSON and written as JSON in this module only."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from esm_operator.api import names
from esm_operator.api.annotations import UNKNOWN_ANNOTATIONS, explained
from esm_operator.api.fields import STATUS_MEMBERS
from esm_operator.api.foreign_text import ANSWER, shown
from esm_operator.api.frozen_json import is_object, rfc3339
from esm_operator.api.limits import CONFIG_MAP_PATTERN, LONGEST_CONFIG_MAP_NAME
from esm_operator.api.reference_kinds import FUNCTION
from esm_operator.api.references import ResolvedReference
from esm_operator.api.sources import parse_arn
from esm_operator.api.values import function_ref

_CONFIG_MAP = re.compile(CONFIG_MAP_PATTERN)
#: The members of a condition, and the values that stand for their absence.
_CONDITION: Mapping[str, Any] = {
    "type": "",
    "status": "",
    "reason": "",
    "message": "",
    "observedGeneration": None,
    "lastTransitionTime": "",
}
#: How Lambda's last processing result begins if the poll has failed (recorded).
_PROBLEM = "PROBLEM"
#: The beginning of the state transition reason if a user has caused the change, in lower case, with spaces. Recorded
#: answers of AWS have USER_INITIATED and "User action". AWS's documentation has "User initiated", "Lambda initiated"
#: and codes such as EVENT_SOURCE_AUTHN_ERROR for Amazon MQ.
_BY_USER = "user"
#: The attributes of a MappingReport that are texts, and the fields of the status that hold them.
_REPORTED: Mapping[str, str] = {
    "state": "state",
    "state_transition_reason": "stateTransitionReason",
    "arn": "arn",
    "function_arn": "functionARN",
    "last_modified": "lastModified",
    "last_processing_result": "lastProcessingResult",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that AWS keeps though its field is gone from the spec."""

    value: str
    """The value as text, to notice when AWS no longer has it."""
    message: str = ""
    """AWS's sentence, if it refused to reset the field; empty if it took the request and kept the value."""
    generation: int = 0
    """metadata.generation for which AWS refused it."""

    def render(self) -> dict[str, Any]:
        """As ``status.applied.kept`` has it."""
        refusal = {"message": self.message, "generation": self.generation} if self.message else {}
        return {"value": self.value, **refusal}


@dataclass(frozen=True, slots=True)
class Applied:
    """What this resource has put into AWS."""

    fields: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    immutable: Mapping[str, str] = field(default_factory=dict[str, str])
    kept: Mapping[str, Kept] = field(default_factory=dict[str, Kept])
    """Those of the fields that are gone from the spec and that AWS keeps, by path. A field is added with the Update
    that resets it, and removed when AWS shows another value."""
    ignored: Mapping[str, str] = field(default_factory=dict[str, str])
    """The values in AWS of ignored fields and tags, as JSON in Kubernetes' spelling, by path or ``tags.KEY``. A mapping
    that replaces this one gets them. null: AWS has no value."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Applied":
        """From ``status.applied``."""
        kept: Mapping[str, Mapping[str, Any]] = raw.get("kept") or {}
        return cls(
            fields=frozenset(raw.get("fields") or ()),
            tags=frozenset(raw.get("tags") or ()),
            immutable=raw.get("immutable") or {},
            kept={
                path: Kept(str(one.get("value", "")), str(one.get("message", "")), int(one.get("generation", 0)))
                for path, one in kept.items()
            },
            ignored=raw.get("ignored") or {},
        )

    def render(self) -> dict[str, Any]:
        """As ``status.applied`` keeps it."""
        kept = {path: one.render() for path, one in sorted(self.kept.items())}
        return {
            "fields": sorted(self.fields),
            "tags": sorted(self.tags),
            "immutable": dict(sorted(self.immutable.items())),
            **({"kept": kept} if kept else {}),
            **({"ignored": dict(sorted(self.ignored.items()))} if self.ignored else {}),
        }


class Condition(NamedTuple):
    """One condition of a resource or of a ProviderConfig. A tuple, because all of them are read for each object."""

    type: str
    status: str = ""
    """``True``, ``False`` or ``Unknown``; empty: there is no such condition."""
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: str = ""
    """RFC 3339 time."""

    def render(self) -> dict[str, Any]:
        """As the API server has it."""
        return _present(dict(zip(_CONDITION, self, strict=True)))


def parse_conditions(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of a status of the API server, in its order."""
    raw: Iterable[Mapping[str, Any]] = status.get("conditions") or ()
    return tuple([Condition(*[one.get(name, absent) for name, absent in _CONDITION.items()]) for one in raw])


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition:
    """The condition of a type; one with an empty status if there is none."""
    return next((condition for condition in conditions if condition.type == kind), Condition(kind))


@dataclass(frozen=True, slots=True)
class FilterCriteriaError:
    """Why AWS can't encrypt or decrypt the filters."""

    code: str | None
    message: str | None


def is_problem(result: str | None) -> bool:
    """Whether a last processing result of Lambda reports a problem. None: there is no result."""
    return bool(result) and str(result).startswith(_PROBLEM)


def is_by_aws(state_transition_reason: str | None) -> bool:
    """Whether AWS itself, and not a user, has changed the state of a mapping. Without a reason: False."""
    reason = (state_transition_reason or "").replace("_", " ").strip().lower()
    return bool(reason) and not reason.startswith(_BY_USER)


def differs_harmlessly(one: str | None, other: str | None) -> bool:
    """Whether two last processing results differ, and neither is a problem. The first result is not harmless."""
    return bool(one and other) and one != other and not is_problem(one) and not is_problem(other)


@dataclass(frozen=True, slots=True)
class MappingReport:
    """What a status repeats of AWS's last answer about the mapping. None: AWS did not answer that member."""

    state: str | None = None
    state_transition_reason: str | None = None
    arn: str | None = None
    function_arn: str | None = None
    last_modified: str | None = None
    """RFC 3339 time."""
    last_processing_result: str | None = None
    filter_criteria_error: FilterCriteriaError | None = None
    observed: Mapping[str, Any] | None = None
    """The fields of the mapping, see ``api/observed_fields.py``. :meth:`of_answer` leaves them out."""

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> "MappingReport":
        """From AWS's answer, or from what is kept of it as JSON. Its texts are visible and limited."""
        status = {name: answer.get(member) for member, name in STATUS_MEMBERS.items()}
        modified = status["lastModified"]
        status["lastModified"] = modified if modified is None or isinstance(modified, str) else rfc3339(modified)
        status["filterCriteriaError"] = names.to_kubernetes(status["filterCriteriaError"] or None)
        return cls.parse({name: _limited(value) for name, value in status.items()})

    @classmethod
    def parse(cls, status: Mapping[str, Any]) -> "MappingReport":
        """From a status of the API server."""
        error: Mapping[str, Any] | None = status.get("filterCriteriaError")
        return cls(
            **{attribute: status.get(name) for attribute, name in _REPORTED.items()},
            filter_criteria_error=None
            if error is None
            else FilterCriteriaError(error.get("errorCode"), error.get("message")),
            observed=status.get("observed"),
        )

    def render(self) -> dict[str, Any]:
        """The members of the status."""
        members = _present({name: getattr(self, attribute) for attribute, name in _REPORTED.items()})
        place = parse_arn(self.arn or "")
        if place is not None:
            members |= {"account": place.account, "region": place.region}
        error = self.filter_criteria_error
        if error is not None:
            members["filterCriteriaError"] = _present({"errorCode": error.code, "message": error.message})
        return members if self.observed is None else {**members, "observed": self.observed}

    def without_unrecorded(self, recorded: "MappingReport") -> "MappingReport":
        """The report without the observed fields that another report does not have."""
        return replace(self, observed=_common(self.observed, recorded.observed))


@dataclass(frozen=True, slots=True)
class OutputsRecord:
    """``status.outputs``: the ConfigMap with the outputs of a mapping."""

    config_map_name: str = ""
    """The ConfigMap that the operator has created for the resource, or is about to create; empty: none."""
    message: str = ""
    """Why the ConfigMap does not have the values of the status; empty: it has them, or the spec names no ConfigMap."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "OutputsRecord":
        """From ``status.outputs``. Only the name of a ConfigMap counts, because it is a part of the URL of requests."""
        name = str(raw.get("configMapName") or "")
        is_name = len(name) <= LONGEST_CONFIG_MAP_NAME and _CONFIG_MAP.fullmatch(name)
        return cls(name if is_name else "", str(raw.get("message") or ""))

    def render(self) -> dict[str, Any] | None:
        """As ``status.outputs``; None: there is none."""
        return _present({"configMapName": self.config_map_name or None, "message": self.message or None}) or None


def recorded_references(raw: Mapping[str, Any]) -> tuple[ResolvedReference, ...]:
    """The references that a status records, with their values."""
    return tuple(map(ResolvedReference.parse, raw.get("references") or ()))


@dataclass(frozen=True, slots=True)
class MappingStatus:
    """The status of an EventSourceMapping."""

    observed_generation: int | None = None
    """metadata.generation of the spec that it is about."""
    last_handled_reconcile_at: str = ""
    uuid: str = ""
    """As it is written; a user may have changed it. :attr:`~esm_operator.api.resource.Resource.uuid` is checked."""
    source: str = ""
    """The short name of the source of the mapping, for the console."""
    provider_config: str = ""
    """The ProviderConfig through which the mapping was reached last; empty: through none, or not known."""
    report: MappingReport = MappingReport()
    tags: Mapping[str, str] | None = None
    """All tags of the mapping; None: not known."""
    applied: Applied = field(default_factory=Applied)
    creating: str = ""
    """What records that a Create may be outstanding; empty: none is."""
    outputs: OutputsRecord = OutputsRecord()
    references: tuple[ResolvedReference, ...] = ()
    """The references that have a value, with the values. After a restart, the operator uses them until it knows the
    objects."""
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "MappingStatus":
        """From the status of an object of the API server, which may be empty."""
        return cls(
            observed_generation=raw.get("observedGeneration"),
            last_handled_reconcile_at=str(raw.get("lastHandledReconcileAt") or ""),
            uuid=str(raw.get("uuid") or ""),
            source=str(raw.get("source") or ""),
            provider_config=str(raw.get("providerConfig") or ""),
            report=MappingReport.parse(raw),
            tags=raw.get("tagsAll"),
            applied=Applied.parse(raw.get("applied") or {}),
            creating=str(raw.get("creating") or ""),
            outputs=OutputsRecord.parse(raw.get("outputs") or {}),
            references=recorded_references(raw),
            conditions=parse_conditions(raw),
        )

    def render(self) -> dict[str, Any]:
        """As the API server keeps it."""
        return _present(
            {
                "observedGeneration": self.observed_generation,
                "lastHandledReconcileAt": self.last_handled_reconcile_at or None,
                "uuid": self.uuid or None,
                "function": self.function or None,
                "source": self.source or None,
                "providerConfig": self.provider_config or None,
                **self.report.render(),
                "tagsAll": None if self.tags is None else dict(sorted(self.tags.items())),
                "applied": self.applied.render() if self.applied != Applied() else None,
                "creating": self.creating or None,
                "outputs": self.outputs.render(),
                "references": [one.render() for one in self.references] or None,
                "conditions": [condition.render() for condition in self.conditions] or None,
            }
        )

    @property
    def function(self) -> str:
        """The short name of the function, for the console; empty: no reference supplies the function."""
        return next((_short(one.value) for one in self.references if one.reference.field == FUNCTION), "")

    @property
    def unknown_annotations(self) -> tuple[str, ...]:
        """The unknown annotations that the status reports."""
        return explained(self.condition(UNKNOWN_ANNOTATIONS).message)

    def condition(self, kind: str) -> Condition:
        """The condition of a type; one with an empty status if there is none."""
        return find_condition(self.conditions, kind)


def _short(function: str) -> str:
    return str(function_ref(function) or function)


def _limited(value: Any) -> Any:
    """A text of AWS, or an object of such texts, for the status."""
    if is_object(value):
        return {name: _limited(text) for name, text in value.items()}
    return shown(value, ANSWER) if isinstance(value, str) else value


def _common(value: Any, other: Any) -> Any:
    """The value without the members that another value does not have."""
    if is_object(value) and is_object(other):
        return {name: _common(member, other[name]) for name, member in value.items() if name in other}
    return None if other is None else value


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
