"""All reasons of conditions and Events. A test compares them with the code and with docs/reference/reasons.

A reason is one CamelCase word, for programs. The type checker refuses reasons that are not listed here.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

#: AWS has refused a request, or could not be reached.
RefusalReason: TypeAlias = Literal[
    "AWSResourceNotFound",
    "AWSUnavailable",
    "AWSUnreachable",
    "AccessDenied",
    "ClockSkewed",
    "CredentialsRefused",
    "EventSourceNotFound",
    "FunctionNotFound",
    "KMSKeyRefused",
    "NoCredentials",
    "NoRegion",
    "NotFound",
    "OperationInProgress",
    "OperatorError",
    "QuotaExceeded",
    "RefusedByAWS",
    "RegionDisabled",
    "RequestNotUnderstood",
    "RoleLacksPermission",
    "RoleNotAssumable",
    "TagsNotSupported",
    "Throttled",
    "WebIdentityRefused",
]

#: There is no account and region for the mapping, or they have changed, or the ProviderConfig does not allow it.
TargetReason: TypeAlias = Literal[
    "NoRegion",
    "NotAllowed",
    "ProviderConfigDeleting",
    "ProviderConfigForbidsNamespace",
    "ProviderConfigNotFound",
    "ProviderConfigRequired",
    "RegionNotAllowed",
    "RegionUnknown",
    "TargetChanged",
    "TooManyTargets",
]

#: A reference to another object has no value.
ReferenceReason: TypeAlias = Literal["ReferenceForbidden", "ReferenceNotFound", "ReferenceNotReady"]

#: The states of a mapping in AWS. They are reasons if there is no other.
StateReason: TypeAlias = Literal["Creating", "Deleting", "Disabled", "Disabling", "Enabled", "Enabling", "Updating"]

#: Decisions of the planner.
PlanReason: TypeAlias = Literal[
    "Conflict",
    "CreateOutcomeUnknown",
    "HandingOver",
    "ImmutableFieldChanged",
    "InvalidSpec",
    "NotFound",
    "NothingToAdopt",
    "Paused",
    "PredecessorDeleting",
    "Replacing",
    "TagsNotVisible",
    "WaitingForSweep",
]

#: The ConfigMap of ``spec.outputs`` does not have the values.
OutputsReason: TypeAlias = Literal["OutputsConflict", "OutputsForbidden", "OutputsNotWritten"]

#: The reasons of the conditions Ready, Reconciling, Stalled and Synced of an EventSourceMapping.
OutcomeReason: TypeAlias = (
    RefusalReason
    | TargetReason
    | ReferenceReason
    | StateReason
    | PlanReason
    | OutputsReason
    | Literal[
        "AdoptedMappingDiffers", "ChangeNotKept", "DeletionsHeld", "DisabledInAWS", "InSync", "KeptByAWS", "Observed"
    ]
)

#: Lambda's last processing result: the condition Processing.
ProcessingReason: TypeAlias = Literal["FilterCriteriaError", "NoProblem", "ProcessingProblem"]

#: The condition UnknownAnnotations, and the Event when it begins.
AnnotationReason: TypeAlias = Literal["UnknownAnnotation"]

#: The condition ReferencesResolved, if all references have their present values.
ResolvedReason: TypeAlias = Literal["ReferencesResolved"]

ConditionReason: TypeAlias = OutcomeReason | ProcessingReason | AnnotationReason | ResolvedReason

#: The reasons of Events only.
HappeningReason: TypeAlias = Literal[
    "Adopted",
    "AnotherOperator",
    "Created",
    "CreatedAgain",
    "DriftCorrected",
    "DriftObserved",
    "HandedOver",
    "MappingNotDeleted",
    "Orphaned",
    "ProcessingRecovered",
    "ReferenceChanged",
    "Released",
    "ReplacementFailed",
    "Tagged",
    "Updated",
]

EventReason: TypeAlias = ConditionReason | HappeningReason

#: Of the condition and the Event of a ProviderConfig.
ProviderConfigReason: TypeAlias = Literal["InUse", "MappingsRemain", "ResourcesRefused"]

#: The reasons of conditions.
CONDITION_REASONS: frozenset[str] = frozenset(reason for part in get_args(ConditionReason) for reason in get_args(part))

#: The states of a mapping in AWS.
STATES: Mapping[str, StateReason] = {state: state for state in get_args(StateReason)}


def of_state(state: str) -> OutcomeReason:
    """The reason for a mapping's state; ``InSync`` if there is none, or AWS has a new one."""
    return STATES.get(state, "InSync")
