"""Status: what a resource tells its users, as a pure function of what is known.

Conditions are the user interface: kstatus (``kubectl wait``, Flux, Argo CD) reads Ready, Reconciling and
Stalled by the table below; Synced says whether AWS has what the spec says, Processing what Lambda says of
its last poll. UnknownAnnotations exists only while the resource has annotations that the operator does not know.
Called by the reconciler, which writes the result only where it differs from what stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, cast

from esm_operator.api.annotations import UNKNOWN_ANNOTATIONS, explain
from esm_operator.api.reasons import ConditionReason, EventReason, OutcomeReason, ProcessingReason
from esm_operator.api.recorded_status import (
    Applied,
    Condition,
    FilterCriteriaError,
    MappingReport,
    MappingStatus,
)
from esm_operator.status.denials import denial_of

#: Reason of Synced where AWS keeps a value that the spec does not have any more.
KEPT: OutcomeReason = "KeptByAWS"

#: Reasons of an outcome while AWS changes a mapping. If all was in sync before, somebody else has begun it.
_CHANGING = frozenset({"Updating", "Enabling", "Disabling"})


class Verdict(Enum):
    """What an outcome means, as (Ready, Reconciling, Stalled) and kstatus's word for it."""

    READY = ("True", "False", "False", "Current")
    IN_PROGRESS = ("False", "True", "False", "InProgress")
    STALLED = ("False", "False", "True", "Failed")
    TERMINATING = ("False", "True", "False", "Terminating")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reconciling one resource."""

    verdict: Verdict
    reason: OutcomeReason
    """For programs; one section of the troubleshooting page each."""
    message: str
    """A sentence for people: what is, and what to do."""
    synced: bool | None = None
    """Whether AWS has what the spec says; None: not known."""
    sync_message: str = ""
    sync_reason: OutcomeReason | Literal[""] = ""
    """Reason of Synced, where it is another than that of Ready."""
    event: EventReason | Literal[""] = ""
    """Reason of the Warning event that tells of it when it begins; empty: none."""


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
    creating: str = "",
    unknown_annotations: Sequence[str] = (),
) -> MappingStatus:
    """The whole status of a resource.

    Args:
        previous: the status that stands now; times of unchanged conditions are kept from it.
        generation: metadata.generation of the spec that the plan was made on.
        outcome: what came of the plan.
        mapping: the mapping as AWS answered it last, or None where there is none.
        tags: the mapping's tags as far as known; None keeps what stands.
        applied: what this resource has put into AWS.
        uuid: the mapping's UUID, or empty.
        gone: whether AWS has said that there is no such mapping any more.
        requested: the annotation by which a person asked for the resource to be looked at; empty: none.
        now: the time as RFC 3339 text.
        creating: what records that a Create may be outstanding; empty: none is.
        unknown_annotations: annotations with the operator's prefix that have no effect.
    """
    report = MappingReport()
    if mapping is not None:
        report = mapping
    elif uuid and not gone and uuid == previous.uuid:  # it can't be seen just now; what was seen last still says most
        report = previous.report
    known = tags if tags is not None else previous.tags
    return MappingStatus(
        observed_generation=generation,
        last_handled_reconcile_at=requested,
        uuid=uuid,
        report=report,
        tags=known if uuid and not gone else None,
        applied=applied,
        creating=creating,
        conditions=_conditions(previous, generation, outcome, mapping, gone, now, unknown_annotations),
    )


def _conditions(
    previous: MappingStatus,
    generation: int,
    outcome: Outcome,
    mapping: MappingReport | None,
    gone: bool,
    now: str,
    unknown_annotations: Sequence[str],
) -> tuple[Condition, ...]:
    ready, reconciling, stalled, _ = outcome.verdict.value
    wanted: list[tuple[str, str, ConditionReason, str]] = [
        ("Ready", ready, outcome.reason, outcome.message),
        ("Reconciling", reconciling, outcome.reason, outcome.message if reconciling == "True" else ""),
        ("Stalled", stalled, outcome.reason, outcome.message if stalled == "True" else ""),
        _synced(outcome, previous.condition("Synced"), generation),
    ]
    processing = _processing(mapping)
    last = previous.condition("Processing")
    if processing is not None:
        wanted.append(processing)
    elif mapping is None and not gone and last.status:
        wanted.append(("Processing", last.status, cast(ProcessingReason, last.reason), last.message))
    if unknown_annotations:
        sentences = " ".join(map(explain, unknown_annotations))
        wanted.append((UNKNOWN_ANNOTATIONS, "True", "UnknownAnnotation", sentences))
    return tuple(
        Condition(kind, value, reason, message, generation, _since(previous.condition(kind), value, now))
        for kind, value, reason, message in wanted
    )


def _since(old: Condition, value: str, now: str) -> str:
    """When a condition got its status."""
    return old.last_transition_time if old.status == value else now


def _synced(outcome: Outcome, old: Condition, generation: int) -> tuple[str, str, OutcomeReason, str]:
    was_true = old.status == "True" and old.observed_generation == generation
    if outcome.synced is None and outcome.reason in _CHANGING and was_true:
        return ("Synced", "True", "InSync", "AWS had what the spec says before it began to work on the mapping.")
    if outcome.synced is None:
        going = outcome.verdict is Verdict.TERMINATING
        otherwise = "The resource is being deleted; nothing is compared any more."
        message = outcome.sync_message or (otherwise if going else "Not compared with AWS yet.")
        return ("Synced", "Unknown", outcome.sync_reason or outcome.reason, message)
    if not outcome.synced:
        message = outcome.sync_message or "AWS does not have what the spec says; the condition Ready says why."
        return ("Synced", "False", outcome.sync_reason or outcome.reason, message)
    if outcome.sync_message:
        return ("Synced", "True", KEPT, outcome.sync_message)
    return ("Synced", "True", "InSync", "AWS has what the spec says.")


def _processing(mapping: MappingReport | None) -> tuple[str, str, ProcessingReason, str] | None:
    """What Lambda says of its last poll; SQS mappings say nothing (recorded)."""
    if mapping is None:
        return None
    if mapping.filter_criteria_error is not None:
        return ("Processing", "False", "FilterCriteriaError", _kms_refusal(mapping.filter_criteria_error))
    result = mapping.last_processing_result
    if not result:
        return None
    if result.startswith("PROBLEM"):
        return ("Processing", "False", "ProcessingProblem", result)
    return ("Processing", "True", "NoProblem", result)


def _kms_refusal(error: FilterCriteriaError) -> str:
    """What KMS says about the filter criteria, with the remedy."""
    text = (error.message or "").strip() or "AWS gave no explanation."
    remedy = denial_of(text).remedy or "Check spec.kmsKeyARN and the key's policy."
    return f"{error.code}: {text if text.endswith('.') else f'{text}.'} {remedy}"
