"""The table of messages: the sentence and the remedy of each reason, when the operator acts next, and what ends it.

A message is the sentence, AWS's own sentence in quotes if there is one, the remedy, and when the operator acts next.
``docs/reference/messages.md`` is generated from this table. :mod:`~.messages` and :mod:`~.field_outcomes` join several
messages. The sentences of invalid fields are in ``api/rules.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from esm_operator.api.annotations import NO_EFFECT
from esm_operator.api.reasons import EventReason, ProviderConfigReason, of_state
from esm_operator.api.references import LONGEST_VALUE
from esm_operator.planning.inputs import TRANSITIONS
from esm_operator.status.next_attempt import Next


class Ends(Enum):
    """What can end the state that a message reports. It decides between Reconciling and Stalled, for all reasons."""

    ITSELF = auto()
    """Time, AWS, or another controller of the same deployment, which may still create what the spec names. Or the wait
    is intended. Reconciling."""
    PERSON = auto()
    """Only a person, as far as the spec and the answer of AWS show: by a change of the spec, of a ProviderConfig, of a
    quota or of the operator's settings. Stalled."""
    PERMISSION = auto()
    """Only a person, by a change of permissions, keys or credentials. Reconciling first, because such changes take
    effect late (IAM User Guide, eventual consistency), and then Stalled."""


@dataclass(frozen=True, slots=True)
class Row:
    """One message of a reason. ``{name}`` is replaced by the value of that name.

    Each sentence can name ``{function}``, ``{event_source}``, ``{mapping}`` and ``{place}``, see
    :class:`~esm_operator.status.subject.Subject`. ``status/rendering.py`` formats other values.
    """

    sentence: str
    remedy: str = ""
    next: Next = Next.NONE
    ends: Ends = Ends.ITSELF


_PAUSED = "lambda.esm-operator.io/paused"
_CHANGING = "AWS is changing mapping {uuid} in {place}. The mapping is in state {state}."
_LEFT = "The resource is deleted, but mapping {uuid} remains in {place}, because"
_RESOURCE_ONLY = "because the ownership {ownership} is ResourceOnly and the operator sends no tags to AWS"
_OR_TAGS = "or set the ownership to Tags if AWS accepts tags on event source mappings in {place}."
#: A value of spec.adoption, as a template.
_IF_EXISTS = "{{policy: IfExists}}"
_DELETED_TOO = "After adoption, deleting this resource also deletes the mapping, unless spec.deletionPolicy is Retain."
_KEEP_OTHER = (
    "If the mapping must keep its owner, correct the spec or delete this resource. The mapping then remains in AWS."
)
_KEEP_OTHER_RESOURCE = (
    "If the other resource needs the mapping, correct the spec or delete this resource. Otherwise delete the other "
    "resource. This resource then creates its mapping."
)
#: What a person has to do before the operator names the owner of a mapping, and lets the resource have the mapping.
_NEEDS_CONSENT = (
    "A resource of another namespace sees the mapping and its owner only if the owner allows it. Ask the platform team "
    "for the owner, which is in the tags of the mapping in AWS. To allow this resource, set the annotation "
    "lambda.esm-operator.io/allow-takeover-by: {taker} on the resource that has the mapping. This message then shows "
    "the value of spec.adoption. If the owner is in another cluster, add the name of that cluster to the setting "
    "--takeover-from-clusters of the operator instead."
)
_STILL_INVOKES = "The mapping still invokes the function."
_DELETE_IT = "If nothing needs the mapping, delete it in AWS."
_BLOCKING = "Mapping {uuid} in {place} has the function and the event source of this resource"

_ONE_OPERATOR = (
    "stop one of the two, or set --namespaces, --namespace-selector or --selector so that each resource has only one "
    "operator. If the two "
    "are replicas of one operator, give both the lease {own}, so that one stands by for the other."
)
_IN_USE = Row(
    "The deletion of this ProviderConfig waits, because {count} it ({users}).",
    "To finish the deletion, delete these resources. This also deletes their mappings in AWS, unless "
    "spec.deletionPolicy is Retain. The operator still manages the mappings until the resources are deleted.",
    Next.CONTINUES,
)

#: By reason, and by the case of a reason if the reason has more than one message.
TABLE: Mapping[tuple[EventReason | ProviderConfigReason, str], Row] = {
    # The plan waits.
    ("WaitingForSweep", ""): Row(
        "The operator is reading the first list of the mappings in {place}. The list shows whether the {mapping} "
        "exists.",
        next=Next.CONTINUES,
    ),
    ("CreateOutcomeUnknown", ""): Row(
        "The operator does not know whether AWS created the {mapping} in {place}. AWS did not answer the request, or "
        "the operator was stopped before the answer arrived. The operator looks for the mapping for some seconds "
        "before it sends another request.",
        next=Next.CONTINUES,
    ),
    ("HandingOver", ""): Row(
        "Mapping {uuid} in {place} is not deleted, because the resource {heir} will take it over "
        "(spec.adoption.takeOverFrom).{heir_problem}",
        "To finish the take-over, correct {heir}. To delete the mapping instead, delete {heir} or remove its "
        "spec.adoption.",
        Next.CONTINUES,
    ),
    ("NotFound", ""): Row(
        "No mapping of {function} and this event source exists in {place}. The operator creates none, because "
        "spec.managementPolicy is Observe.",
        "Create the mapping with another tool, or set spec.managementPolicy to Full.",
        Next.CONTINUES,
    ),
    ("NotFound", "Named"): Row(
        "Mapping {uuid}, which spec.adoption.uuid names, does not exist in {place}. The operator creates none, because "
        "spec.managementPolicy is Observe.",
        "Correct spec.adoption.uuid, or remove it to observe the mapping of {function} and this event source.",
        Next.CONTINUES,
    ),
    ("TagsNotVisible", ""): Row(
        "AWS shows no tags on mapping {uuid} in {place}, which was created or changed less than 10 minutes ago. Tags "
        "can become visible some seconds after the mapping, so the operator waits for them "
        "before it decides whether the mapping has an owner.",
        next=Next.SOON,
    ),
    ("PredecessorDeleting", ""): Row(
        "AWS is still deleting mapping {uuid} of {function} and this event source in {place}. AWS accepts no new "
        "mapping until it is deleted.",
        next=Next.CONTINUES,
    ),
    ("PredecessorDeleting", "ConsumerGroup"): Row(
        'AWS is still deleting mapping {uuid} in {place}, which is in the consumer group "{group}" of the same Kafka '
        "cluster. AWS accepts no new mapping in this consumer group until it is deleted.",
        next=Next.CONTINUES,
    ),
    **{(of_state(state), ""): Row(_CHANGING, next=Next.CONTINUES) for state in sorted(TRANSITIONS)},
    ("Deleting", "Delete"): Row(f"{_CHANGING} The operator deletes the mapping after that.", next=Next.CONTINUES),
    ("Replacing", "Waiting"): Row(
        f"{_CHANGING} The operator replaces the mapping after that, because AWS cannot change {{fields}}.",
        next=Next.CONTINUES,
    ),
    # The executor changes the mapping.
    ("Updating", "Sending"): Row("The operator is changing the {mapping} in {place}.", next=Next.CONTINUES),
    ("Replacing", "Creating"): Row(
        "The operator is replacing the {mapping} in {place} with a new mapping.", next=Next.CONTINUES
    ),
    ("ChangeNotKept", ""): Row(
        "The {mapping} in {place} does not keep a value that the operator has set. The operator will send the change "
        "{change} again.",
        "Look in CloudTrail for other clients that change the mapping. status.stateTransitionReason may show the "
        "cause.",
        Next.DRIFT,
    ),
    ("ChangeNotKept", "Deleted"): Row(
        "Mappings of this resource were deleted outside of Kubernetes more than once, the last one in {place}. The "
        "operator will create the {mapping} again.",
        "Look in CloudTrail for other clients that delete the mapping.",
        Next.DRIFT,
    ),
    ("DeletionsHeld", ""): Row(
        "The deletion of the {mapping} in {place} waits for its turn, because more deletions are requested than "
        "--deletions-per-minute allows.",
        f"To stop the deletion, set the annotation {_PAUSED} to true.{{rescue}}",
        Next.CONTINUES,
    ),
    ("OperatorError", ""): Row(
        'The operator failed with "{error}" on the {mapping} in {place}.',
        "Look for unusual values in the spec, and open an issue of esm-operator with the operator's log.",
        Next.SLOW,
    ),
    # The outputs of the mapping.
    ("OutputsNotWritten", ""): Row(
        'The operator could not write the outputs of the {mapping} to the ConfigMap "{config_map}" in the namespace '
        '"{namespace}". {error}. The mapping is not affected.',
        "If a quota or an admission policy refuses the ConfigMap, change the quota or the policy.",
        Next.SLOW,
    ),
    ("OutputsNotWritten", "Writing"): Row(
        'The operator is writing the outputs to the ConfigMap "{config_map}".', next=Next.CONTINUES
    ),
    ("OutputsConflict", ""): Row(
        'The ConfigMap "{config_map}" in the namespace "{namespace}" does not belong to this resource{holder}. So the '
        "operator does not write the outputs of the {mapping} to this ConfigMap. The mapping is not affected.",
        "Set spec.outputs.configMapName to another name, or delete the ConfigMap if nothing needs it.",
        Next.SLOW,
        Ends.PERSON,
    ),
    ("OutputsForbidden", ""): Row(
        'The operator has no permission to write the outputs of the {mapping} to the ConfigMap "{config_map}" in the '
        'namespace "{namespace}". {error}. The mapping is not affected.',
        "Set the value outputs.enabled of the chart to true, or allow the operator to get, list, create, patch and "
        "delete ConfigMaps in this namespace. If you do not need the ConfigMap, remove spec.outputs.",
        Next.SLOW,
        Ends.PERSON,
    ),
    # A person has to act.
    ("InvalidSpec", ""): Row(
        "The spec of the {mapping} in {place} is invalid. {problems}", next=Next.POLL, ends=Ends.PERSON
    ),
    ("InvalidSpec", "Rule"): Row("{message}", next=Next.PART),
    ("InvalidSpec", "TooManyTags"): Row(
        "The mapping would have {count} tags, {excess} more than AWS accepts ({most}).",
        "Remove {excess} from spec.tags or from the default tags (defaultTags of the ProviderConfig, --default-tags of "
        "the operator). {own} of the {count} are the operator's own. Default tags: {default}.",
        Next.PART,
    ),
    ("InvalidSpec", "TagsWithoutOwnership"): Row(
        f"The operator cannot set spec.tags, {_RESOURCE_ONLY}.",
        f"Remove spec.tags, {_OR_TAGS}",
        Next.PART,
    ),
    ("InvalidSpec", "DefaultTagsWithoutOwnership"): Row(
        f"The operator cannot set the default tags {{tags}}, {_RESOURCE_ONLY}.",
        f"Remove the default tags (defaultTags of the ProviderConfig, --default-tags of the operator), {_OR_TAGS}",
        Next.PART,
    ),
    ("InvalidSpec", "TakeOverWithoutOwnership"): Row(
        f"The operator cannot use spec.adoption.takeOverFrom, {_RESOURCE_ONLY}, so mappings do not show their owners.",
        "Remove takeOverFrom. To move a mapping to this resource, first delete the other resource with deletionPolicy "
        "Retain, then adopt the mapping here.",
        Next.PART,
    ),
    ("Paused", ""): Row(
        f"The annotation {_PAUSED} pauses the {{mapping}} in {{place}}. Without the annotation, the operator would "
        "{action} now.",
        "Remove the annotation to continue.{rescue}",
        Next.CHANGE,
    ),
    ("NothingToAdopt", ""): Row(
        "The mapping of {function} and the {event_source} to adopt{with_uuid} does not exist{gone} in {place}. The "
        "operator does not create it, because spec.adoption.policy is Required.",
        "Create the mapping in AWS, or correct the spec. To let the operator create the mapping, set "
        "spec.adoption.policy to IfExists.",
        Next.POLL,
        Ends.PERSON,
    ),
    ("ImmutableFieldChanged", ""): Row(
        "AWS cannot change {fields} of the {mapping} in {place}. status.applied.immutable shows the previous values.",
        "To replace the mapping with a new one, set spec.replacePolicy to Recreate. To keep the mapping, restore the "
        "previous values, and set spec.replacePolicy to Recreate in the same edit, because the API server refuses the "
        "edit without it. With the previous values, the operator replaces nothing.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ImmutableFieldChanged", "Reference"): Row(
        "AWS cannot change {fields} of the {mapping} in {place}, but the value of a reference in the spec has changed. "
        "status.references shows the present values. status.applied.immutable shows the previous values.",
        "To replace the mapping with a new one, set spec.replacePolicy to Recreate. To keep the mapping, restore the "
        "value of the object, or correct the reference.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ImmutableFieldChanged", "AdoptionRequired"): Row(
        "AWS cannot change {fields} of the {mapping} in {place}. The operator creates no new mapping, because "
        "spec.adoption.policy is Required.",
        "To keep the mapping, undo the edit. To replace it, remove spec.adoption. The operator then deletes this "
        "mapping and creates a new one.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("AdoptedMappingDiffers", ""): Row(
        "The adopted {mapping} in {place} differs from the spec in fields that AWS cannot change. They are {adopted}.",
        "To keep the mapping, set these fields to the values in AWS, and set spec.replacePolicy to Recreate in the "
        "same edit. The API server refuses the edit without it. The operator does not replace a mapping that matches "
        "the spec.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("AdoptedMappingDiffers", "Reference"): Row(
        "The adopted {mapping} in {place} differs from the spec in fields that AWS cannot change. They are {adopted}. "
        "References supply some of these values.",
        "To keep the mapping, set these fields to the values in AWS in place of their references, and set "
        "spec.replacePolicy to Recreate in the same edit. The API server refuses the edit without it. The operator "
        "does not replace a mapping that matches the spec. To replace the mapping, restore the references after that.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("DisabledInAWS", ""): Row(
        "AWS itself has disabled the {mapping} in {place}, and spec.enabled is not set.{aws_reason}",
        "Correct the cause, and enable the mapping in AWS. To have the operator enable the mapping each time that AWS "
        "disables it, set spec.enabled to true. To keep the mapping disabled, set spec.enabled to false.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("DisabledInAWS", "Ignored"): Row(
        "AWS itself has disabled the {mapping} in {place}, and spec.ignoreChanges has the entry enabled.{aws_reason}",
        "Correct the cause, and enable the mapping in AWS. To have the operator enable the mapping each time that AWS "
        "disables it, remove enabled from spec.ignoreChanges and set spec.enabled to true.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    # A mapping of another owner blocks the resource.
    ("Conflict", "Owned"): Row(
        f"{_BLOCKING}, and belongs to {{owner}} (cluster/namespace/name).",
        "To take the mapping over, set spec.adoption to {{policy: IfExists, uuid: {uuid}, takeOverFrom: {owner}}}. "
        "The other resource then shows Conflict, and deleting it does not delete the mapping. "
        f"{_DELETED_TOO} {_KEEP_OTHER}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Hidden"): Row(
        f"{_BLOCKING}, and {{whose}}.",
        f"{_NEEDS_CONSENT} {_KEEP_OTHER}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "HiddenNamed"): Row(
        "spec.adoption.uuid names mapping {uuid} in {place}, which {whose}.",
        f"Correct spec.adoption.uuid. {_NEEDS_CONSENT}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "HiddenRecorded"): Row(
        f"{_BLOCKING}, and {{whose}}.",
        "To give the mapping to this resource, its owner sets spec.deletionPolicy of the other resource to Retain and "
        f"deletes that resource. Then set spec.adoption to {_IF_EXISTS}. {_KEEP_OTHER}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Unowned"): Row(
        f"{_BLOCKING}, and belongs to no resource.",
        f"To adopt the mapping, set spec.adoption to {_IF_EXISTS}. {_DELETED_TOO} If nothing uses the "
        "mapping, you can also delete it in AWS.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Managed"): Row(
        f"{_BLOCKING}.{{manager}}",
        "Do not delete the mapping. First let the other tool release it (for example with terraform state rm), so that "
        f"two tools do not change one mapping. Then set spec.adoption to {_IF_EXISTS} to adopt the mapping. "
        f"{_DELETED_TOO}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Recorded"): Row(
        f"{_BLOCKING}, and belongs to {{owner}} (cluster/namespace/name), whose status records the mapping.",
        "To give the mapping to this resource, set spec.deletionPolicy of the other resource to Retain, delete that "
        f"resource, and then set spec.adoption to {_IF_EXISTS}. {_KEEP_OTHER}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Unrecorded"): Row(
        f"{_BLOCKING}, and the status of this resource does not record the mapping. The operator works without tags "
        "here, so it cannot see whether the mapping has another owner.",
        "If no resource of another cluster and no other tool manages the mapping, set spec.adoption to "
        f"{_IF_EXISTS} to adopt it. {_DELETED_TOO} "
        f"{_KEEP_OTHER}",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "TagsRemoved"): Row(
        "The operator's tags (esm-operator.io/...) were removed from mapping {uuid} of this resource in {place}. The "
        "operator neither changes the mapping nor deletes it with the resource.{manager}",
        "If another tool manages the mapping now, let it release the mapping first. To restore the tags, set "
        f"spec.adoption to {_IF_EXISTS}.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Claimed"): Row(
        f"{_BLOCKING}. {{rival}} claims the mapping too, and gets it because it is older. If that resource does not "
        "adopt the mapping within one minute, this resource adopts it.",
        "If the other resource must get the mapping, correct the spec or delete this resource.",
        Next.CONTINUES,
        Ends.PERSON,
    ),
    ("Conflict", "ComesFirst"): Row(
        "{rival} had a mapping in {place} with the function and the event source, or in the consumer group, of this "
        "resource. The mapping is missing, and only that resource may create it now.{kept}",
        _KEEP_OTHER_RESOURCE,
        Next.POLL,
        Ends.PERSON,
    ),
    ("Conflict", "OtherIdentity"): Row(
        "spec.adoption.uuid names mapping {uuid} in {place}, which has another function or event source than the spec. "
        "The mapping has {found}, and {whose}.{manager}",
        "Correct spec.adoption.uuid, or the function and the event source in the spec.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "KeepsOwn"): Row(
        "The edited spec has the function and the event source of mapping {uuid} in {place}, and that mapping "
        "{whose}.{manager}{kept}",
        "Undo the edit. If nothing needs the other mapping, you can also delete it first, with its resource or with "
        "the tool that manages it.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "Ring"): Row(
        "Resources with mappings in {place} wait for each other ({ring}). Each resource needs the function and the "
        "event source that the mapping of the next resource still has.{kept}",
        "Set spec.functionName of one of them to another alias of its function. The alias can point to the same "
        "version. When all resources are Ready, set spec.functionName to the present value again. No record is lost.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "ConsumerGroup"): Row(
        'Mapping {uuid} ({found}) in {place} uses the Kafka cluster and the consumer group "{group.name}" of this '
        "resource, and {whose}. AWS accepts only one mapping in each consumer group.{kept}",
        "Set spec.{group.path} to another group. If nothing needs the other mapping, you can also delete it first. If "
        "the other mapping has a resource, delete the resource.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("Conflict", "ConsumerGroupHidden"): Row(
        'Mapping {uuid} in {place} uses the Kafka cluster and the consumer group "{group.name}" of this resource, and '
        "{whose}. AWS accepts only one mapping in each consumer group.{kept}",
        "Set spec.{group.path} to another group.",
        Next.PERSON,
        Ends.PERSON,
    ),
    # The account and region are unknown, or are not those of the mapping.
    ("ProviderConfigNotFound", ""): Row(
        'The ProviderConfig "{config}" of the {mapping} does not exist. The operator neither changes '
        "nor deletes the mapping until the ProviderConfig exists.",
        "Create the ProviderConfig. If the resource has a mapping, the ProviderConfig must lead to the account and the "
        "region in the status of the resource. If the resource has no mapping, you can also create the resource again "
        "without spec.providerConfigRef.",
        Next.CHANGE,
    ),
    ("ProviderConfigNotFound", "Gone"): Row(
        'The ProviderConfig "{config}" of the {mapping} was deleted. The operator does not manage the mapping until '
        "the ProviderConfig exists again.",
        "Create the ProviderConfig again. It must lead to the account and the region in the status of the resource.",
        Next.CHANGE,
    ),
    ("ProviderConfigRequired", ""): Row(
        'No ProviderConfig applies to the {mapping} in the namespace "{namespace}". The operator neither changes nor '
        "deletes the mapping until one does.",
        "Create a ProviderConfig with the name default, or name a ProviderConfig in the label {label} of the "
        "namespace. If the resource has no mapping yet, you can also create the resource again with "
        "spec.providerConfigRef. To let resources without a ProviderConfig use the operator's own credentials, start "
        "the operator with --operator-credentials=WithoutProviderConfig (operatorCredentials in the values of the "
        "chart).",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ProviderConfigNotFound", "Labelled"): Row(
        'The ProviderConfig "{config}" of the {mapping} does not exist. The label {label} of the namespace '
        '"{namespace}" names it. The operator neither changes nor deletes the mapping until the ProviderConfig exists.',
        "Create the ProviderConfig, or correct the label. If the resource has a mapping, the ProviderConfig must lead "
        "to the account and the region in the status of the resource.",
        Next.CHANGE,
    ),
    ("ProviderConfigDeleting", ""): Row(
        'The operator does not create the {mapping}, because the ProviderConfig "{config}" is being deleted.',
        "Wait until the ProviderConfig is deleted, and create it again. kubectl describe of the ProviderConfig shows "
        "why its deletion waits. You can also create the resource again with another ProviderConfig.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ProviderConfigForbidsNamespace", ""): Row(
        'The ProviderConfig "{config}" of the {mapping} does not admit the namespace "{namespace}". The operator '
        "neither changes nor deletes the mapping until it does.",
        "Add the labels of the ProviderConfig's spec.namespaceSelector to the namespace. If the resource has no "
        "mapping yet, you can also create it again with another ProviderConfig.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ProviderConfigForbidsNamespace", "LabelsUnknown"): Row(
        'The ProviderConfig "{config}" of the {mapping} has a namespaceSelector. The operator does not know the labels '
        'of the namespace "{namespace}", because it runs with --no-watch-namespace-labels.',
        "Let the operator watch the labels (watchNamespaceLabels: true in the values of the chart), or remove "
        "spec.namespaceSelector.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ProviderConfigForbidsNamespace", "LabelsPending"): Row(
        'The operator does not know the labels of the namespace "{namespace}" yet. They decide which ProviderConfig '
        "the {mapping} uses, and whether the ProviderConfig admits the namespace.",
        next=Next.CONTINUES,
    ),
    ("ProviderConfigForbidsNamespace", "EmptySelector"): Row(
        'The ProviderConfig "{config}" of the {mapping} admits no namespace, because its spec.namespaceSelector is '
        "empty. Perhaps a key in it was misspelt. The operator neither changes nor deletes the mapping.",
        "Correct spec.namespaceSelector of the ProviderConfig. To admit all namespaces, remove namespaceSelector.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("NotAllowed", ""): Row(
        'The ProviderConfig "{config}" does not allow the namespace "{namespace}" to use spec.{field} "{value}". '
        "Its spec.{list} allows {patterns}. The operator neither creates nor changes the {mapping}. If you delete the "
        "resource, the operator still deletes the mapping.",
        "Correct spec.{field}, or add a pattern to spec.{list} of the ProviderConfig.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("NotAllowed", "Found"): Row(
        'The ProviderConfig "{config}" does not allow the namespace "{namespace}" to use the {field} of mapping '
        "{uuid} in {place}. So the operator neither adopts the mapping nor shows it.",
        "Correct spec.adoption, or add a pattern to spec.{list} of the ProviderConfig.",
        Next.PERSON,
        Ends.PERSON,
    ),
    ("RegionNotAllowed", ""): Row(
        'The ProviderConfig "{config}" of the {mapping} does not allow the region {region}. It allows {allowed}. The '
        "operator neither changes nor deletes the mapping until it does.",
        "Add the region to spec.allowedRegions of the ProviderConfig. If the resource has no mapping yet, you can also "
        "create it again with another region.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("RegionUnknown", ""): Row(
        "The operator does not manage the {mapping}, because it does not know the AWS region {region}. The region "
        "comes from {setting}.",
        "Correct the region. If the region is new, update the operator, or start it with --more-regions={region} "
        "(value moreRegions of the chart).",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("TargetChanged", ""): Row(
        "The {mapping} is in account {account}, region {region}. A change of {cause} or of the operator's settings "
        "now leads to {now}.",
        "Undo the change. To move the mapping, undo the change, delete this resource, make the change again, and "
        "create the resource again.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("TargetChanged", "Through"): Row(
        'The {mapping} was made through the ProviderConfig "{config}", in account {account}, region {region}. A change '
        "of {cause} or of the operator's settings now leads to {now}.",
        'Undo the change, so that the ProviderConfig "{config}" leads there again. To move the mapping, undo the '
        "change, delete this resource, make the change again, and create the resource again.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("TooManyTargets", ""): Row(
        'The namespace "{namespace}" uses {limit} targets already, which is the limit for a namespace. A target is a '
        "region that is reached with the settings of one ProviderConfig. The {mapping} needs one more target, in "
        "{region}, so the operator does not manage it.",
        "Delete the resources of a target that the namespace does not need, or start the operator with a higher "
        "--targets-per-namespace (value targetsPerNamespace of the chart).",
        Next.ROOM,
        Ends.PERSON,
    ),
    ("TooManyTargets", "Total"): Row(
        "All namespaces together use nearly as many targets as the operator may use, which is {limit}. A target is a "
        "region that is reached with the settings of one ProviderConfig. The {mapping} needs one more target, in "
        '{region}, and the namespace "{namespace}" has its share, so the operator does not manage it.',
        "Delete the resources of targets that are not needed, or start the operator with a higher --max-targets "
        "(value maxTargets of the chart).",
        Next.ROOM,
        Ends.PERSON,
    ),
    # A reference to another object has no value.
    ("ReferenceNotFound", ""): Row(
        "The {object} does not exist, so the operator cannot get the value of spec.{field}.{last_value}",
        "Create the {object}, or correct spec.{field}.",
        Next.CHANGE,
    ),
    ("ReferenceNotFound", "Kind"): Row(
        "The API server has no kind {kind} in {api_version}, so the operator cannot get the value of "
        "spec.{field}.{last_value}",
        "Install the CustomResourceDefinition of {kind}, or correct apiVersion and kind in spec.{field}.",
        Next.CHANGE,
    ),
    ("ReferenceNotReady", ""): Row(
        "The {object} has no value in {value_field} yet, so the operator cannot get the value of "
        "spec.{field}.{last_value}",
        "Check the conditions of the {object}, or correct spec.{field}.",
        Next.CHANGE,
    ),
    ("ReferenceNotReady", "Deleting"): Row(
        "The {object} is being deleted, so the operator cannot get the value of spec.{field}.{last_value}",
        "Create the {object} again after its deletion, or correct spec.{field}.",
        Next.CHANGE,
    ),
    ("ReferenceNotReady", "Loading"): Row(
        "The operator is reading the objects of kind {kind} ({api_version}), because spec.{field} refers to one of "
        "them.{last_value}",
        next=Next.CONTINUES,
    ),
    ("ReferenceNotReady", "Unavailable"): Row(
        "The API server does not answer requests for {kind} ({api_version}), so the operator cannot get the value of "
        "spec.{field}.{last_value}",
        "The log of the operator shows the error. Check the conversion webhook of the kind, or the extension API "
        "server of its group.",
        Next.CONTINUES,
    ),
    ("ReferenceForbidden", ""): Row(
        'The {object} does not exist, or does not allow references from the namespace "{namespace}". So the '
        "operator cannot get the value of spec.{field}.{last_value}",
        'Set the annotation {annotation} of the {object} to "{namespace}", or correct spec.{field}.',
        Next.CHANGE,
    ),
    ("ReferenceForbidden", "Access"): Row(
        "The operator has no permission to list and watch {kind} ({api_version}), so it cannot "
        "get the value of spec.{field}.{last_value}",
        "{grant} If references.aggregate is true, you can also add a rule to a ClusterRole with the label "
        'lambda.esm-operator.io/aggregate-to-references: "true".',
        Next.CONTINUES,
    ),
    ("ReferenceForbidden", "Namespace"): Row(
        "spec.{field} refers to the {object}. The operator does not manage this namespace, so it reads no objects "
        "there.{last_value}",
        'Refer to an object in the namespace "{namespace}", or add the namespace of the object to the namespaces that '
        "the operator manages (setting --namespaces, value namespaces of the chart).",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("ReferenceForbidden", "Limit"): Row(
        'The resources of the namespace "{namespace}" refer to too many kinds, so the operator does not watch {kind} '
        "({api_version}) for them and cannot get the value of spec.{field}. The operator watches at most {watches} "
        "kinds for the references of each namespace, and at most about {max_watches} kinds for the references of all "
        "namespaces.{last_value}",
        "Remove references to kinds that the namespace does not need, and correct kinds that do not exist.",
        Next.ROOM,
        Ends.PERSON,
    ),
    ("InvalidSpec", "Values"): Row("The values of references are {references}.", next=Next.PART),
    ("InvalidSpec", "Reference"): Row(
        "The spec of the {mapping} in {place} is invalid. {value_field} of the {object} is {detail}, but spec.{field} "
        f"needs a string of at most {LONGEST_VALUE:,} characters.{{last_value}}",
        "Correct fieldPath or key in spec.{field}.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("InvalidSpec", "ReferenceKind"): Row(
        "The spec of the {mapping} in {place} is invalid. spec.{field} refers to {kind} ({api_version}), but the "
        "operator never reads Secrets of Kubernetes or resources of its own kinds.{last_value}",
        "Refer to an object of another kind, such as a ConfigMap, or set spec.{replaced} instead of spec.{field}.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("InvalidSpec", "ReferenceOutputs"): Row(
        "The spec of the {mapping} in {place} is invalid. spec.{field} refers to the {object}, to which the operator "
        "writes the outputs of a mapping.{last_value}",
        "Refer to another object, or set spec.{replaced} instead of spec.{field}.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    # AWS refused a request, or could not be reached.
    ("NoRegion", ""): Row(
        "The operator does not know the AWS region of the {mapping}.",
        "Set the ProviderConfig's spec.region or the operator's --region, or create the resource again with "
        "spec.region.",
        Next.CHANGE,
        Ends.PERSON,
    ),
    ("AWSResourceNotFound", ""): Row(
        "AWS did not find a resource in {place} that the {mapping} refers to.",
        "Create the resource that AWS names, or correct the spec.",
        Next.FAILURE,
    ),
    ("AWSUnavailable", ""): Row("AWS failed to process a request in {place}.", next=Next.FAILURE),
    ("AWSUnreachable", ""): Row(
        "The operator could not reach AWS in {place}.",
        "Check the network, the region and the endpoint URL.",
        Next.FAILURE,
    ),
    ("AccessDenied", ""): Row(
        "AWS denied the action {action} in {place}.",
        "Allow the operator's IAM identity the action {action}.",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    ("ClockSkewed", ""): Row(
        "AWS refused a request in {place}, because the clock of the operator's node is wrong by minutes.",
        "Set the clock of the node (NTP, or chrony with the Amazon Time Sync Service).",
        Next.FAILURE,
    ),
    ("CredentialsRefused", ""): Row(
        "AWS refused the operator's credentials in {place}.",
        "Give the operator valid AWS credentials (IRSA, EKS Pod Identity or environment variables). If you change its "
        "environment variables or its ServiceAccount, restart its pods.",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    ("EventSourceNotFound", ""): Row(
        "AWS did not find the {event_source} in {place}.",
        "Create the event source, or correct spec.eventSourceARN.",
        Next.FAILURE,
    ),
    ("FunctionNotFound", ""): Row(
        "{Function} was not found in {place}.",
        "Create the function, or correct spec.functionName.",
        Next.FAILURE,
    ),
    ("KMSKeyRefused", ""): Row(
        "AWS cannot use the KMS key of the {mapping} in {place}.",
        "Check spec.kmsKeyARN. The key must be enabled, and its policy must allow the operator's IAM identity and "
        "Lambda to use it.",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    ("NoCredentials", ""): Row(
        "The operator has no AWS credentials for {place}.",
        "Give the operator's ServiceAccount an IAM role (IRSA or EKS Pod Identity), or set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY. Then restart the operator's pods, because a pod gets new variables only at its start.",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    ("NotFound", "Refused"): Row(
        "AWS did not find the {mapping} in {place}.",
        "If the mapping was deleted outside of Kubernetes, the operator creates it again, but not if "
        "spec.adoption.policy is Required. In that case, set the policy to IfExists to get a new mapping.",
        Next.FAILURE,
    ),
    ("OperationInProgress", ""): Row("AWS is still changing the {mapping} in {place}.", next=Next.FAILURE),
    ("QuotaExceeded", ""): Row(
        "A quota of AWS in {place} is used up.",
        "Request a higher quota in Service Quotas, or use less of it.",
        Next.FAILURE,
        Ends.PERSON,
    ),
    ("RefusedByAWS", ""): Row(
        "AWS refused a request for the {mapping} in {place}.",
        "Correct the spec or the AWS resource that it refers to.",
        Next.FAILURE,
        Ends.PERSON,
    ),
    ("RefusedByAWS", "UnknownCode"): Row(
        'AWS refused a request for the {mapping} in {place} with the error "{code}", which the operator does not know.',
        "If the error lasts, correct the spec or the AWS resource that it refers to.",
        Next.FAILURE,
    ),
    ("RegionDisabled", ""): Row(
        "The AWS account has not enabled the region, so AWS refused a request in {place}.",
        "Enable the region for the account. If AWS names STS, activate STS for the region in the account settings of "
        "IAM. If the region is wrong, correct the region of the ProviderConfig, or create the resource again with "
        "another spec.region.",
        Next.FAILURE,
        Ends.PERSON,
    ),
    ("RequestNotUnderstood", ""): Row(
        "The endpoint for {place} did not understand a request of the operator.",
        "Check that the endpoint URL (spec.endpointURL of the ProviderConfig, --endpoint-url) leads to AWS. If it "
        "does, update the operator, or open an issue of esm-operator with the operator's log.",
        Next.FAILURE,
        Ends.PERSON,
    ),
    ("RoleLacksPermission", ""): Row(
        "The execution role of {function} in {place} lacks a permission for the event source, or Lambda cannot assume "
        "the role.",
        "If the role was just created or changed, wait some minutes. Otherwise give the function's execution role the "
        "permissions that the event source needs.",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    ("RoleNotAssumable", ""): Row(
        "The operator could not assume the IAM role for {place}.",
        "Allow the operator's IAM identity sts:AssumeRole on the role in spec.roleARN of the ProviderConfig. The trust "
        "policy of the role must admit this identity (with spec.externalID if the policy requires an external ID).",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    ("TagsNotSupported", ""): Row(
        "AWS does not accept tags on event source mappings in {place}.",
        "To create mappings without tags, set spec.ownership of the ProviderConfig to ResourceOnly. If there is no "
        "ProviderConfig, start the operator with --ownership=resource-only. Without tags, the operator cannot see "
        "whether a mapping in AWS has another owner.",
        Next.FAILURE,
        Ends.PERSON,
    ),
    ("Throttled", ""): Row(
        "AWS throttled the operator in {place}, because a request quota is used up.",
        "The operator has lowered its request rate. If the throttling lasts, look for other clients of the Lambda API "
        "in this account and region.",
        Next.FAILURE,
    ),
    ("WebIdentityRefused", ""): Row(
        "AWS refused the web identity token of the operator's ServiceAccount for {place}.",
        "Check the annotation eks.amazonaws.com/role-arn of the ServiceAccount (IRSA). If you change it, restart the "
        "operator's pods. The trust policy of that role must name this cluster's OIDC provider and the operator's "
        "ServiceAccount.",
        Next.FAILURE,
        Ends.PERMISSION,
    ),
    # No change is needed.
    ("InSync", "Synced"): Row("The {mapping} in {place} matches the spec."),
    ("InSync", "TagsLate"): Row(
        " The operator reads the tags of one mapping after the other, because it cannot use the tagging API. With many "
        "mappings, it notices changed tags hours late.",
        next=Next.PART,
    ),
    ("InSync", "Before"): Row(
        "AWS is changing the {mapping} in {place}. The mapping matched the spec before this change. The operator "
        "compares it again when AWS has finished."
    ),
    ("InSync", "Differs"): Row(
        "The {mapping} in {place} does not match the spec. The condition Ready shows the cause."
    ),
    ("InSync", "NotCompared"): Row("The operator has not compared the {mapping} with AWS yet."),
    ("InSync", "Terminating"): Row(
        "The operator does not compare the {mapping}, because the resource is being deleted."
    ),
    ("InSync", ""): Row("The {mapping} in {place} is {state}."),
    ("InSync", "Disabled"): Row("The {mapping} in {place} is disabled, as spec.enabled requires."),
    ("InSync", "DisabledByUser"): Row(
        "The {mapping} in {place} is disabled. spec.enabled is not set, so the operator leaves the mapping as it is.",
        "To have the operator enable the mapping and keep it enabled, set spec.enabled to true.",
    ),
    ("InSync", "DisabledIgnored"): Row(
        "The {mapping} in {place} is disabled. spec.ignoreChanges has the entry enabled, so the operator leaves the "
        "mapping as it is.",
        "To have the operator manage this field again, remove enabled from spec.ignoreChanges.",
    ),
    ("InSync", "Paused"): Row(
        f"{{settled}} The operator changes nothing in AWS while the annotation {_PAUSED} is set."
    ),
    ("InSync", "Unseen"): Row("The {mapping} in {place} matched the spec when the operator last read it. {message}"),
    ("Observed", ""): Row(
        "The {mapping} in {place} is {state}. The operator changes nothing, because spec.managementPolicy is Observe."
    ),
    ("Observed", "Differs"): Row(
        "The {mapping} in {place} differs from the spec. The change {update} would correct it. The operator changes "
        "nothing, because spec.managementPolicy is Observe."
    ),
    ("KeptByAWS", ""): Row(
        "AWS keeps the last value of {fields} of the {mapping} in {place}, although the spec no longer sets it. All "
        "other fields match the spec.{refused}",
        "If the value is acceptable, do nothing. To change the value, set the field. To get the default, delete the "
        "resource and create it again. The new mapping of a stream reads from spec.startingPosition.",
    ),
    ("KeptByAWS", "Refused"): Row(
        ' AWS refused to reset {fields} and answered "{sentence}" The operator retries the reset after the next edit.',
        next=Next.PART,
    ),
    # AWS refuses some fields of an Update.
    ("RefusedByAWS", "Fields"): Row("AWS refuses to change {fields}. {message}", next=Next.PART),
    ("RefusedByAWS", "Kept"): Row(
        "The {mapping} in {place} does not match the spec. The condition Ready shows the cause. {kept_fields}",
        next=Next.PART,
    ),
    ("ReferencesResolved", ""): Row(
        "Each reference has the present value of its object. status.references shows the values.", next=Next.PART
    ),
    # The last poll of Lambda.
    ("NoProblem", ""): Row("{result}", next=Next.PART),
    ("ProcessingProblem", ""): Row(
        'Lambda reports "{result}" for the {mapping} in {place}.',
        "See the logs of {function}, and the permissions of its execution role for the event source.",
        Next.EVENT,
    ),
    ("FilterCriteriaError", ""): Row(
        "AWS cannot decrypt the filter criteria of the {mapping} in {place}. {answer} {remedy}", next=Next.EVENT
    ),
    ("FilterCriteriaError", "Answer"): Row('AWS answered with {code} and "{sentence}"', next=Next.PART),
    ("FilterCriteriaError", "NoAnswer"): Row("AWS answered with {code} and without an explanation.", next=Next.PART),
    ("FilterCriteriaError", "Remedy"): Row(
        "Make sure that the key in spec.kmsKeyARN is enabled, and that its policy allows Lambda to decrypt.",
        next=Next.PART,
    ),
    # Events.
    ("ProcessingRecovered", ""): Row("The {mapping} in {place} works again. {result}"),
    ("UnknownAnnotation", ""): Row(NO_EFFECT, "{remedy}"),
    ("AnotherOperator", ""): Row(
        "Another operator changes the same resources. It uses the lease {other}, and this operator uses the lease "
        "{own}. This operator continues, and each of the two overwrites the changes of the other.",
        f"To correct this, {_ONE_OPERATOR} If the lease {{other}} does not exist, a user who can edit the resources "
        "may have written to them with this name as field manager. The readiness probe reports this until the other "
        "operator has made no change for one hour.{ago}",
    ),
    ("AnotherOperator", "AtStart"): Row(
        "Within the last hour, the operator of the lease {other} was the last to change {resources} of this "
        "operator. This operator manages these resources now, and does not know whether the other operator still runs.",
        "Look at spec.renewTime of the lease {other}. If it is more than a minute old, the other operator has stopped, "
        "and no action is needed. If it is less than a minute old, both operators change the same resources. In this "
        f"case, {_ONE_OPERATOR} The readiness probe reports this for one hour after the start.",
    ),
    ("Created", ""): Row("Created mapping {uuid} of {function} in {place}."),
    ("Created", "FromStart"): Row(
        " The new mapping reads from spec.startingPosition, so records can be skipped or processed again.",
        next=Next.PART,
    ),
    ("CreatedAgain", ""): Row(
        "The mapping of {function} in {place} was deleted outside of Kubernetes. Created it again as mapping {uuid}."
        "{position}"
    ),
    ("Adopted", ""): Row(
        "Adopted mapping {uuid} of {function} in {place}, which had no owner. Deleting this resource also deletes the "
        "mapping, unless spec.deletionPolicy is Retain."
    ),
    ("Adopted", "TakenOver"): Row(
        "Took over mapping {uuid} of {function} in {place} from {previous} (cluster/namespace/name). Deleting this "
        "resource also deletes the mapping, unless spec.deletionPolicy is Retain."
    ),
    ("Updated", ""): Row("Updated the {mapping} in {place} to match the spec. {change}."),
    ("Tagged", ""): Row("Changed tags of the {mapping} in {place} to match the spec and the default tags. {change}."),
    ("DriftCorrected", ""): Row(
        "Corrected drift of the {mapping} in {place}, which was changed outside of Kubernetes. Correction: "
        "{change}.{aws_reason}"
    ),
    ("ReferenceChanged", ""): Row(
        "The value that spec.{field} takes from the {object} has changed from {old} to {new}."
    ),
    ("Replacing", "Deleting"): Row(
        "Deleting mapping {uuid} of {function} in {place} to create it again, because AWS cannot change {fields}."
        "{position}"
    ),
    ("Replacing", "Created"): Row(
        "Created mapping {successor} of {function} in {place}. It replaces mapping {uuid}, because AWS cannot change "
        "{fields}. Deleting mapping {uuid}.{position}"
    ),
    ("Replacing", "SameGroup"): Row(
        ' The new mapping joins the consumer group "{group}" again and continues from the committed offsets. If the '
        "group has no committed offsets, it reads from spec.startingPosition.",
        next=Next.PART,
    ),
    ("ReplacementFailed", ""): Row(
        "The operator could not create the mapping that replaces mapping {uuid} in {place}. Mapping {uuid} still "
        "works. {message}"
    ),
    ("ReplacementFailed", "Deleted"): Row(
        "The operator deleted mapping {uuid} in {place} to replace it, and could not create the new mapping. Nothing "
        "is processed now. {message}"
    ),
    ("Deleting", "Sent"): Row("Deleting mapping {uuid} of {function} in {place}."),
    ("Deleting", "Discarded"): Row(
        "Deleting mapping {uuid} of {function} in {place}, which remained after a cancelled replacement."
    ),
    ("Released", ""): Row(
        "Released mapping {uuid} of {function} in {place}, as spec.deletionPolicy requires. The mapping remains in AWS."
    ),
    ("Orphaned", ""): Row(
        "Deleted the resource without its mapping, as the annotation lambda.esm-operator.io/orphan requires. {left} in "
        "{place} with its tags."
    ),
    ("HandedOver", ""): Row("Deleted the resource. Its mapping {uuid} in {place} now belongs to {heir}."),
    ("MappingNotDeleted", "Observed"): Row(
        f"{_LEFT} spec.managementPolicy is Observe.", f"If the mapping is in use, no action is needed. {_DELETE_IT}"
    ),
    ("MappingNotDeleted", "Unrecorded"): Row(
        f"{_LEFT} the operator cannot prove that this resource owned it.", f"{_STILL_INVOKES} {_DELETE_IT}"
    ),
    ("MappingNotDeleted", "TagsRemoved"): Row(
        f"{_LEFT} the operator's tags were removed from it.", f"{_STILL_INVOKES} {_DELETE_IT}"
    ),
    ("MappingNotDeleted", "Owned"): Row(
        f"{_LEFT} it {{whose}}.",
        "If this owner exists, no action is needed, because the owner manages the mapping.",
    ),
    ("MappingNotDeleted", "Removed"): Row(
        "The API server deleted this resource while the operator was adding its finalizer, so the finalizer had no "
        "effect. The operator could not delete the {mapping}, which may remain in {place}.",
        "The operator does not try again. To check whether the mapping exists, run esm-operator orphans. If nothing "
        "needs the mapping, delete it in AWS.",
    ),
    # The ProviderConfig.
    ("InUse", ""): _IN_USE,
    ("MappingsRemain", ""): _IN_USE,
    ("ResourcesRefused", ""): Row(
        "The deletion of this ProviderConfig waits, because it refuses {count} ({users}). Without the ProviderConfig, "
        "the operator would use its own credentials for them.",
        "To finish the deletion, delete these resources, or start the operator with --operator-credentials=Never "
        "(operatorCredentials in the values of the chart). If they may use the operator's own credentials, let the "
        "ProviderConfig admit them (spec.namespaceSelector, spec.allowedRegions).",
        Next.CONTINUES,
    ),
}

#: The reasons that end by a change of permissions, keys or credentials.
PERMISSIONS = frozenset(reason for (reason, _), row in TABLE.items() if row.ends is Ends.PERMISSION)
