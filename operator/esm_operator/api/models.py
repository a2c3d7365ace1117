"""The custom resource EventSourceMapping as a model. The CRD and ``esm-operator validate`` are made from it.

Types only; the rules check values. The bounds are wide, and let the API server estimate the cost of the rules. Only
``status.observedGeneration`` has a default. Docstrings of fields are their descriptions in the CRD.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from esm_operator.api.resource import GROUP, VERSION

API_VERSION = f"{GROUP}/{VERSION}"

_INITIALISMS = frozenset({"arn", "db", "id", "uri", "url"})


def field_name(attribute: str) -> str:
    """``event_source_arn`` -> ``eventSourceARN``."""
    first, *rest = attribute.split("_")
    return first + "".join(part.upper() if part in _INITIALISMS else part.capitalize() for part in rest)


class Structure(BaseModel):
    """An object of the API. It has no unknown fields, and types are not converted."""

    model_config = ConfigDict(
        alias_generator=field_name,
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
    )


def _unique(items: list[Any]) -> list[Any]:
    if len({repr(item) for item in items}) < len(items):
        raise ValueError("an entry stands in it twice; remove one of the two")
    return items


def _point_in_time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
        complete = len(text) >= len("2026-01-31T12:00:00Z") and text[10] in "Tt "
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("must be a point in time such as 2026-01-31T12:00:00Z")
    return text


#: A list that AWS treats as a set. Server-side apply merges the entries of several field managers.
AS_SET: tuple[Any, ...] = (
    AfterValidator(_unique),
    Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"}),
)


def as_map(*keys: str) -> tuple[Any, ...]:
    """The same for a list of objects, which differ in these members and must have them."""
    extra: JsonDict = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    return (AfterValidator(_unique), Field(max_length=64, json_schema_extra=extra))


Word = Annotated[str, Field(max_length=256)]
Name = Annotated[str, Field(max_length=2_048)]
Long = Annotated[str, Field(max_length=10_000)]
Int32 = Annotated[int, Field(json_schema_extra={"format": "int32"}, ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]
PointInTime = Annotated[str, AfterValidator(_point_in_time), Field(json_schema_extra={"format": "date-time"})]
Words = Annotated[list[Word], *AS_SET]
Names = Annotated[list[Name], *AS_SET]
Tags = Annotated[dict[str, Name], Field(max_length=256)]


class Filter(Structure):
    """One pattern of event filtering."""

    pattern: str = Field(max_length=65_536)
    """A filter pattern: a JSON object as a string, up to 4,096 characters. Records that match it go to the function.
    White space and the order of members mean nothing."""


class FilterCriteria(Structure):
    """Which records go to the function."""

    filters: Annotated[list[Filter], *as_map("pattern")] | None = None
    """A record goes to the function if it matches any of these, up to 5 (10 on request)."""


class Destination(Structure):
    """Where records of failed invocations go."""

    destination: Name
    """The ARN of an Amazon SQS queue, an Amazon SNS topic or an Amazon S3 bucket; for Kafka sources also kafka://TOPIC.
    The function's role needs the permission to write there."""


class DestinationConfig(Structure):
    """Where records go after the function has had them."""

    on_failure: Destination | None = None
    """Where records of failed invocations go."""


class MetricsConfig(Structure):
    """CloudWatch metrics of a mapping."""

    metrics: Words | None = None
    """The metrics to produce: EventCount for any source, ErrorCount and KafkaMetrics for Kafka sources."""


class LoggingConfig(Structure):
    """Logs of the event poller."""

    system_log_level: Word | None = None
    """How much the event poller logs: DEBUG (most), INFO or WARN."""


class ScalingConfig(Structure):
    """How far a mapping of an SQS queue scales."""

    maximum_concurrency: Int32 | None = None
    """The most instances of the function that run at once for this queue. AWS allows 1,000, and more on request."""


class ProvisionedPollerConfig(Structure):
    """Provisioned mode: pollers that are kept ready, at a price."""

    minimum_pollers: Int32 | None = None
    """The pollers that are always there."""
    maximum_pollers: Int32 | None = None
    """The pollers that it can scale up to; not less than minimumPollers."""
    poller_group_name: Name | None = None
    """A group of mappings in one VPC that share pollers, and their costs."""


class SourceAccessConfiguration(Structure):
    """One thing that Lambda needs to reach a source or to log in there."""

    type: Word
    """What uri is."""
    uri: Name | None = None
    """The value; see type for what it holds."""


class Endpoints(Structure):
    """The servers of a Kafka cluster."""

    kafka_bootstrap_servers: Names = Field(alias="KAFKA_BOOTSTRAP_SERVERS")
    """The bootstrap servers, each as HOST:PORT. Their order means nothing."""


class SelfManagedEventSource(Structure):
    """A Kafka cluster that is not Amazon MSK."""

    endpoints: Endpoints
    """The servers of the cluster."""


class SchemaRegistryAccess(Structure):
    """How Lambda logs in to a schema registry."""

    type: Word
    """How Lambda logs in: BASIC_AUTH, CLIENT_CERTIFICATE_TLS_AUTH or OAUTHBEARER_AUTH; or SERVER_ROOT_CA_CERTIFICATE,
    the certificate of the registry."""
    uri: Long
    """The ARN of the Secrets Manager secret for it."""


class SchemaValidation(Structure):
    """A part of the record that is checked against its schema."""

    attribute: Word
    """The part of the record: KEY or VALUE."""


class SchemaRegistryConfig(Structure):
    """A schema registry for Kafka records."""

    schema_registry_uri: Long | None = None
    """The ARN of a Glue schema registry, or the URL of a Confluent one."""
    event_record_format: Word | None = None
    """What the function gets: JSON (the record as a JSON object) or SOURCE (as it is in Kafka)."""
    access_configs: Annotated[list[SchemaRegistryAccess], *as_map("type", "uri")] | None = None
    """How to log in to the registry."""
    schema_validation_configs: Annotated[list[SchemaValidation], *as_map("attribute")] | None = None
    """The parts of the record that are checked."""


class AmazonManagedKafkaEventSourceConfig(Structure):
    """What only Amazon MSK has."""

    consumer_group_id: Name | None = None
    """The Kafka consumer group to join, unique among all mappings. AWS makes one up if it is absent."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The schema registry of the records."""


class SelfManagedKafkaEventSourceConfig(Structure):
    """What only self-managed Apache Kafka has."""

    consumer_group_id: Name | None = None
    """The Kafka consumer group to join, unique among all mappings. AWS makes one up if it is absent."""
    consumption_mode: Word | None = None
    """Stream: a consumer group, in the order of each partition. Queue: a share group (Kafka 4.2 or later), in no order.
    Stream, if it is absent."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The schema registry of the records."""


class DocumentDBEventSourceConfig(Structure):
    """What only Amazon DocumentDB has."""

    database_name: Name | None = None
    """The database to read the changes of."""
    collection_name: Name | None = None
    """The collection to read the changes of; all collections, if it is absent."""
    full_document: Word | None = None
    """What an update brings: Default (what changed) or UpdateLookup (that and the document)."""


class Reference(Structure):
    """Another resource, by name."""

    name: str = Field(min_length=1, max_length=253)
    """The name of the ProviderConfig."""


class AdoptionModel(Structure):
    """Taking over a mapping that exists in AWS already."""

    policy: Word | None = None
    """Never: a mapping that exists is a conflict. IfExists: it is taken over, else one is made. Required: it is taken
    over, and none is ever made. Never, if it is absent."""
    uuid: Word | None = None
    """The mapping to take over, or to watch if managementPolicy is Observe. If it is absent, it is the one with this
    function and source."""
    take_over_from: Name | None = None
    """The present owner, as CLUSTER/NAMESPACE/NAME, of a mapping that another resource of an esm-operator keeps.
    Without it such a mapping is left alone. Needs uuid."""


class EventSourceMappingSpec(Structure):
    """What a mapping is to be."""

    function_name: Name
    """The function to invoke: its name, ARN or partial ARN, with or without :VERSION or :ALIAS. AWS can move a mapping
    to another function."""
    event_source_arn: Long | None = None
    """What to read from: the ARN of an SQS queue, a Kinesis stream or stream consumer, a DynamoDB stream, an MSK
    cluster or VPC connection, an Amazon MQ broker or a DocumentDB cluster. Absent for self-managed Apache Kafka, which
    has selfManagedEventSource."""
    self_managed_event_source: SelfManagedEventSource | None = None
    """The Apache Kafka cluster to read from, instead of eventSourceARN."""
    enabled: bool | None = None
    """Whether Lambda reads from the source; false pauses the mapping."""
    batch_size: Int32 | None = None
    """The most records that go to the function at once. SQS FIFO queues: up to 10. On SQS standard queues more than 10
    need maximumBatchingWindowInSeconds of at least 1."""
    maximum_batching_window_in_seconds: Int32 | None = None
    """How long to gather records before the function is invoked, in seconds. Not for SQS FIFO queues and not in
    consumptionMode Queue. On Kafka, MQ and DocumentDB AWS gathers for 500 ms until it is set, and can't go back to
    that."""
    starting_position: Word | None = None
    """Where to start reading: TRIM_HORIZON (the oldest record), LATEST (the next one) or AT_TIMESTAMP (with
    startingPositionTimestamp; not on DynamoDB). Not in consumptionMode Queue."""
    starting_position_timestamp: PointInTime | None = None
    """With startingPosition AT_TIMESTAMP, the time to start reading from, such as 2026-01-31T12:00:00Z. Not in the
    future."""
    filter_criteria: FilterCriteria | None = None
    """Which records go to the function; all of them, if it is absent."""
    kms_key_arn: Long | None = None
    """The KMS key that encrypts filterCriteria at AWS."""
    parallelization_factor: Int32 | None = None
    """How many batches of each shard are worked on at once."""
    tumbling_window_in_seconds: Int32 | None = None
    """The length of a window for aggregation, in seconds; 0 is none."""
    maximum_record_age_in_seconds: Int32 | None = None
    """How old a record may be before it is discarded, in seconds; -1 is any age."""
    maximum_retry_attempts: Int32 | None = None
    """How often a batch is tried again before it is discarded; -1 is until its records expire, which consumptionMode
    Queue does not have (its default is 0)."""
    bisect_batch_on_function_error: bool | None = None
    """Whether a batch on which the function fails is split in two and tried again."""
    destination_config: DestinationConfig | None = None
    """Where records go that the function could not process."""
    function_response_types: Words | None = None
    """ReportBatchItemFailures: the function answers which records of a batch have failed, and only those are tried
    again."""
    scaling_config: ScalingConfig | None = None
    """How many instances of the function run at once for the queue. Not together with provisionedPollerConfig."""
    provisioned_poller_config: ProvisionedPollerConfig | None = None
    """Pollers that are kept ready. Not together with scalingConfig."""
    metrics_config: MetricsConfig | None = None
    """The CloudWatch metrics to produce."""
    logging_config: LoggingConfig | None = None
    """The logs of the event poller."""
    topics: Names | None = None
    """The Kafka topic to read from: exactly one."""
    queues: Names | None = None
    """The queue of the broker to read from: exactly one."""
    source_access_configurations: (
        # Atomic: uri, which would be a key, is absent for some types, and a default would rewrite the spec.
        Annotated[
            list[SourceAccessConfiguration],
            Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """What Lambda needs to reach the source and to log in: secrets, subnets, security groups, up to 23. Their order
    means nothing. The entry VIRTUAL_HOST can't be changed."""
    amazon_managed_kafka_event_source_config: AmazonManagedKafkaEventSourceConfig | None = None
    """What only Amazon MSK has."""
    self_managed_kafka_event_source_config: SelfManagedKafkaEventSourceConfig | None = None
    """What only self-managed Apache Kafka has."""
    document_db_event_source_config: DocumentDBEventSourceConfig | None = None
    """What only Amazon DocumentDB has: the database, and what to read of it."""
    tags: Tags | None = None
    """AWS tags of the mapping, up to 46. They go before the default tags of the ProviderConfig. Keys that begin with
    aws: or esm-operator.io/ are reserved."""
    region: Word | None = None
    """The AWS region of the mapping. If it is absent: that of eventSourceARN, else that of the ProviderConfig, else
    that of the operator. Can't be changed, added or removed."""
    provider_config_ref: Reference | None = None
    """The ProviderConfig whose account, credentials and default tags are used. If it is absent: the one named default,
    and if there is none, the operator's own credentials. Can't be changed, added or removed."""
    deletion_policy: Word | None = None
    """What deleting this resource does in AWS. Delete: the mapping is deleted. Retain: it stays, without the operator's
    tags. Delete, if it is absent."""
    management_policy: Word | None = None
    """Full: AWS is made to be as the spec says. Observe: nothing is ever written to AWS, differences are told in the
    status. Full, if it is absent."""
    replace_policy: Word | None = None
    """Whether a change of a field that AWS can't update deletes the mapping and creates it again. Never: such a change
    is refused. Recreate: it is done, and a stream is read from startingPosition anew. Never, if it is absent."""
    adoption: AdoptionModel | None = None
    """Whether a mapping that exists in AWS already may be taken over."""


class ConditionModel(Structure):
    """One condition, as all of Kubernetes has them."""

    type: str = Field(max_length=316)
    """Ready, Reconciling, Stalled, Synced, Processing or UnknownAnnotations."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    observed_generation: Int64 | None = Field(None, ge=0)
    """The metadata.generation that it was found on."""
    last_transition_time: PointInTime
    """When the status changed last."""
    reason: str = Field(min_length=1, max_length=1_024)
    """Why, in one word, for programs."""
    message: str = Field(max_length=32_768)
    """What is the matter, and what to do, for people."""


class FilterCriteriaErrorModel(Structure):
    """Why AWS can't encrypt or decrypt the filters."""

    error_code: str | None = None
    """The exception of KMS."""
    message: str | None = None
    """What KMS says."""


#: Names of fields or of tags: as many as a spec can have.
Strings = Annotated[list[str], AfterValidator(_unique), Field(json_schema_extra={"x-kubernetes-list-type": "set"})]


class KeptModel(Structure):
    """A value that AWS keeps, though the spec does not set the field any more."""

    value: str
    """The value, as text of up to 1,024 characters."""
    message: str | None = None
    """AWS's refusal to reset the field; absent where AWS took the request and kept the value."""
    generation: Int64 | None = None
    """The metadata.generation for which AWS refused it. The operator tries again after an edit."""


class AppliedModel(Structure):
    """What the operator has put into AWS, to tell a field that was removed from one that was never set."""

    fields: Strings | None = None
    """The fields of the spec that were sent to AWS."""
    tags: Strings | None = None
    """The keys of the tags that were sent to AWS."""
    immutable: dict[str, str] | None = None
    """The values of fields that AWS can't update, as they were sent."""
    kept: dict[str, KeptModel] | None = None
    """By path: fields that the spec does not set any more and that AWS has not reset to their default."""


class EventSourceMappingStatus(Structure):
    """What a mapping is."""

    observed_generation: Int64 = -1
    """The metadata.generation that this status was made on; -1: none yet."""
    state: str | None = None
    """The state at AWS: Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting."""
    state_transition_reason: str | None = None
    """Why AWS or somebody put it into this state."""
    uuid: str | None = None
    """The UUID of the mapping."""
    arn: str | None = None
    """The ARN of the mapping."""
    account: str | None = None
    """The AWS account of the mapping."""
    region: str | None = None
    """The AWS region of the mapping."""
    function_arn: str | None = None
    """The ARN of the function that is invoked."""
    last_modified: PointInTime | None = None
    """When the mapping was changed last at AWS."""
    last_processing_result: str | None = None
    """What became of the last invocation; AWS has none for SQS."""
    filter_criteria_error: FilterCriteriaErrorModel | None = None
    """Why AWS can't encrypt or decrypt the filters."""
    tags_all: dict[str, str] | None = None
    """All tags of the mapping, with default tags and the operator's own."""
    applied: AppliedModel | None = None
    """What the operator has put into AWS."""
    creating: str | None = None
    """Set while a request to create the mapping may be outstanding; only where AWS takes no tags on event source
    mappings (ownership ResourceOnly)."""
    last_handled_reconcile_at: str | None = None
    """The value of the annotation lambda.esm-operator.io/reconcile-at that was answered last: the mapping was looked at
    after that was written."""
    conditions: Annotated[list[ConditionModel], *as_map("type")] | None = None
    """Ready: it works as asked. Reconciling: it is on its way there. Stalled: a person has to do something. Synced: AWS
    has what the spec says. Processing: the function gets the records."""


class EventSourceMapping(Structure):
    """The whole resource; its metadata are the API server's business."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: EventSourceMappingSpec
    status: EventSourceMappingStatus | None = None
