"""The fields of a mapping, a row each: the sources that take it, whether it can change, and how it is reset.

The CRD's rules and descriptions, the planner's comparison, the requests to AWS and the documentation are made from this
table. A row is the smallest part of the spec that AWS changes by itself: the parts of ``provisionedPollerConfig`` are
rows, the parts of a filter are not.

Sources: the botocore model of CreateEventSourceMapping and UpdateEventSourceMapping with its documentation, and
responses recorded on AWS. A public report shows that Update refuses databaseName and collectionName, which its model
has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from esm_operator.api import names, values
from esm_operator.api.sources import ALL, KAFKA, STREAMS, SourceType
from esm_operator.api.values import Canonical, Canonicalise

SQS, MSK, MQ = SourceType.SQS, SourceType.MSK, SourceType.MQ
KINESIS, DYNAMODB, DOCUMENTDB = SourceType.KINESIS, SourceType.DYNAMODB, SourceType.DOCUMENTDB
SELF_MANAGED = SourceType.SELF_MANAGED_KAFKA


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the spec."""

    path: str
    """In the spec: ``provisionedPollerConfig.minimumPollers``."""
    sources: frozenset[SourceType] = ALL
    """The source types that take it."""
    required: frozenset[SourceType] = frozenset()
    """The source types that need it."""
    immutable: bool = False
    """Whether UpdateEventSourceMapping has no such member, or refuses it."""
    never_filled_in: bool = False
    """Whether AWS has no default for an immutable field, so that its absence is a value that can't change."""
    canonical: Canonicalise = values.scalar
    """Makes the canonical form of AWS's value."""
    empty: Any = None
    """The value in UpdateEventSourceMapping that makes the field absent again; None: there is no such value."""
    defaults: Mapping[SourceType, Canonical] = field(default_factory=dict[SourceType, Canonical])
    """AWS's value if the field is not set, and after it is removed."""
    unresettable: frozenset[SourceType] = frozenset()
    """The source types on which AWS can't restore the value from before it was set."""
    member: tuple[str, ...] = ()
    """The same path in AWS's spelling; derived."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "member", tuple(names.aws_name(part) for part in self.path.split(".")))

    @property
    def top(self) -> str:
        """The member of the request that holds it: ``ProvisionedPollerConfig``."""
        return self.member[0]

    def default(self, source: SourceType, *, queue_mode: bool = False) -> Canonical:
        """AWS's default on a source type; None if there is none.

        Args:
            source: the source type of the mapping.
            queue_mode: whether a self-managed Kafka mapping has ConsumptionMode Queue, in which no retry is the
                default of MaximumRetryAttempts (botocore, CreateEventSourceMapping).
        """
        if queue_mode and self.path == "maximumRetryAttempts":
            return 0
        return self.defaults.get(source)


def on(value: Canonical, *sources: SourceType) -> dict[SourceType, Canonical]:
    """One default for several source types, or for all."""
    return dict.fromkeys(sources or tuple(SourceType), value)


_RETRYING = STREAMS | KAFKA
_ONLY_SQS, _ONLY_MSK, _ONLY_MQ = frozenset({SQS}), frozenset({MSK}), frozenset({MQ})
_ONLY_SELF_MANAGED, _ONLY_DOCUMENTDB = frozenset({SELF_MANAGED}), frozenset({DOCUMENTDB})

FIELDS: tuple[Field, ...] = (
    Field("functionName", required=ALL, canonical=values.function),
    Field("eventSourceARN", sources=ALL - {SELF_MANAGED}, required=ALL - {SELF_MANAGED}, immutable=True),
    Field(
        "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
        sources=_ONLY_SELF_MANAGED,
        required=_ONLY_SELF_MANAGED,
        immutable=True,
        canonical=values.names,
    ),
    Field("topics", sources=KAFKA, required=KAFKA, immutable=True, canonical=values.names),
    Field("queues", sources=_ONLY_MQ, required=_ONLY_MQ, immutable=True, canonical=values.names),
    Field("enabled", defaults=on(True)),
    Field("batchSize", defaults=on(100) | on(10, SQS)),
    Field(
        "maximumBatchingWindowInSeconds",
        defaults=on(0, SQS, KINESIS, DYNAMODB),
        unresettable=frozenset({MSK, SELF_MANAGED, MQ, DOCUMENTDB}),
    ),
    Field("startingPosition", sources=ALL - {SQS}, required=STREAMS, immutable=True),
    Field(
        "startingPositionTimestamp", sources=KAFKA | {KINESIS, DOCUMENTDB}, immutable=True, canonical=values.timestamp
    ),
    Field("filterCriteria", canonical=values.filters, empty={}),
    Field("kmsKeyARN", empty=""),
    Field("parallelizationFactor", sources=STREAMS, defaults=on(1, *STREAMS)),
    Field("tumblingWindowInSeconds", sources=STREAMS, defaults=on(0, *STREAMS)),
    Field("maximumRecordAgeInSeconds", sources=_RETRYING, defaults=on(-1, *_RETRYING)),
    Field("maximumRetryAttempts", sources=_RETRYING, defaults=on(-1, *_RETRYING)),
    Field("bisectBatchOnFunctionError", sources=_RETRYING, defaults=on(False, *_RETRYING)),
    Field("destinationConfig.onFailure.destination", sources=_RETRYING, empty=""),
    Field("functionResponseTypes", sources=_RETRYING | {SQS}, canonical=values.names, empty=[]),
    Field("scalingConfig.maximumConcurrency", sources=_ONLY_SQS),
    Field("provisionedPollerConfig.minimumPollers", sources=KAFKA | {SQS}, defaults=on(1, *KAFKA) | on(2, SQS)),
    Field("provisionedPollerConfig.maximumPollers", sources=KAFKA | {SQS}, defaults=on(200, *KAFKA, SQS)),
    Field("provisionedPollerConfig.pollerGroupName", sources=KAFKA, empty=""),
    Field("metricsConfig.metrics", canonical=values.names, empty=[]),
    Field("loggingConfig.systemLogLevel", sources=KAFKA),
    Field(
        "sourceAccessConfigurations",
        sources=KAFKA | {MQ, DOCUMENTDB},
        required=frozenset({MQ, DOCUMENTDB, SELF_MANAGED}),
        canonical=values.access_configurations,
        empty=[],
    ),
    Field("amazonManagedKafkaEventSourceConfig.consumerGroupID", sources=_ONLY_MSK, immutable=True),
    Field(
        "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig",
        sources=_ONLY_MSK,
        canonical=values.structure,
        empty={},
    ),
    Field("selfManagedKafkaEventSourceConfig.consumerGroupID", sources=_ONLY_SELF_MANAGED, immutable=True),
    Field("selfManagedKafkaEventSourceConfig.consumptionMode", sources=_ONLY_SELF_MANAGED, immutable=True),
    Field(
        "selfManagedKafkaEventSourceConfig.schemaRegistryConfig",
        sources=_ONLY_SELF_MANAGED,
        canonical=values.structure,
        empty={},
    ),
    Field(
        "documentDBEventSourceConfig.databaseName", sources=_ONLY_DOCUMENTDB, required=_ONLY_DOCUMENTDB, immutable=True
    ),
    Field("documentDBEventSourceConfig.collectionName", sources=_ONLY_DOCUMENTDB, immutable=True, never_filled_in=True),
    Field("documentDBEventSourceConfig.fullDocument", sources=_ONLY_DOCUMENTDB, defaults=on("Default", DOCUMENTDB)),
)

BY_PATH: Mapping[str, Field] = {row.path: row for row in FIELDS}

#: Members of AWS's answers that are not settings, and their fields of the status.
STATUS_MEMBERS: Mapping[str, str] = {
    "UUID": "uuid",
    "EventSourceMappingArn": "arn",
    "FunctionArn": "functionARN",
    "State": "state",
    "StateTransitionReason": "stateTransitionReason",
    "LastModified": "lastModified",
    "LastProcessingResult": "lastProcessingResult",
    "FilterCriteriaError": "filterCriteriaError",
}

#: Structures with defaults that an empty value resets as a whole.
RESET_WHOLE = frozenset({"ProvisionedPollerConfig"})

#: Entries of sourceAccessConfigurations that UpdateEventSourceMapping refuses (botocore, SourceAccessType).
IMMUTABLE_ACCESS_TYPES = frozenset({"VIRTUAL_HOST"})


def at(document: Mapping[str, Any], path: tuple[str, ...] | list[str]) -> Any:
    """The value at a path of a document; None if there is none."""
    part: Any = document
    for name in path:
        if not isinstance(part, Mapping):
            return None
        part = cast("Mapping[str, Any]", part).get(name)
    return part


def present_values(document: Mapping[str, Any]) -> dict[str, Canonical]:
    """The fields that a document in AWS's spelling sets, by path, in canonical form. An empty value is not set."""
    found: dict[str, Canonical] = {}
    for row in FIELDS:
        if row.top in document:
            value = row.canonical(at(document, row.member))
            if value is not None:
                found[row.path] = value
    return found


def emptied(document: Mapping[str, Any]) -> frozenset[str]:
    """The fields that a document in AWS's spelling sets to an empty list or structure, which means AWS's default."""
    return frozenset(
        row.path
        for row in FIELDS
        if row.empty is not None and (value := at(document, row.member)) is not None and row.canonical(value) is None
    )


def observed_values(mapping: Mapping[str, Any]) -> dict[str, Canonical]:
    """The fields of a mapping in AWS's answer, by path, in canonical form.

    Answers have no Enabled and no FunctionName (recorded). ``enabled`` is made from State, which does not show it in
    Creating, Updating and Deleting. ``functionName`` is made from FunctionArn.
    """
    found = present_values(mapping)
    found["functionName"] = values.function(mapping.get("FunctionArn"))
    enabled = {"Enabled": True, "Enabling": True, "Disabled": False, "Disabling": False}.get(str(mapping.get("State")))
    if enabled is not None:
        found["enabled"] = enabled
    return found
