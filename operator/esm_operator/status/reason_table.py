"""The sentence and the remedy of each reason of a condition or Event, and whether the operator retries.

The sentences of AWS errors are in ``aws/errors.py``, and their remedies in ``aws/error_table.py``. The sentences of
invalid fields are in ``api/rules.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from esm_operator.api.reasons import EventReason, of_state
from esm_operator.planning import actions
from esm_operator.planning.differences import describe, describe_source
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import TRANSITIONS


@dataclass(frozen=True, slots=True)
class Row:
    """One sentence of a reason. ``{name}`` is replaced by the value of that name, formatted by :data:`_SHOWN`."""

    sentence: str
    remedy: str = ""
    retries: bool = False
    """Whether the operator continues without a person, so that the resource is Reconciling, not Stalled."""


_retried = partial(Row, retries=True)
_BUSY = "AWS is at work on the mapping {uuid} (state {state})"
_LEFT = "The mapping {uuid} is left at AWS as it is, for"
_RESOURCE_ONLY = "because the ownership {ownership} is ResourceOnly, so no tags are sent to AWS"
_OR_TAGS = "or set the ownership to Tags if AWS takes tags on event source mappings in this region."

#: By reason, and by the case of a reason if the reason has more than one sentence.
TABLE: Mapping[tuple[EventReason, str], Row] = {
    # The plan waits.
    ("WaitingForSweep", ""): _retried(
        "Waiting for the first list of the mappings of this account and region, so that none is made twice or left "
        "behind."
    ),
    ("CreateOutcomeUnknown", ""): _retried(
        "AWS has not answered a request to create the mapping, or the operator was stopped before it heard the answer. "
        "For some seconds the mapping may still appear; the operator looks for it before anything else is done."
    ),
    ("NotFound", ""): _retried(
        "managementPolicy is Observe and there is no such mapping at AWS. It is shown as soon as there is one."
    ),
    ("NotFound", "Named"): _retried(
        "managementPolicy is Observe and there is no mapping {uuid} at AWS, which spec.adoption.uuid names.",
        "Correct it, or leave it out to have the mapping of this function and source shown.",
    ),
    ("TagsNotVisible", ""): _retried(
        "AWS shows no tags on the mapping {uuid}, which was created or changed less than 10 minutes ago. Tags can "
        "become visible some seconds after the mapping, so it may have an owner. The operator reads the tags again "
        "within seconds."
    ),
    ("PredecessorDeleting", ""): _retried(
        "AWS is still deleting the mapping {uuid} of this function and source; the work goes on after that."
    ),
    ("PredecessorDeleting", "ConsumerGroup"): _retried(
        'AWS is still deleting the mapping {uuid}, which is in the consumer group "{group}" of the same Kafka cluster. '
        "The operator creates the new mapping after that."
    ),
    **{(of_state(state), ""): _retried(f"{_BUSY}.") for state in TRANSITIONS},
    ("Deleting", "Delete"): _retried(f"{_BUSY}; it is deleted after that."),
    ("Replacing", "Waiting"): _retried(
        f"{_BUSY}; {{fields}} can't be changed, so the mapping is replaced by a new one after that."
    ),
    # The executor changes the mapping.
    ("Updating", "Sending"): _retried("Changing the mapping at AWS."),
    ("Replacing", "Creating"): _retried("The mapping is replaced by a new one."),
    ("ChangeNotKept", ""): _retried(
        "AWS did not keep a change: {change}. It is tried again, ever more rarely.",
        "See who else changes the mapping, and status.stateTransitionReason.",
    ),
    ("DeletionsHeld", ""): _retried(
        "More deletions at AWS are asked for than --deletions-per-minute lets through. This one follows in its turn.",
        "If it is not meant, stop it: set the annotation lambda.esm-operator.io/paused to true.{rescue}",
    ),
    ("OperatorError", ""): _retried(
        "The operator failed on this resource ({error}). It is tried again;",
        "look for unusual values in the spec, and report it with the operator's log.",
    ),
    # A person has to act.
    ("InvalidSpec", ""): Row("{problems}"),
    ("InvalidSpec", "Rule"): Row("{message}"),
    ("InvalidSpec", "TooManyTags"): Row(
        "The mapping would have {count} tags, {excess} more than AWS takes ({most}).",
        "Remove {excess} from spec.tags, or from the default tags (defaultTags of the ProviderConfig, --default-tags "
        "of the operator). {own} of the {count} are the operator's own; default tags: {default}.",
    ),
    ("InvalidSpec", "TagsWithoutOwnership"): Row(
        f"spec.tags cannot be set, {_RESOURCE_ONLY}.", f"Remove spec.tags, {_OR_TAGS}"
    ),
    ("InvalidSpec", "DefaultTagsWithoutOwnership"): Row(
        f"The default tags {{tags}} cannot be set, {_RESOURCE_ONLY}.",
        f"Remove them (defaultTags of the ProviderConfig, --default-tags of the operator), {_OR_TAGS}",
    ),
    ("InvalidSpec", "TakeOverWithoutOwnership"): Row(
        f"spec.adoption.takeOverFrom cannot be used, {_RESOURCE_ONLY} and mappings do not show their owners.",
        "Remove takeOverFrom. To move a mapping to this resource, delete the other resource with deletionPolicy Retain "
        "first, then adopt the mapping here.",
    ),
    ("Paused", ""): Row(
        "The operator would {action} now, but the annotation lambda.esm-operator.io/paused holds it back.",
        "Remove the annotation to let it go on.{rescue}",
    ),
    ("NothingToAdopt", ""): Row(
        "adoption.policy is Required, so nothing is created, and there is no mapping {with_uuid}{gone}.",
        "Create it at AWS, correct spec.adoption.uuid, or set spec.adoption.policy to IfExists.",
    ),
    ("ImmutableFieldChanged", ""): Row(
        "AWS can't change {fields} of a mapping.",
        "Set it back, or set spec.replacePolicy to Recreate to have the mapping deleted and created again.",
    ),
    ("ImmutableFieldChanged", "AdoptionRequired"): Row(
        "AWS can't change {fields} of a mapping, and spec.adoption.policy is Required, so none is created.",
        "Set it back, or set spec.adoption.policy to Never to have the mapping replaced.",
    ),
    ("AdoptedMappingDiffers", ""): Row(
        "The mapping was adopted with other values of {adopted}, which AWS can't change.",
        "Correct the spec to what the mapping has, with spec.replacePolicy Recreate, without which the API server "
        "refuses the edit; nothing is replaced by it.",
    ),
    ("DisabledInAWS", ""): Row(
        "The mapping is disabled at AWS, and spec.enabled does not say what it should be.",
        "Look at status.stateTransitionReason; set spec.enabled to true to have it enabled, or to false to keep it so.",
    ),
    # A mapping of another owner blocks the resource.
    ("Conflict", "Owned"): Row(
        "The mapping {uuid} of this function and source belongs to {owner} (cluster/namespace/name).",
        "To take it over, set spec.adoption to {{policy: IfExists, uuid: {uuid}, takeOverFrom: {owner}}}; else correct "
        "the spec, or delete the other resource.",
    ),
    ("Conflict", "Unowned"): Row(
        "The mapping {uuid} of this function and source exists and belongs to no resource.",
        "To take it over, set spec.adoption to {{policy: IfExists}}; else delete it at AWS.",
    ),
    ("Conflict", "Recorded"): Row(
        "The mapping {uuid} of this function and source belongs to {owner} (cluster/namespace/name), which records it.",
        "Correct the spec, or delete one of the two resources.",
    ),
    ("Conflict", "Unrecorded"): Row(
        "The mapping {uuid} of this function and source exists, and this resource does not record it. Without tags AWS "
        "shows no owner, so it may belong to another cluster.",
        "If it belongs to nobody, set spec.adoption to {{policy: IfExists}} to adopt it.",
    ),
    ("Conflict", "TagsRemoved"): Row(
        "Somebody has taken the operator's tags (esm-operator.io/...) off the mapping {uuid} of this resource, so it "
        "is not touched any more, nor deleted with the resource.",
        "To have them put back, set spec.adoption to {{policy: IfExists}}.",
    ),
    ("Conflict", "Claimed"): Row(
        "The mapping {uuid} of this function and source is also claimed by {rival}, which is older and gets it.",
        "Delete one of the two resources.",
    ),
    ("Conflict", "OtherIdentity"): Row(
        "The mapping {uuid}, which spec.adoption.uuid names, {whose} and is of another function or source: {source}.",
        "Correct spec.adoption.uuid, or spec.functionName and the source.",
    ),
    ("Conflict", "KeepsOwn"): Row(
        "The spec asks for a function and source that the mapping {uuid} has already, which {whose}.{kept}",
        "Correct the spec, or delete the other one first.",
    ),
    ("Conflict", "ConsumerGroup"): Row(
        'The mapping {uuid} ({source}) is in the consumer group "{group.name}" of the same Kafka cluster and {whose}. '
        "AWS takes only one mapping in each consumer group.{kept}",
        "Set spec.{group.path} to another group, or delete the other mapping first.",
    ),
    # The account and region are unknown, or are not those of the mapping.
    ("ProviderConfigNotFound", ""): Row(
        "There is no ProviderConfig {config}.",
        "Create it (again as it was, if the resource has a mapping already); a resource that has none can be made anew "
        "without spec.providerConfigRef, which can't be changed.",
    ),
    ("ProviderConfigNotFound", "Gone"): Row("There is no ProviderConfig {config} any more.", "Create it anew."),
    ("ProviderConfigDeleting", ""): Row(
        "The ProviderConfig {config} is being deleted, so no mapping is made through it any more.",
        "Wait until it is gone and create it anew, or name another in a new resource.",
    ),
    ("ProviderConfigForbidsNamespace", ""): Row(
        "The ProviderConfig {config} does not admit the namespace {namespace}.",
        "Label the namespace as its spec.namespaceSelector asks, or name another ProviderConfig in a new resource.",
    ),
    ("ProviderConfigForbidsNamespace", "LabelsUnknown"): Row(
        "The ProviderConfig {config} has a namespaceSelector, and the operator does not know the labels of namespaces "
        "(--no-watch-namespace-labels), so it admits none.",
        "Let the operator watch them (watchNamespaceLabels: true in the chart's values), or take "
        "spec.namespaceSelector out.",
    ),
    ("ProviderConfigForbidsNamespace", "LabelsPending"): _retried(
        "The ProviderConfig {config} has a namespaceSelector, and the labels of the namespace {namespace} are not "
        "known yet."
    ),
    ("NoRegion", ""): Row(
        "No AWS region is known for this mapping.",
        "Set spec.region in a new resource, the ProviderConfig's spec.region, or the operator's --region.",
    ),
    ("RegionNotAllowed", ""): Row(
        "The ProviderConfig {config} does not allow the region {region}; it allows {allowed}."
    ),
    ("TargetChanged", ""): Row(
        "The mapping was made in account {account}, region {region}; {cause} or the operator's settings now lead to "
        "{now}.",
        "Set that back; to move the mapping, delete this resource after that and create it anew.",
    ),
    # No change is needed.
    ("InSync", "Synced"): _retried("AWS has what the spec says."),
    ("InSync", "Before"): _retried("AWS had what the spec says before it began to work on the mapping."),
    ("InSync", "Differs"): _retried("AWS does not have what the spec says; the condition Ready says why."),
    ("InSync", "NotCompared"): _retried("Not compared with AWS yet."),
    ("InSync", "Terminating"): _retried("The resource is being deleted; nothing is compared any more."),
    ("InSync", ""): _retried("The mapping is {state}."),
    ("InSync", "Disabled"): _retried("The mapping is disabled, as spec.enabled says."),
    ("InSync", "Paused"): _retried(
        "{settled} The annotation lambda.esm-operator.io/paused is set: nothing is changed at AWS while it stands."
    ),
    ("InSync", "Unseen"): _retried("AWS had what the spec says when it could be asked last. Since then: {message}"),
    ("Observed", ""): _retried("The mapping is {state}; managementPolicy is Observe, so it is only watched."),
    ("Observed", "Differs"): _retried("AWS differs from the spec in {names} ({update}); nothing is changed."),
    ("KeptByAWS", ""): Row(
        "AWS keeps the last value of {fields}, which the spec no longer sets.{refused}",
        "To change the value, set the field, or delete and recreate the resource. All other fields match the spec.",
    ),
    ("KeptByAWS", "Refused"): Row(
        " AWS refused to reset {fields} with: {sentence}", "The operator retries the reset after the next edit."
    ),
    # AWS refuses some fields of an Update.
    ("RefusedByAWS", "Fields"): _retried("AWS refuses to change {fields}. {message}"),
    ("RefusedByAWS", "Kept"): _retried(
        "The mapping in AWS differs from the spec. The condition Ready shows why. {kept_fields}"
    ),
    # Events.
    ("Created", ""): Row("Created the mapping {uuid}."),
    ("Created", "FromStart"): Row(" It reads from spec.startingPosition again."),
    ("CreatedAgain", ""): Row("The mapping was deleted outside of Kubernetes; created it again as {uuid}.{position}"),
    ("Adopted", ""): Row("Took over the mapping {uuid} from {previous}."),
    ("Updated", ""): Row("{change}."),
    ("Tagged", ""): Row("{change}."),
    ("DriftCorrected", ""): Row("Changed outside of Kubernetes, put right: {change}{aws_reason}."),
    ("Replacing", "Deleting"): Row(
        "Deleting the mapping {uuid} to create it again, because {fields} can't be changed.{position}"
    ),
    ("Replacing", "Created"): Row(
        "Created the mapping {successor}, and deleting {uuid}, because {fields} can't be changed.{position}"
    ),
    ("Replacing", "SameGroup"): Row(
        ' The new mapping joins the consumer group "{group}" again and continues from the committed offsets. If the '
        "group has no committed offsets, it reads from spec.startingPosition."
    ),
    ("ReplacementFailed", ""): _retried(
        "The mapping {uuid} is to be replaced and still works; creating the new one failed: {message}"
    ),
    ("ReplacementFailed", "Deleted"): _retried(
        "The mapping {uuid} was deleted to be replaced, so nothing is processed now; creating the new one failed: "
        "{message}"
    ),
    ("Deleting", "Sent"): Row("Deleting the mapping {uuid} at AWS."),
    ("Deleting", "Discarded"): Row("Deleting the mapping {uuid}, needed no more."),
    ("Released", ""): Row("Left the mapping {uuid} at AWS, as spec.deletionPolicy says."),
    ("Orphaned", ""): Row(
        "Let go, as the annotation lambda.esm-operator.io/orphan says; {left} left at AWS, with its tags."
    ),
    ("MappingNotDeleted", "Observed"): Row(f"{_LEFT} managementPolicy is Observe."),
    ("MappingNotDeleted", "Unrecorded"): Row(f"{_LEFT} nothing records that it is the resource's own."),
    ("MappingNotDeleted", "TagsRemoved"): Row(f"{_LEFT} somebody has taken the operator's tags off it."),
    ("MappingNotDeleted", "Owned"): Row(f"{_LEFT} it belongs to {{owner}} (cluster/namespace/name)."),
    ("MappingNotDeleted", "Removed"): Row(
        "The API server deleted this resource while the operator added its finalizer, so the finalizer had no effect. "
        "The operator could not delete the mapping, which may remain in AWS.",
        "To find it, run: esm-operator orphans",
    ),
}

_VERBS: Mapping[type[actions.Action], str] = {
    actions.Create: "create the mapping",
    actions.Update: "change the mapping",
    actions.Tag: "change its tags",
    actions.Adopt: "take over the mapping",
    actions.Replace: "delete the mapping and create it again",
    actions.Discard: "delete a second mapping",
    actions.Delete: "delete the mapping",
    actions.RemoveOwnerTags: "take its tags off the mapping",
}


def _rescue(owner_tags: bool | None) -> str:
    """The text that explains how to prevent an unwanted deletion. Empty if nothing is deleted (None)."""
    if owner_tags is None:
        return ""
    return (
        " To keep the mapping instead, set the annotation lambda.esm-operator.io/orphan to true: the resource goes, "
        "the mapping stays, and a resource of the same name, applied again, takes it up"
        f"{'' if owner_tags else ' if its spec.adoption.policy is IfExists'}."
    )


def _action(action: actions.Action) -> str:
    verb = _VERBS[type(action)]
    return f"{verb} ({describe(action)})" if isinstance(action, actions.Update) else verb


#: The functions that format values, by the name of the value. Other values are not changed.
_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "action": _action,
    "aws_reason": lambda text: f" (AWS's reason: {text})" if text else "",
    "fields": lambda paths: ", ".join(f"spec.{path}" for path in paths),
    "gone": lambda gone: "any more" if gone else "to adopt",
    "kept": lambda uuid: f" This resource keeps its mapping {uuid} as it is." if uuid else "",
    "left": lambda uuid: f"the mapping {uuid} is" if uuid else "what was made is",
    "ownership": lambda config: f"of the ProviderConfig {config}" if config else "of the operator (--ownership)",
    "problems": lambda problems: " ".join(map(message_of, problems)),
    "rescue": _rescue,
    "source": describe_source,
    "update": describe,
    "whose": lambda owner: f"belongs to {owner} (cluster/namespace/name)" if owner else "belongs to no resource",
    "with_uuid": lambda uuid: f"with uuid {uuid} " if uuid else "",
}


def message(reason: EventReason, case: str = "", **values: object) -> str:
    """The message of a reason: the sentence with these values, and the remedy."""
    row = TABLE[reason, case]
    shown = {name: _SHOWN[name](value) if name in _SHOWN else value for name, value in values.items()}
    return f"{row.sentence} {row.remedy}".rstrip().format(**shown)


def message_of(finding: Finding) -> str:
    """The message of a finding."""
    return message(finding.reason, finding.case, **finding.values)
