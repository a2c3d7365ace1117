"""The status of an EventSourceMapping as frozen dataclasses: read from JSON and written as JSON in this module only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from esm_operator.api.annotations import UNKNOWN_ANNOTATIONS, explained


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that AWS keeps though its field is gone from the spec."""

    value: str
    """The value as text, to notice when AWS has it no more."""
    message: str = ""
    """AWS's sentence, where it refused to reset the field; empty where it took the request and kept the value."""
    generation: int = 0
    """metadata.generation for which AWS refused it."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Kept":
        """From an entry of ``status.applied.kept``."""
        return cls(str(raw.get("value", "")), str(raw.get("message", "")), int(raw.get("generation", 0)))

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

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Applied":
        """From ``status.applied``."""
        kept: Mapping[str, Mapping[str, Any]] = raw.get("kept") or {}
        return cls(
            fields=frozenset(raw.get("fields") or ()),
            tags=frozenset(raw.get("tags") or ()),
            immutable=raw.get("immutable") or {},
            kept={path: Kept.parse(one) for path, one in kept.items()},
        )

    def render(self) -> dict[str, Any]:
        """As ``status.applied`` keeps it."""
        kept = {path: one.render() for path, one in sorted(self.kept.items())}
        return {
            "fields": sorted(self.fields),
            "tags": sorted(self.tags),
            "immutable": dict(sorted(self.immutable.items())),
            **({"kept": kept} if kept else {}),
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
        observed = {} if self.observed_generation is None else {"observedGeneration": self.observed_generation}
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            **observed,
            "lastTransitionTime": self.last_transition_time,
        }


def parse_conditions(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of a status of the API server, in its order."""
    raw: Iterable[Mapping[str, Any]] = status.get("conditions") or ()
    return tuple(
        [
            Condition(
                one.get("type", ""),
                one.get("status", ""),
                one.get("reason", ""),
                one.get("message", ""),
                one.get("observedGeneration"),
                one.get("lastTransitionTime", ""),
            )
            for one in raw
        ]
    )


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition:
    """The condition of a type; one with an empty status if there is none."""
    for condition in conditions:
        if condition.type == kind:
            return condition
    return Condition(kind)


@dataclass(frozen=True, slots=True)
class FilterCriteriaError:
    """Why AWS can't encrypt or decrypt the filters."""

    code: str | None
    message: str | None


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

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> "MappingReport":
        """From AWS's answer, or from what is kept of it as JSON."""
        error: Mapping[str, Any] = answer.get("FilterCriteriaError") or {}
        return cls(
            state=answer.get("State"),
            state_transition_reason=answer.get("StateTransitionReason"),
            arn=answer.get("EventSourceMappingArn"),
            function_arn=answer.get("FunctionArn"),
            last_modified=_time(answer.get("LastModified")),
            last_processing_result=answer.get("LastProcessingResult"),
            filter_criteria_error=FilterCriteriaError(error.get("ErrorCode"), error.get("Message")) if error else None,
        )

    @classmethod
    def parse(cls, status: Mapping[str, Any]) -> "MappingReport":
        """From a status of the API server."""
        error: Mapping[str, Any] | None = status.get("filterCriteriaError")
        return cls(
            state=status.get("state"),
            state_transition_reason=status.get("stateTransitionReason"),
            arn=status.get("arn"),
            function_arn=status.get("functionARN"),
            last_modified=status.get("lastModified"),
            last_processing_result=status.get("lastProcessingResult"),
            filter_criteria_error=FilterCriteriaError(error.get("errorCode"), error.get("message"))
            if error is not None
            else None,
        )

    def render(self) -> dict[str, Any]:
        """The members of the status."""
        error = self.filter_criteria_error
        return _present(
            {
                "state": self.state,
                "stateTransitionReason": self.state_transition_reason,
                "arn": self.arn,
                "functionARN": self.function_arn,
                "lastModified": self.last_modified,
                "lastProcessingResult": self.last_processing_result,
                "filterCriteriaError": _present({"errorCode": error.code, "message": error.message})
                if error is not None
                else None,
            }
        )


@dataclass(frozen=True, slots=True)
class MappingStatus:
    """The status of an EventSourceMapping."""

    observed_generation: int | None = None
    """metadata.generation of the spec that it is about."""
    last_handled_reconcile_at: str = ""
    uuid: str = ""
    """As it is written; people may have spoilt it. :attr:`~esm_operator.api.resource.Resource.uuid` is checked."""
    report: MappingReport = MappingReport()
    tags: Mapping[str, str] | None = None
    """All tags of the mapping; None: not known."""
    applied: Applied = field(default_factory=Applied)
    creating: str = ""
    """What records that a Create may be outstanding; empty: none is."""
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "MappingStatus":
        """From the status of an object of the API server, which may be empty."""
        return cls(
            observed_generation=raw.get("observedGeneration"),
            last_handled_reconcile_at=str(raw.get("lastHandledReconcileAt") or ""),
            uuid=str(raw.get("uuid") or ""),
            report=MappingReport.parse(raw),
            tags=raw.get("tagsAll"),
            applied=Applied.parse(raw.get("applied") or {}),
            creating=str(raw.get("creating") or ""),
            conditions=parse_conditions(raw),
        )

    def render(self) -> dict[str, Any]:
        """As the API server keeps it."""
        status: dict[str, Any] = {}
        if self.observed_generation is not None:
            status["observedGeneration"] = self.observed_generation
        if self.last_handled_reconcile_at:
            status["lastHandledReconcileAt"] = self.last_handled_reconcile_at
        if self.uuid:
            status["uuid"] = self.uuid
        status |= self.report.render()
        if self.tags is not None:
            status["tagsAll"] = dict(sorted(self.tags.items()))
        if self.applied != Applied():
            status["applied"] = self.applied.render()
        if self.creating:
            status["creating"] = self.creating
        if self.conditions:
            status["conditions"] = [condition.render() for condition in self.conditions]
        return status

    @property
    def unknown_annotations(self) -> tuple[str, ...]:
        """The unknown annotations that the status reports."""
        return explained(self.condition(UNKNOWN_ANNOTATIONS).message)

    def condition(self, kind: str) -> Condition:
        """The condition of a type; one with an empty status if there is none."""
        return find_condition(self.conditions, kind)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _time(value: datetime | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat().replace("+00:00", "Z")
