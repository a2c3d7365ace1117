"""What an action of the planner means for people: outcome and sentences. Pure; called by the reconciler."""

from esm_operator import plan
from esm_operator.api.sources import SourceType
from esm_operator.plan import Desired, Observed
from esm_operator.status import Outcome, Verdict


def outcome(
    desired: Desired,
    action: plan.NoOp | plan.Wait | plan.Stall | plan.Conflict,
    mapping: Observed | None,
    reset: frozenset[str],
) -> Outcome:
    """What a resource shows while nothing is left but to wait.

    Args:
        desired: what the resource asks for.
        action: what the planner said.
        mapping: the mapping, where there is one.
        reset: fields that the last Update was to reset, to tell of those that AWS kept.
    """
    match action:
        case plan.Stall(reason, message):
            return Outcome(Verdict.STALLED, reason, message, synced=False)
        case plan.Conflict(_, message):
            return Outcome(Verdict.STALLED, "Conflict", message, synced=False)
        case plan.Wait(reason, message):
            verdict = Verdict.TERMINATING if desired.deleting else Verdict.IN_PROGRESS
            return Outcome(verdict, reason, message, synced=None)
        case plan.NoOp():
            return _settled(desired, mapping, reset)


def _settled(desired: Desired, mapping: Observed | None, reset: frozenset[str]) -> Outcome:
    state = mapping.state if mapping is not None else ""
    if mapping is not None and desired.observe_only:
        change, _, old = plan.differences(desired, mapping)
        names = ", ".join(sorted(change))
        described = plan.describe(plan.Update(mapping.uuid, change, frozenset(), old)) if change else ""
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
            "DisabledAtAWS",
            "The mapping is disabled at AWS, and spec.enabled does not say what it should be. Look at "
            "status.stateTransitionReason; set spec.enabled to true to have it enabled, or to false to keep it so.",
            synced=True,
        )
    message = "The mapping is disabled, as spec.enabled says." if state == "Disabled" else f"The mapping is {state}."
    return Outcome(Verdict.READY, state or "InSync", message, synced=True, sync_message=_kept(desired, mapping, reset))


def _kept(desired: Desired, mapping: Observed | None, reset: frozenset[str]) -> str:
    """Fields that are gone from the spec and that AWS keeps."""
    kept = set(plan.unresettable(desired))
    if mapping is not None:
        kept |= {path for path in reset if path in mapping.values and path not in desired.values and _odd(path)}
    if not kept:
        return ""
    names = ", ".join(f"spec.{path}" for path in sorted(kept))
    return (
        f"AWS has what the spec says. It keeps the last value of {names}, which it can't put back to its default; "
        "set the field, or create the resource anew."
    )


def _odd(path: str) -> bool:
    """Fields of which it is not known whether AWS resets them."""
    return path.endswith((".schemaRegistryConfig", ".systemLogLevel"))


def tagged(action: plan.Tag) -> str:
    """An Event's text for changed tags: keys, not values."""
    parts = [f"set {', '.join(sorted(action.add))}"] if action.add else []
    parts += [f"removed {', '.join(sorted(action.remove))}"] if action.remove else []
    return f"Tags: {'; '.join(parts)}."


def replacing(uuid: str, fields: tuple[str, ...]) -> str:
    """An Event's text for a replacement."""
    return (
        f"Deleting the mapping {uuid} to create it again, for {', '.join(fields)} can't be changed. A stream is "
        "read from spec.startingPosition again."
    )


def created_again(uuid: str, source: SourceType | None) -> str:
    """An Event's text for a mapping that somebody else had deleted."""
    text = f"The mapping was deleted outside of Kubernetes; created it again as {uuid}."
    if source in (SourceType.SQS, SourceType.MQ):
        return text
    return f"{text} It reads from spec.startingPosition again."


def released(uuid: str) -> str:
    """An Event's text for a mapping that is left behind."""
    return f"Left the mapping {uuid} at AWS, as spec.deletionPolicy says."
