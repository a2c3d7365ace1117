"""The fields of a mapping, a row each: who takes it, whether it can change, and how it goes back.

This is the one table behind the CRD's rules and descriptions, the planner's comparison, the requests to
AWS and the documentation. A row stands for the smallest part of the spec that AWS changes by itself; the
parts of ``provisionedPollerConfig`` are rows of their own, the parts of a filter are not.

Sources of the facts: the botocore model of CreateEventSourceMapping and UpdateEventSourceMapping and its
documentation strings, and responses recorded on AWS. That Update refuses databaseName and collectionName, which
its model has, is known from a public report.
"""

from collections.abc import Iterator, Mapping
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
    """Where it stands in the spec: ``provisionedPollerConfig.minimumPollers``."""
    sources: frozenset[SourceType] = ALL
    """The source types that take it."""
    required: frozenset[SourceType] = frozenset()
    """The source types that can't do without it."""
    immutable: bool = False
    """Whether UpdateEventSourceMapping has no such member, or refuses it."""
    never_filled_in: bool = False
    """Whether AWS leaves an immutable field absent where it is not set, so that absence is a value of its own."""
    canonical: Canonicalise = values.scalar
    """Brings AWS's form of the value to the canonical one."""
    empty: Any = None
    """What UpdateEventSourceMapping is sent to make it absent again; None: there is no such value."""
    defaults: Mapping[SourceType, Canonical] = field(default_factory=dict[SourceType, Canonical])
    """What AWS fills in where it is not set, and what a removed field goes back to."""
    unresettable: frozenset[SourceType] = frozenset()
    """The source types on which AWS can't put it back to what it was before it was set."""
    member: tuple[str, ...] = ()
    """The same path in AWS's spelling; derived."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "member", tuple(names.aws_name(part) for part in self.path.split(".")))

    @property
    def top(self) -> str:
        """The member of the request that holds it: ``ProvisionedPollerConfig``."""
        return self.member[0]

    def default(self, source: SourceType, *, queue_mode: bool = False) -> Canonical:
        """AWS's default on a source type; None where AWS leaves it absent.

        Args:
            source: the source type of the mapping.
            queue_mode: whether a self-managed Kafka mapping has ConsumptionMode Queue, where no retry is the
                default of MaximumRetryAttempts (botocore, CreateEventSourceMapping).
        """
        if queue_mode and self.path == "maximumRetryAttempts":
            return 0
        return self.defaults.get(source)


def on(value: Canonical, *sources: SourceType) -> dict[SourceType, Canonical]:
    """One default for several source types (all, if none is named)."""
    return dict.fromkeys(sources or tuple(SourceType), value)


_RETRYING = STREAMS | KAFKA

FIELDS: tuple[Field, ...] = (
    Field("functionName", required=ALL, canonical=values.function),
    Field("eventSourceARN", sources=ALL - {SELF_MANAGED}, required=ALL - {SELF_MANAGED}, immutable=True),
    Field(
        "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
        sources=frozenset({SELF_MANAGED}),
        required=frozenset({SELF_MANAGED}),
        immutable=True,
        canonical=values.names,
    ),
    Field("topics", sources=KAFKA, required=KAFKA, immutable=True, canonical=values.names),
    Field("queues", sources=frozenset({MQ}), required=frozenset({MQ}), immutable=True, canonical=values.names),
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
    Field("scalingConfig.maximumConcurrency", sources=frozenset({SQS})),
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
    Field("amazonManagedKafkaEventSourceConfig.consumerGroupID", sources=frozenset({MSK}), immutable=True),
    Field(
        "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig",
        sources=frozenset({MSK}),
        canonical=values.structure,
        empty={},
    ),
    Field("selfManagedKafkaEventSourceConfig.consumerGroupID", sources=frozenset({SELF_MANAGED}), immutable=True),
    Field("selfManagedKafkaEventSourceConfig.consumptionMode", sources=frozenset({SELF_MANAGED}), immutable=True),
    Field(
        "selfManagedKafkaEventSourceConfig.schemaRegistryConfig",
        sources=frozenset({SELF_MANAGED}),
        canonical=values.structure,
        empty={},
    ),
    Field(
        "documentDBEventSourceConfig.databaseName",
        sources=frozenset({DOCUMENTDB}),
        required=frozenset({DOCUMENTDB}),
        immutable=True,
    ),
    Field(
        "documentDBEventSourceConfig.collectionName",
        sources=frozenset({DOCUMENTDB}),
        immutable=True,
        never_filled_in=True,
    ),
    Field(
        "documentDBEventSourceConfig.fullDocument", sources=frozenset({DOCUMENTDB}), defaults=on("Default", DOCUMENTDB)
    ),
)

BY_PATH: Mapping[str, Field] = {row.path: row for row in FIELDS}

#: Members of AWS's answers that are no settings, and the fields of the status that tell them.
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

#: Structures with defaults that an empty value puts back as a whole (AWS.md).
RESET_WHOLE = frozenset({"ProvisionedPollerConfig"})

#: Entries of sourceAccessConfigurations that UpdateEventSourceMapping refuses (botocore, SourceAccessType).
IMMUTABLE_ACCESS_TYPES = frozenset({"VIRTUAL_HOST"})


def at(document: Mapping[str, Any], path: tuple[str, ...] | list[str]) -> Any:
    """What stands at a path of a document, or None where the path ends early."""
    part: Any = document
    for name in path:
        if not isinstance(part, Mapping):
            return None
        part = cast("Mapping[str, Any]", part).get(name)
    return part


def present_values(document: Mapping[str, Any]) -> dict[str, Canonical]:
    """The fields that a document in AWS's spelling sets, by path, in canonical form. An empty value is not set."""
    return dict(_present(document))


def observed_values(mapping: Mapping[str, Any]) -> dict[str, Canonical]:
    """The fields of a mapping as AWS answers it, by path, in canonical form.

    ``enabled`` follows from State and is left out in Creating, Updating and Deleting, where it is unknown;
    ``functionName`` follows from FunctionArn (no answer carries Enabled or FunctionName; recorded).
    """
    found = present_values(mapping)
    found["functionName"] = values.function(mapping.get("FunctionArn"))
    enabled = {"Enabled": True, "Enabling": True, "Disabled": False, "Disabling": False}.get(str(mapping.get("State")))
    if enabled is not None:
        found["enabled"] = enabled
    return found


def _present(document: Mapping[str, Any]) -> Iterator[tuple[str, Canonical]]:
    for row in FIELDS:
        first, *rest = row.member
        part = document.get(first)
        if part is None:  # so are most: a mapping has the fields of one source
            continue
        value = at(part, rest)
        if value is not None:
            canonical = row.canonical(value)
            if canonical is not None:
                yield row.path, canonical
