"""The reasons that conditions and Events can have, all of them, so that nobody meets one that is explained nowhere.

A reason is one CamelCase word, for programs; docs/troubleshooting.md has a section for each, headed by it. What
carries a reason has one of these types, so the type checker refuses what is not listed; a test compares the lists with
the code and with the page.
"""

from typing import Literal, TypeAlias, get_args

#: AWS has refused something, or could not be asked.
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

#: There is no account and region to work in, or not the one where the mapping was made.
TargetReason: TypeAlias = Literal[
    "NoRegion",
    "ProviderConfigDeleting",
    "ProviderConfigForbidsNamespace",
    "ProviderConfigNotFound",
    "RegionNotAllowed",
    "TargetChanged",
]

#: The states of a mapping at AWS, which are reasons while nothing else is to be told.
StateReason: TypeAlias = Literal["Creating", "Deleting", "Disabled", "Disabling", "Enabled", "Enabling", "Updating"]

#: What the planner waits for, or what a person has to do.
PlanReason: TypeAlias = Literal[
    "Conflict",
    "CreateOutcomeUnknown",
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

#: What else the conditions Ready, Reconciling, Stalled and Synced of an EventSourceMapping can have.
OutcomeReason: TypeAlias = (
    RefusalReason
    | TargetReason
    | StateReason
    | PlanReason
    | Literal[
        "AdoptedMappingDiffers", "ChangeNotKept", "DeletionsHeld", "DisabledInAWS", "InSync", "KeptByAWS", "Observed"
    ]
)

#: What Lambda says of its last poll: the condition Processing.
ProcessingReason: TypeAlias = Literal["FilterCriteriaError", "NoProblem", "ProcessingProblem"]

#: The condition UnknownAnnotations, and the Event when it begins.
AnnotationReason: TypeAlias = Literal["UnknownAnnotation"]

ConditionReason: TypeAlias = OutcomeReason | ProcessingReason | AnnotationReason

#: What is told in an Event alone.
HappeningReason: TypeAlias = Literal[
    "Adopted",
    "AnotherOperator",
    "Created",
    "CreatedAgain",
    "DriftCorrected",
    "DriftObserved",
    "MappingNotDeleted",
    "Orphaned",
    "ProcessingRecovered",
    "Released",
    "ReplacementFailed",
    "Tagged",
    "Updated",
]

EventReason: TypeAlias = ConditionReason | HappeningReason

#: Of the condition and the Event of a ProviderConfig.
ProviderConfigReason: TypeAlias = Literal["InUse", "MappingsRemain"]

_STATES: dict[str, StateReason] = {state: state for state in get_args(StateReason)}


def of_state(state: str) -> OutcomeReason:
    """The reason that tells a mapping's state; ``InSync`` where there is none, or AWS has a new one."""
    return _STATES.get(state, "InSync")
