"""The status of a resource, rendered from the outcome of a reconcile.

kstatus (``kubectl wait``, Flux, Argo CD) reads the conditions Ready, Reconciling and Stalled, see :class:`Verdict`.
Synced shows whether the mapping matches the spec, and Processing the result of Lambda's last poll. A resource has the
condition UnknownAnnotations only while it has annotations that the operator does not know, and ReferencesResolved only
while its spec refers to other objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, cast

from esm_operator.api.annotations import UNKNOWN_ANNOTATIONS, explain
from esm_operator.api.foreign_text import MESSAGE, cut, shown
from esm_operator.api.reasons import ConditionReason, EventReason, OutcomeReason, ProcessingReason
from esm_operator.api.recorded_status import (
    Applied,
    Condition,
    FilterCriteriaError,
    MappingReport,
    MappingStatus,
    OutputsRecord,
    is_problem,
)
from esm_operator.api.references import ResolvedReference
from esm_operator.clock import seconds_between
from esm_operator.planning.finding import Finding
from esm_operator.status.denials import denial_of
from esm_operator.status.failure import sentence_of
from esm_operator.status.reason_table import PERMISSIONS
from esm_operator.status.rendering import message, message_of
from esm_operator.status.subject import Subject

#: Seconds from the first refusal in which a missing permission is not final. A policy that was attached or changed just
#: before takes effect late (IAM User Guide, "Changes that I make are not always immediately visible").
PERMISSION_PATIENCE = 120.0
#: The condition that shows whether the references have the present values of their objects.
REFERENCES_RESOLVED = "ReferencesResolved"
#: Reasons while AWS changes a mapping. If the mapping was in sync before, somebody else has begun the change.
_CHANGING = frozenset({"Updating", "Enabling", "Disabling"})


class Verdict(Enum):
    """The conditions Ready, Reconciling and Stalled, and the status that kstatus computes from them."""

    READY = ("True", "False", "False", "Current")
    IN_PROGRESS = ("False", "True", "False", "InProgress")
    STALLED = ("False", "False", "True", "Failed")
    TERMINATING = ("False", "True", "False", "Terminating")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reconcile ended in."""

    verdict: Verdict
    reason: OutcomeReason
    message: str
    synced: bool | None = None
    """Whether the mapping matches the spec; None: not known."""
    sync_message: str = ""
    sync_reason: OutcomeReason | Literal[""] = ""
    """Reason of Synced, if it differs from that of Ready."""
    event: EventReason | Literal[""] = ""
    """Reason of the Warning Event when it begins; empty: none."""
    subject: Subject = field(default_factory=Subject)
    """The mapping that the messages name."""


def render(
    previous: MappingStatus,
    *,
    generation: int,
    outcome: Outcome,
    mapping: MappingReport | None,
    tags: Mapping[str, str] | None,
    applied: Applied,
    uuid: str,
    gone: bool,
    requested: str,
    now: str,
    source: str = "",
    provider_config: str = "",
    creating: str = "",
    outputs: OutputsRecord | None = None,
    unknown_annotations: Sequence[str] = (),
    references: tuple[ResolvedReference, ...] = (),
    shows_references: bool = False,
    reference_problem: Finding | None = None,
    lacking_for: float = 0.0,
    tags_late: bool | None = None,
) -> MappingStatus:
    """The whole status of a resource.

    Args:
        previous: the present status. Times of unchanged conditions are kept from it.
        mapping: the mapping as AWS answered it last; None: it was not read.
        tags: the mapping's tags; None keeps the present ones.
        gone: whether AWS has answered that there is no such mapping any more, or the resource may not show it.
        requested: the value of the annotation that requests a reconcile, or empty.
        now: the time as RFC 3339 text.
        source: the short name of the source, or empty.
        provider_config: the ProviderConfig through which the mapping is reached, or empty.
        outputs: the ConfigMap with the outputs; None keeps the present record.
        references: the references that have values.
        shows_references: whether the status has the condition ReferencesResolved.
        reference_problem: why a reference does not have its present value; None: all references have it.
        lacking_for: seconds since AWS first refused the resource because of a missing permission.
        tags_late: whether changed tags are noticed late; None: as the present status shows it.
    """
    ready, reconciling, stalled, _ = _verdict(outcome, previous, lacking_for).value
    wanted: list[tuple[str, str, ConditionReason, str]] = [
        ("Ready", ready, outcome.reason, outcome.message),
        ("Reconciling", reconciling, outcome.reason, outcome.message if reconciling == "True" else ""),
        ("Stalled", stalled, outcome.reason, outcome.message if stalled == "True" else ""),
        _synced(outcome, previous.condition("Synced"), generation, tags_late),
    ]
    processing, last = _processing(mapping, outcome.subject), previous.condition("Processing")
    if processing is not None:
        wanted.append(processing)
    elif mapping is None and not gone and last.status:
        wanted.append(("Processing", last.status, cast(ProcessingReason, last.reason), last.message))
    if unknown_annotations:
        wanted.append((UNKNOWN_ANNOTATIONS, "True", "UnknownAnnotation", " ".join(map(explain, unknown_annotations))))
    if shows_references:
        wanted.append(_references_resolved(reference_problem, outcome.subject))

    def since(kind: str, status: str) -> str:
        old = previous.condition(kind)
        return old.last_transition_time if old.status == status else now

    report = mapping or MappingReport()
    if mapping is None and uuid and not gone and uuid == previous.uuid:
        report = previous.report  # the best that is known while AWS can't be asked
    known = tags if tags is not None else previous.tags
    return MappingStatus(
        observed_generation=generation,
        last_handled_reconcile_at=requested,
        uuid=uuid,
        source=source,
        provider_config=provider_config if uuid else "",
        report=report,
        tags=known if uuid and not gone else None,
        applied=applied,
        creating=creating,
        outputs=outputs if outputs is not None else previous.outputs,
        references=references,
        conditions=tuple(
            Condition(kind, status, reason, shown(text), generation, since(kind, status))
            for kind, status, reason, text in wanted
        ),
    )


def lacking_for(previous: MappingStatus, now: str) -> float:
    """Seconds for which a permission has been missing at least, as the status shows it."""
    ready = previous.condition("Ready")
    lacked = ready.status == "False" and ready.reason in PERMISSIONS
    return seconds_between(ready.last_transition_time, now) if lacked else 0.0


def _verdict(outcome: Outcome, previous: MappingStatus, lacking_for: float) -> Verdict:
    """The verdict of an outcome. A permission that has been missing only for a short time does not stall a resource."""
    if outcome.verdict is not Verdict.STALLED or outcome.reason not in PERMISSIONS:
        return outcome.verdict
    stalled = previous.condition("Stalled")
    if lacking_for >= PERMISSION_PATIENCE or (stalled.status == "True" and stalled.reason in PERMISSIONS):
        return Verdict.STALLED
    return Verdict.IN_PROGRESS


def _synced(
    outcome: Outcome, old: Condition, generation: int, tags_late: bool | None
) -> tuple[str, str, OutcomeReason, str]:
    subject = outcome.subject
    was_true = old.status == "True" and old.observed_generation == generation
    if outcome.synced is None and outcome.reason in _CHANGING and was_true:
        return ("Synced", "True", "InSync", message("InSync", "Before", subject=subject))
    if outcome.synced:
        reason = "KeptByAWS" if outcome.sync_message else "InSync"
        late = message("InSync", "TagsLate")
        if tags_late is None:
            tags_late = old.message.endswith(late)
        text = outcome.sync_message or message("InSync", "Synced", subject=subject)
        return ("Synced", "True", reason, f"{cut(text, MESSAGE - len(late))}{late}" if tags_late else text)
    if outcome.synced is None:
        status, case = "Unknown", "Terminating" if outcome.verdict is Verdict.TERMINATING else "NotCompared"
    else:
        status, case = "False", "Differs"
    text = outcome.sync_message or message("InSync", case, subject=subject)
    return ("Synced", status, outcome.sync_reason or outcome.reason, text)


def _processing(mapping: MappingReport | None, subject: Subject) -> tuple[str, str, ProcessingReason, str] | None:
    """The result of Lambda's last poll. SQS mappings have none (recorded)."""
    if mapping is None:
        return None
    if mapping.filter_criteria_error is not None:
        return ("Processing", "False", "FilterCriteriaError", _kms_refusal(mapping.filter_criteria_error, subject))
    result = mapping.last_processing_result
    if result and is_problem(result):
        text = message("ProcessingProblem", subject=subject, result=sentence_of(result))
        return ("Processing", "False", "ProcessingProblem", text)
    return ("Processing", "True", "NoProblem", message("NoProblem", result=result)) if result else None


def _references_resolved(problem: Finding | None, subject: Subject) -> tuple[str, str, ConditionReason, str]:
    """Whether the mapping has the present values of the objects to which the spec refers."""
    if problem is None:
        return (REFERENCES_RESOLVED, "True", "ReferencesResolved", message("ReferencesResolved"))
    return (REFERENCES_RESOLVED, "False", problem.reason, message_of(problem, subject))


def _kms_refusal(error: FilterCriteriaError, subject: Subject) -> str:
    text = (error.message or "").strip()
    answer = message("FilterCriteriaError", "Answer", code=error.code, sentence=sentence_of(text))
    if not text:
        answer = message("FilterCriteriaError", "NoAnswer", code=error.code)
    remedy = denial_of(text).remedy or message("FilterCriteriaError", "Remedy")
    return message("FilterCriteriaError", subject=subject, answer=answer, remedy=remedy)
