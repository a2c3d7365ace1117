"""Status: what a resource tells its users, as a pure function of what is known.

Conditions are the user interface: kstatus (``kubectl wait``, Flux, Argo CD) reads Ready, Reconciling and
Stalled by the table below; Synced says whether AWS has what the spec says, Processing what Lambda says of
its last poll. Called by the reconciler, which writes the result only where it differs from what stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, cast

from esm_operator.api.reasons import ConditionReason, EventReason, OutcomeReason, ProcessingReason
from esm_operator.api.recorded_status import Applied
from esm_operator.status.denials import denial_of

#: Reason of Synced where AWS keeps a value that the spec does not have any more.
KEPT: OutcomeReason = "KeptByAWS"

#: Reasons of an outcome while AWS changes a mapping. If all was in sync before, somebody else has begun it.
_CHANGING = frozenset({"Updating", "Enabling", "Disabling"})

#: The members of the status that repeat what AWS answered.
OBSERVED = (
    "state",
    "stateTransitionReason",
    "arn",
    "functionARN",
    "lastModified",
    "lastProcessingResult",
    "filterCriteriaError",
)


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
    previous: Mapping[str, Any],
    *,
    generation: int,
    outcome: Outcome,
    mapping: Mapping[str, Any] | None,
    tags: Mapping[str, str] | None,
    applied: Applied,
    uuid: str,
    gone: bool,
    requested: str,
    now: str,
    creating: str = "",
) -> dict[str, Any]:
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
    """
    status: dict[str, Any] = {"observedGeneration": generation}
    if requested:
        status["lastHandledReconcileAt"] = requested
    if uuid:
        status["uuid"] = uuid
    if mapping is not None:
        status |= _observed(mapping)
    elif (
        uuid and not gone and uuid == previous.get("uuid")
    ):  # it can't be seen just now; what was seen last still says most
        status |= {name: previous[name] for name in OBSERVED if name in previous}
    known = tags if tags is not None else previous.get("tagsAll")
    if known is not None and uuid and not gone:
        status["tagsAll"] = dict(sorted(known.items()))
    if applied != Applied(immutable={}) and applied != Applied():
        status["applied"] = applied.render()
    if creating:
        status["creating"] = creating
    status["conditions"] = _conditions(previous, generation, outcome, mapping, gone, now)
    return status


def _observed(mapping: Mapping[str, Any]) -> dict[str, Any]:
    error = mapping.get("FilterCriteriaError") or {}
    found = {
        "state": mapping.get("State"),
        "stateTransitionReason": mapping.get("StateTransitionReason"),
        "arn": mapping.get("EventSourceMappingArn"),
        "functionARN": mapping.get("FunctionArn"),
        "lastModified": _time(mapping.get("LastModified")),
        "lastProcessingResult": mapping.get("LastProcessingResult"),
        "filterCriteriaError": {"errorCode": error.get("ErrorCode"), "message": error.get("Message")}
        if error
        else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _time(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value.isoformat()).replace("+00:00", "Z")


def _conditions(
    previous: Mapping[str, Any],
    generation: int,
    outcome: Outcome,
    mapping: Mapping[str, Any] | None,
    gone: bool,
    now: str,
) -> list[dict[str, Any]]:
    old = {condition.get("type"): condition for condition in previous.get("conditions") or ()}
    ready, reconciling, stalled, _ = outcome.verdict.value
    wanted: list[tuple[str, str, ConditionReason, str]] = [
        ("Ready", ready, outcome.reason, outcome.message),
        ("Reconciling", reconciling, outcome.reason, outcome.message if reconciling == "True" else ""),
        ("Stalled", stalled, outcome.reason, outcome.message if stalled == "True" else ""),
        _synced(outcome, old.get("Synced"), generation),
    ]
    processing = _processing(mapping)
    if processing is not None:
        wanted.append(processing)
    elif mapping is None and not gone and "Processing" in old:
        last = old["Processing"]
        wanted.append(("Processing", str(last["status"]), cast(ProcessingReason, last["reason"]), str(last["message"])))
    return [
        {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": old[kind]["lastTransitionTime"]
            if kind in old and old[kind].get("status") == value
            else now,
        }
        for kind, value, reason, message in wanted
    ]


def _is_true_of(old: Mapping[str, Any] | None, generation: int) -> bool:
    """Whether a condition was told to be true of the spec as it is now."""
    return old is not None and old.get("status") == "True" and old.get("observedGeneration") == generation


def _synced(outcome: Outcome, old: Mapping[str, Any] | None, generation: int) -> tuple[str, str, OutcomeReason, str]:
    if outcome.synced is None and outcome.reason in _CHANGING and _is_true_of(old, generation):
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


def _processing(mapping: Mapping[str, Any] | None) -> tuple[str, str, ProcessingReason, str] | None:
    """What Lambda says of its last poll; SQS mappings say nothing (recorded)."""
    if mapping is None:
        return None
    error = mapping.get("FilterCriteriaError")
    if error:
        return ("Processing", "False", "FilterCriteriaError", _kms_refusal(error))
    result = mapping.get("LastProcessingResult")
    if not result:
        return None
    if str(result).startswith("PROBLEM"):
        return ("Processing", "False", "ProcessingProblem", str(result))
    return ("Processing", "True", "NoProblem", str(result))


def _kms_refusal(error: Mapping[str, Any]) -> str:
    """What KMS says about the filter criteria, with the remedy."""
    text = str(error.get("Message") or "").strip() or "AWS gave no explanation."
    remedy = denial_of(text).remedy or "Check spec.kmsKeyARN and the key's policy."
    return f"{error.get('ErrorCode')}: {text if text.endswith('.') else f'{text}.'} {remedy}"
