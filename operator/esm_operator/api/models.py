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
        raise ValueError("must not have an entry twice; remove one of the two")
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
    """One filter pattern."""

    pattern: str = Field(max_length=65_536)
    """A filter pattern of AWS Lambda: a JSON object as a string of up to 4,096 characters. White space and the order
    of members do not matter."""


class FilterCriteria(Structure):
    """The records that Lambda sends to the function."""

    filters: Annotated[list[Filter], *as_map("pattern")] | None = None
    """Lambda sends a record to the function if the record matches one of these filters. AWS allows 5, and 10 on
    request."""


class Destination(Structure):
    """The destination of records that the function failed to process."""

    destination: Name
    """The ARN of an SQS queue, an SNS topic or an S3 bucket. Kafka sources also take kafka://TOPIC. The execution role
    of the function needs permission to write there."""


class DestinationConfig(Structure):
    """Destinations of records after an invocation."""

    on_failure: Destination | None = None
    """The destination of records that the function failed to process."""


class MetricsConfig(Structure):
    """CloudWatch metrics of a mapping."""

    metrics: Words | None = None
    """The groups of metrics. Only Kafka sources have ErrorCount and KafkaMetrics."""


class LoggingConfig(Structure):
    """Logs of the event poller."""

    system_log_level: Word | None = None
    """The log level of the event poller. DEBUG logs most."""


class ScalingConfig(Structure):
    """Scaling of a mapping of an SQS queue."""

    maximum_concurrency: Int32 | None = None
    """The maximum number of concurrent invocations for this queue. AWS allows 1,000, and more on request."""


class ProvisionedPollerConfig(Structure):
    """Provisioned mode: event pollers that are always ready. AWS charges for them."""

    minimum_pollers: Int32 | None = None
    """The minimum number of event pollers."""
    maximum_pollers: Int32 | None = None
    """The maximum number of event pollers. It must not be less than minimumPollers."""
    poller_group_name: Name | None = None
    """The name of a poller group. Mappings of one group and VPC share the capacity and the costs of event pollers."""


class SourceAccessConfiguration(Structure):
    """One entry of the network or login configuration of a source."""

    type: Word
    """The type of the entry."""
    uri: Name | None = None
    """The value of the entry. Its type defines the meaning."""


class Endpoints(Structure):
    """The servers of a Kafka cluster."""

    kafka_bootstrap_servers: Names = Field(alias="KAFKA_BOOTSTRAP_SERVERS")
    """The bootstrap servers, each as HOST:PORT. The order does not matter."""


class SelfManagedEventSource(Structure):
    """A Kafka cluster that is not Amazon MSK."""

    endpoints: Endpoints
    """The servers of the cluster."""


class SchemaRegistryAccess(Structure):
    """One entry of the login configuration of a schema registry."""

    type: Word
    """The way in which Lambda logs in. SERVER_ROOT_CA_CERTIFICATE is the root certificate of the registry."""
    uri: Long
    """The ARN of the Secrets Manager secret with the credentials or the certificate."""


class SchemaValidation(Structure):
    """A part of the record that Lambda validates against its schema."""

    attribute: Word
    """The part of the record that Lambda validates."""


class SchemaRegistryConfig(Structure):
    """A schema registry for Kafka records."""

    schema_registry_uri: Long | None = None
    """The ARN of a Glue schema registry, or the URL of a Confluent one."""
    event_record_format: Word | None = None
    """The format of the records that the function receives. JSON: Lambda converts the record to JSON. SOURCE: the
    record as it is in Kafka."""
    access_configs: Annotated[list[SchemaRegistryAccess], *as_map("type", "uri")] | None = None
    """The login configuration of the registry."""
    schema_validation_configs: Annotated[list[SchemaValidation], *as_map("attribute")] | None = None
    """The parts of the record that Lambda validates against the schema."""


class AmazonManagedKafkaEventSourceConfig(Structure):
    """Settings for Amazon MSK."""

    consumer_group_id: Name | None = None
    """The id of the Kafka consumer group. It must be unique among all mappings. If absent, AWS chooses one."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The schema registry of the records."""


class SelfManagedKafkaEventSourceConfig(Structure):
    """Settings for self-managed Apache Kafka."""

    consumer_group_id: Name | None = None
    """The id of the Kafka consumer group. It must be unique among all mappings. If absent, AWS chooses one."""
    consumption_mode: Word | None = None
    """Stream: Lambda joins a consumer group and reads each partition in order. Queue: Lambda joins a share group (Kafka
    4.2 or later), which has no order. If absent: Stream."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The schema registry of the records."""


class DocumentDBEventSourceConfig(Structure):
    """Settings for Amazon DocumentDB."""

    database_name: Name | None = None
    """The database whose changes Lambda reads."""
    collection_name: Name | None = None
    """The collection whose changes Lambda reads. If absent: all collections."""
    full_document: Word | None = None
    """The content of the event of an update. Default: the changes. UpdateLookup: the changes and the whole document."""


class Reference(Structure):
    """Another resource, by name."""

    name: str = Field(min_length=1, max_length=253)
    """The name of the ProviderConfig."""


class AdoptionModel(Structure):
    """Adoption of a mapping that exists in AWS."""

    policy: Word | None = None
    """The behaviour if a mapping with this function and source exists. Never: the resource reports a conflict.
    IfExists: the operator adopts the mapping, and creates one if there is none. Required: the operator adopts the
    mapping, and never creates one. If absent: Never."""
    uuid: Word | None = None
    """The UUID of the mapping to adopt, or to observe if managementPolicy is Observe. If absent: the mapping with this
    function and source."""
    take_over_from: Name | None = None
    """The present owner of the mapping, as CLUSTER/NAMESPACE/NAME. Needed to take a mapping over from another resource
    of esm-operator. Needs uuid."""


class EventSourceMappingSpec(Structure):
    """The desired state of a mapping."""

    function_name: Name
    """The Lambda function to invoke: a name, an ARN or a partial ARN, with or without :VERSION or :ALIAS."""
    event_source_arn: Long | None = None
    """The ARN of the source: an SQS queue, a Kinesis stream or stream consumer, a DynamoDB stream, an MSK cluster or
    VPC connection, an Amazon MQ broker or a DocumentDB cluster. Absent for self-managed Apache Kafka, which needs
    selfManagedEventSource."""
    self_managed_event_source: SelfManagedEventSource | None = None
    """The self-managed Apache Kafka cluster that is the source. It replaces eventSourceARN."""
    enabled: bool | None = None
    """Whether Lambda polls the source. Set false to pause the processing of records."""
    batch_size: Int32 | None = None
    """The maximum number of records in one batch, that is, in one invocation. SQS FIFO queues allow 10. More than 10 on
    an SQS standard queue need maximumBatchingWindowInSeconds of 1 or more."""
    maximum_batching_window_in_seconds: Int32 | None = None
    """The maximum time, in seconds, for which Lambda gathers records before it invokes the function. Not for SQS FIFO
    queues. Not with consumptionMode Queue. If absent, Lambda gathers records of Kafka, MQ and DocumentDB for 500 ms,
    which AWS cannot restore after a change."""
    starting_position: Word | None = None
    """The position in the source from which Lambda starts to read. TRIM_HORIZON: the oldest record. LATEST: records
    that arrive from now on. AT_TIMESTAMP: the time in startingPositionTimestamp. DynamoDB and MQ have no AT_TIMESTAMP.
    Not with consumptionMode Queue."""
    starting_position_timestamp: PointInTime | None = None
    """The time from which Lambda starts to read, such as 2026-01-31T12:00:00Z. It must not be in the future. Needs
    startingPosition AT_TIMESTAMP."""
    filter_criteria: FilterCriteria | None = None
    """The records that Lambda sends to the function. If absent: all records."""
    kms_key_arn: Long | None = None
    """The ARN of the KMS key with which AWS encrypts filterCriteria."""
    parallelization_factor: Int32 | None = None
    """The number of batches of one shard that Lambda processes concurrently."""
    tumbling_window_in_seconds: Int32 | None = None
    """The duration, in seconds, of a tumbling window for aggregation. 0: no window."""
    maximum_record_age_in_seconds: Int32 | None = None
    """The maximum age, in seconds, of a record that Lambda sends to the function. Lambda discards older records. -1: no
    maximum."""
    maximum_retry_attempts: Int32 | None = None
    """The number of times that Lambda retries a batch before it discards the batch. -1: until the records expire. With
    consumptionMode Queue, -1 is not allowed and the default is 0."""
    bisect_batch_on_function_error: bool | None = None
    """Whether Lambda splits a failed batch in two before it retries."""
    destination_config: DestinationConfig | None = None
    """Destinations of records that the function failed to process."""
    function_response_types: Words | None = None
    """With ReportBatchItemFailures, the function returns the failed records of a batch, and Lambda retries only
    these."""
    scaling_config: ScalingConfig | None = None
    """Scaling of the mapping. Not together with provisionedPollerConfig."""
    provisioned_poller_config: ProvisionedPollerConfig | None = None
    """Provisioned mode: event pollers that are always ready. AWS charges for them. Not together with scalingConfig."""
    metrics_config: MetricsConfig | None = None
    """The CloudWatch metrics that Lambda produces for the mapping."""
    logging_config: LoggingConfig | None = None
    """The logs of the event poller."""
    topics: Names | None = None
    """The Kafka topic: exactly one."""
    queues: Names | None = None
    """The queue of the broker: exactly one."""
    source_access_configurations: (
        # Atomic: uri, which would be a key, is absent for some types, and a default would rewrite the spec.
        Annotated[
            list[SourceAccessConfiguration],
            Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """The network and login configuration of the source: secrets, subnets and security groups. At most 23 entries. The
    order does not matter. The entry VIRTUAL_HOST is immutable."""
    amazon_managed_kafka_event_source_config: AmazonManagedKafkaEventSourceConfig | None = None
    """The consumer group and the schema registry."""
    self_managed_kafka_event_source_config: SelfManagedKafkaEventSourceConfig | None = None
    """The consumer group, the consumption mode and the schema registry."""
    document_db_event_source_config: DocumentDBEventSourceConfig | None = None
    """The database, the collection and the content of the events."""
    tags: Tags | None = None
    """AWS tags of the mapping, at most 46. They override the default tags of the ProviderConfig. Keys that begin with
    aws: or esm-operator.io/ are reserved."""
    region: Word | None = None
    """The AWS region of the mapping. If absent: the region of eventSourceARN, else of the ProviderConfig, else of the
    operator. Immutable."""
    provider_config_ref: Reference | None = None
    """The ProviderConfig with the AWS account, the credentials and the default tags. If absent: the ProviderConfig
    named default. If that does not exist either, the operator uses its own credentials. Immutable."""
    deletion_policy: Word | None = None
    """The effect of deleting this resource. Delete: the operator deletes the mapping in AWS. Retain: the operator keeps
    the mapping and removes its owner tags. If absent: Delete."""
    management_policy: Word | None = None
    """Full: the operator creates, updates and deletes the mapping. Observe: the operator writes nothing to AWS and
    reports differences in the status. If absent: Full."""
    replace_policy: Word | None = None
    """The effect of changing an immutable field. Never: the API server refuses the change. Recreate: the operator
    deletes the mapping and creates it again. Then Lambda reads a stream from startingPosition again. If absent:
    Never."""
    adoption: AdoptionModel | None = None
    """Whether the operator adopts a mapping that exists in AWS."""


class ConditionModel(Structure):
    """One condition, as in all Kubernetes APIs."""

    type: str = Field(max_length=316)
    """The type of the condition."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    observed_generation: Int64 | None = Field(None, ge=0)
    """The metadata.generation that the condition is about."""
    last_transition_time: PointInTime
    """The time of the last change of status."""
    reason: str = Field(min_length=1, max_length=1_024)
    """The reason in one word, for programs."""
    message: str = Field(max_length=32_768)
    """The problem and the remedy, for people."""


class FilterCriteriaErrorModel(Structure):
    """The reason why AWS cannot encrypt or decrypt the filters."""

    error_code: str | None = None
    """The error code of KMS."""
    message: str | None = None
    """The message of KMS."""


#: Names of fields or of tags: as many as a spec can have.
Strings = Annotated[list[str], AfterValidator(_unique), Field(json_schema_extra={"x-kubernetes-list-type": "set"})]


class KeptModel(Structure):
    """A value that AWS keeps although the spec does not set the field any more."""

    value: str
    """The value, as text of up to 1,024 characters."""
    message: str | None = None
    """The message with which AWS refused to reset the field. Absent if AWS accepted the request and kept the value."""
    generation: Int64 | None = None
    """The metadata.generation for which AWS refused to reset the field. The operator retries after an edit."""


class AppliedModel(Structure):
    """The parts of the spec that the operator has sent to AWS.

    They show whether a field was removed from the spec or never set.
    """

    fields: Strings | None = None
    """The fields of the spec that the operator sent to AWS."""
    tags: Strings | None = None
    """The keys of the tags that the operator sent to AWS."""
    immutable: dict[str, str] | None = None
    """The values of immutable fields, as the operator sent them."""
    kept: dict[str, KeptModel] | None = None
    """By path: fields that the spec does not set any more, and that AWS has not reset to the default."""


class EventSourceMappingStatus(Structure):
    """The observed state of a mapping."""

    observed_generation: Int64 = -1
    """The metadata.generation that the status is about. -1: the operator has not seen the resource yet."""
    state: str | None = None
    """The state of the mapping in AWS: Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting."""
    state_transition_reason: str | None = None
    """The cause of the last change of state, as AWS reports it."""
    uuid: str | None = None
    """The UUID of the mapping."""
    source: str | None = None
    """The short name of the source: sqs/orders, dynamodb/orders for the stream of a table, kafka/shop/orders for a
    cluster and its topic. A self-managed Kafka cluster has its first bootstrap server in place of a name."""
    arn: str | None = None
    """The ARN of the mapping."""
    account: str | None = None
    """The AWS account of the mapping."""
    region: str | None = None
    """The AWS region of the mapping."""
    function_arn: str | None = None
    """The ARN of the Lambda function."""
    last_modified: PointInTime | None = None
    """The time of the last change of the mapping in AWS."""
    last_processing_result: str | None = None
    """The result of the last invocation, as AWS reports it. AWS reports none for SQS."""
    filter_criteria_error: FilterCriteriaErrorModel | None = None
    """The reason why AWS cannot encrypt or decrypt the filters."""
    tags_all: dict[str, str] | None = None
    """All tags of the mapping, including default tags and owner tags."""
    applied: AppliedModel | None = None
    """The parts of the spec that the operator has sent to AWS."""
    creating: str | None = None
    """The operator has sent a request to create the mapping, and does not know the result yet. Used only with ownership
    ResourceOnly."""
    last_handled_reconcile_at: str | None = None
    """The value of the annotation lambda.esm-operator.io/reconcile-at that the operator handled last. The operator read
    the mapping after that value was written."""
    conditions: Annotated[list[ConditionModel], *as_map("type")] | None = None
    """Ready: the mapping is as desired. Reconciling: the operator is working on the mapping. Stalled: a person has to
    act. Synced: the settings in AWS equal the spec. Processing: the function receives records. UnknownAnnotations: the
    resource has annotations of the operator's group that the operator does not know."""


class EventSourceMapping(Structure):
    """The whole resource. The API server checks the metadata."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: EventSourceMappingSpec
    status: EventSourceMappingStatus | None = None
