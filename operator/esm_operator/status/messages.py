"""What an action of the planner means for people: outcome and sentences. Pure; called by the reconciler."""

from collections.abc import Mapping
from dataclasses import replace

from esm_operator.api import values
from esm_operator.api.reasons import OutcomeReason, of_state
from esm_operator.api.recorded_status import Kept
from esm_operator.api.sources import SourceType
from esm_operator.planning import actions, differences
from esm_operator.planning.plan import RESCUES
from esm_operator.planning.state import Desired, Observed
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.kept_fields import message as kept_message

#: Sources that keep what was not processed, and have no position to start from.
_WITHOUT_POSITION = (SourceType.SQS, SourceType.MQ)
#: Immutable fields that do not matter any more once a mapping reads.
_WHERE_IT_BEGAN = frozenset({"startingPosition", "startingPositionTimestamp"})
_STARTS_ANEW = "It reads from spec.startingPosition again."


def outcome(
    desired: Desired,
    action: actions.Rest,
    mapping: Observed | None,
    kept: Mapping[str, Kept],
) -> Outcome:
    """What a resource shows while nothing is left but to wait.

    Args:
        desired: what the resource asks for.
        action: what the planner said.
        mapping: the mapping, where there is one.
        kept: fields that are gone from the spec and that AWS keeps.
    """
    match action:
        case actions.Stall(reason, message):
            return Outcome(Verdict.STALLED, reason, message, synced=False, event=reason)
        case actions.Conflict(_, message):
            return Outcome(Verdict.STALLED, "Conflict", message, synced=False, event="Conflict")
        case actions.Wait(reason, message):
            verdict = Verdict.TERMINATING if desired.deleting else Verdict.IN_PROGRESS
            return Outcome(verdict, reason, message, synced=None)
        case actions.NoOp():
            return _settled(desired, mapping, kept)


def unseen(outcome: Outcome, reason: OutcomeReason, message: str) -> Outcome:
    """What a resource shows that was in sync when its mapping could be seen last.

    Args:
        outcome: what it showed then.
        reason: why AWS can't be asked.
        message: the same as a sentence.
    """
    text = f"AWS had what the spec says when it could be asked last. Since then: {message}"
    return replace(outcome, synced=None, sync_reason=reason, sync_message=text)


def _settled(desired: Desired, mapping: Observed | None, kept: Mapping[str, Kept]) -> Outcome:
    state = mapping.state if mapping is not None else ""
    if mapping is not None and desired.observe_only:
        change, _, old = differences.differences(desired, mapping)
        immutable = differences.immutable_differences(desired, mapping)
        change = {**change, **{path: desired.values.get(path) for path in immutable}}
        old = {**old, **{path: mapping.values[path] for path in immutable}}
        names = ", ".join(sorted(change))
        described = differences.describe(actions.Update(mapping.uuid, change, frozenset(), old)) if change else ""
        return Outcome(
            Verdict.READY,
            "Observed",
            f"The mapping is {state}; managementPolicy is Observe, so it is only watched.",
            synced=not change,
            sync_message=f"AWS differs from the spec in {names} ({described}); nothing is changed." if change else "",
        )
    if state == "Disabled" and "enabled" not in desired.values:
        return Outcome(
            Verdict.STALLED,
            "DisabledInAWS",
            "The mapping is disabled at AWS, and spec.enabled does not say what it should be. Look at "
            "status.stateTransitionReason; set spec.enabled to true to have it enabled, or to false to keep it so.",
            synced=True,
        )
    message = "The mapping is disabled, as spec.enabled says." if state == "Disabled" else f"The mapping is {state}."
    if desired.paused:
        message += " The annotation lambda.esm-operator.io/paused is set: nothing is changed at AWS while it stands."
    adopted = differences.immutable_differences(desired, mapping) if mapping is not None else ()
    if adopted:
        has = ", ".join(f"spec.{path} (AWS has {values.text(mapping.values[path])})" for path in adopted if mapping)
        differs = (
            f"The mapping was adopted with other values of {has}, which AWS can't change. Correct the spec to what the "
            "mapping has, with spec.replacePolicy Recreate, without which the API server refuses the edit; nothing is "
            "replaced by it."
        )
        if set(adopted) - _WHERE_IT_BEGAN:
            return Outcome(
                Verdict.STALLED,
                "AdoptedMappingDiffers",
                differs,
                synced=False,
                sync_message=differs,
                event="AdoptedMappingDiffers",
            )
        return Outcome(
            Verdict.READY,
            of_state(state),
            message,
            synced=False,
            sync_reason="AdoptedMappingDiffers",
            sync_message=differs,
        )
    return Outcome(Verdict.READY, of_state(state), message, synced=True, sync_message=kept_message(kept))


def corrected(what: str, reason: str = "") -> str:
    """An Event's text for what somebody else changed and the operator put right.

    Args:
        what: the changes, old and new.
        reason: AWS's own word for why the mapping is as it was found, if that matters here.
    """
    why = f" (AWS's reason: {reason})" if reason else ""
    return f"Changed outside of Kubernetes, put right: {what}{why}."


def tagged(action: actions.Tag) -> str:
    """An Event's text for changed tags: keys, not values."""
    parts = [f"set {', '.join(sorted(action.add))}"] if action.add else []
    parts += [f"removed {', '.join(sorted(action.remove))}"] if action.remove else []
    return f"Tags: {'; '.join(parts)}"


def replacing(action: actions.Replace, source: SourceType | None) -> str:
    """An Event's text for a replacement."""
    names = ", ".join(f"spec.{path}" for path in action.fields)
    if action.successor:
        text = f"Created the mapping {action.successor}, and deleting {action.uuid}, because {names} can't be changed."
    else:
        text = f"Deleting the mapping {action.uuid} to create it again, because {names} can't be changed."
    if action.consumer_group:
        return (
            f'{text} The new mapping joins the consumer group "{action.consumer_group}" again and continues from '
            "the committed offsets. If the group has no committed offsets, it reads from spec.startingPosition."
        )
    return f"{text} {_STARTS_ANEW}" if source not in _WITHOUT_POSITION else text


def replacement_failed(uuid: str, message: str, *, stands: bool) -> str:
    """What is told when the new mapping of a replacement can't be created."""
    if stands:
        return f"The mapping {uuid} is to be replaced and still works; creating the new one failed: {message}"
    return (
        f"The mapping {uuid} was deleted to be replaced, so nothing is processed now; creating the new one failed: "
        f"{message}"
    )


def created_again(uuid: str, source: SourceType | None) -> str:
    """An Event's text for a mapping that somebody else had deleted."""
    text = f"The mapping was deleted outside of Kubernetes; created it again as {uuid}."
    return text if source in _WITHOUT_POSITION else f"{text} {_STARTS_ANEW}"


def released(uuid: str) -> str:
    """An Event's text for a mapping that is left behind."""
    return f"Left the mapping {uuid} at AWS, as spec.deletionPolicy says."


def not_kept(change: str) -> Outcome:
    """What a resource shows while AWS does not keep a change that was sent."""
    return Outcome(
        Verdict.IN_PROGRESS,
        "ChangeNotKept",
        f"AWS did not keep a change: {change}. It is tried again, ever more rarely. See who else changes the mapping, "
        "and status.stateTransitionReason.",
        synced=False,
        event="ChangeNotKept",
    )


def deletions_held(*, owner_tags: bool) -> str:
    """What is told while the brake holds a deletion.

    Args:
        owner_tags: whether mappings have owner tags.
    """
    return (
        "More deletions at AWS are asked for than --deletions-per-minute lets through. This one follows in its turn. "
        f"If it is not meant, stop it: set the annotation lambda.esm-operator.io/paused to true. {RESCUES[owner_tags]}"
    )


def left(uuid: str, why: str) -> str:
    """An Event's text for a mapping that stays at AWS though its resource goes."""
    return f"The mapping {uuid} is left at AWS as it is, for {why}."


def left_by_removed() -> str:
    """An Event's text for a removed resource whose mapping can't be deleted."""
    return (
        "The API server deleted this resource while the operator added its finalizer, so the finalizer had no effect. "
        "The operator could not delete the mapping, which may remain in AWS. To find it, run: esm-operator orphans"
    )


def orphaned(uuid: str) -> str:
    """An Event's text for a resource that goes without its mapping."""
    left = f"the mapping {uuid} is" if uuid else "what was made is"
    return f"Let go, as the annotation lambda.esm-operator.io/orphan says; {left} left at AWS, with its tags."
