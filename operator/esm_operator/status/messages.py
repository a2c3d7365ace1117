"""Outcomes and messages of the planner's actions. Pure; used by the reconciler."""

from collections.abc import Mapping
from dataclasses import replace

from esm_operator.api.foreign_text import shown
from esm_operator.api.reasons import of_state
from esm_operator.api.recorded_status import Kept
from esm_operator.api.sources import SourceType
from esm_operator.planning import actions, differences
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import Desired, ObservedMapping
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.failure import Failure
from esm_operator.status.field_outcomes import kept_message
from esm_operator.status.rendering import message, message_of, message_of_failure, stalls
from esm_operator.status.subject import Subject

#: Sources that keep what was not processed, and have no position to start from.
_WITHOUT_POSITION = (SourceType.SQS, SourceType.MQ)
#: Immutable fields that do not matter any more once a mapping reads.
_WHERE_IT_BEGAN = frozenset({"startingPosition", "startingPositionTimestamp"})


def outcome(
    desired: Desired, action: actions.Rest, mapping: ObservedMapping | None, kept: Mapping[str, Kept], subject: Subject
) -> Outcome:
    """The outcome of a plan that leaves nothing to do but wait. ``kept``: fields that AWS keeps."""
    match action:
        case actions.NoOp():
            return _settled(desired, mapping, kept, subject)
        case actions.Wait():
            return outcome_of(action, subject, deleting=desired.deleting, event=False)
        case actions.Stall() | actions.Conflict():
            return outcome_of(action, subject, synced=False)


def outcome_of(
    finding: Finding, subject: Subject, *, synced: bool | None = None, deleting: bool = False, event: bool = True
) -> Outcome:
    """The outcome that a finding ends in. ``event``: whether a Warning Event is written when it begins."""
    verdict = Verdict.TERMINATING if deleting else Verdict.IN_PROGRESS
    if stalls(finding):
        verdict = Verdict.STALLED
    text = message_of(finding, subject)
    return Outcome(verdict, finding.reason, text, synced, event=finding.reason if event else "", subject=subject)


def outcome_of_failure(failure: Failure, subject: Subject) -> Outcome:
    """The outcome of a reconcile that an AWS error has ended."""
    verdict = Verdict.STALLED if stalls(failure) else Verdict.IN_PROGRESS
    event = "" if failure.throttled else failure.reason  # throttling ends without help
    text = message_of_failure(failure, subject)
    return Outcome(verdict, failure.reason, text, synced=False, event=event, subject=subject)


def unseen(outcome: Outcome, failure: Failure) -> Outcome:
    """An outcome from when the operator could last read the mapping. The failure shows why it cannot read it now."""
    text = message_of_failure(failure, outcome.subject)
    text = message("InSync", "Unseen", subject=outcome.subject, message=text)
    return replace(outcome, synced=None, sync_reason=failure.reason, sync_message=text)


def without_outputs(outcome: Outcome, problem: Finding) -> Outcome:
    """The outcome of a resource that is Ready but for its outputs. ``Synced`` does not change."""
    sync_reason = "" if outcome.synced else outcome.sync_reason or outcome.reason
    blocked = outcome_of(problem, outcome.subject, synced=outcome.synced)
    return replace(blocked, sync_message=outcome.sync_message, sync_reason=sync_reason)


def _settled(desired: Desired, mapping: ObservedMapping | None, kept: Mapping[str, Kept], subject: Subject) -> Outcome:
    state = mapping.state if mapping is not None else ""
    immutable = differences.immutable_differences(desired, mapping) if mapping is not None else ()
    if mapping is not None and desired.observe_only:
        change, reset, old = differences.differences(desired, mapping)
        change = {**change, **{path: desired.values.get(path) for path in immutable}}
        old = {**old, **{path: mapping.values[path] for path in immutable}}
        update = actions.Update(mapping.uuid, change, reset, old)
        differs = ""
        if change or reset:
            differs = message("Observed", "Differs", subject=subject, update=update)
        text = message("Observed", subject=subject, state=state.lower())
        return Outcome(Verdict.READY, "Observed", text, synced=not differs, sync_message=differs, subject=subject)
    if mapping is not None and mapping.disabled_because and "enabled" not in desired.values:
        case = "Ignored" if "enabled" in desired.ignored.fields else ""
        finding = Finding("DisabledInAWS", case, {"aws_reason": mapping.disabled_because})
        return outcome_of(finding, subject, synced=True)
    text = message("InSync", _disabled(desired) if state == "Disabled" else "", subject=subject, state=state.lower())
    if desired.paused:
        text = message("InSync", "Paused", settled=text)
    settled = Outcome(Verdict.READY, of_state(state), text, synced=True, subject=subject)
    if mapping is None or not immutable:
        return replace(settled, sync_message=kept_message(kept, subject))
    adopted = ", ".join(f"spec.{path} (AWS has {differences.shown(mapping.values[path])})" for path in immutable)
    case = "Reference" if desired.referenced.intersection(immutable) else ""
    differs = outcome_of(Finding("AdoptedMappingDiffers", case, {"adopted": adopted}), subject, synced=False)
    if set(immutable) - _WHERE_IT_BEGAN:
        return replace(differs, sync_message=differs.message)
    return replace(settled, synced=False, sync_reason="AdoptedMappingDiffers", sync_message=differs.message)


def _disabled(desired: Desired) -> str:
    """The case of the message about a mapping that is disabled and matches the spec."""
    if "enabled" in desired.values:
        return "Disabled"
    return "DisabledIgnored" if "enabled" in desired.ignored.fields else "DisabledByUser"


def tagged(action: actions.Tag) -> str:
    """The changed tags: keys, not values."""
    parts = [f"set {', '.join(sorted(action.add))}"] if action.add else []
    parts += [f"removed {', '.join(sorted(action.remove))}"] if action.remove else []
    return shown(f"Tags: {', '.join(parts)}")


def replacing(action: actions.Replace, source: SourceType | None, subject: Subject) -> str:
    """The message of an Event for a replacement."""
    case = "Created" if action.successor else "Deleting"
    group = action.consumer_group
    position = message("Replacing", "SameGroup", group=group) if group else _position(source)
    values = {"uuid": action.uuid, "successor": action.successor, "fields": action.fields, "position": position}
    return message("Replacing", case, subject=subject, **values)


def created_again(uuid: str, source: SourceType | None, subject: Subject) -> str:
    """The message of an Event for a mapping that somebody else had deleted."""
    return message("CreatedAgain", subject=subject, uuid=uuid, position=_position(source))


def _position(source: SourceType | None) -> str:
    return "" if source in _WITHOUT_POSITION else message("Created", "FromStart")
