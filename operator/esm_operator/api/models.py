"""The custom resource EventSourceMapping as a model. The CRD and ``esm-operator validate`` are made from it.

Types only; the rules check values. The bounds are wide, and let the API server estimate the cost of the rules. Only
``status.observedGeneration`` has a default. Docstrings of fields are their descriptions in the CRD.
"""

import re
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


#: The points in time that the API server, Python and AWS all accept. The format date-time of API servers also allows
#: the year 0 and a time zone of 24 hours.
_POINT_IN_TIME = (
    "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def _point_in_time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
        complete = re.fullmatch(_POINT_IN_TIME, text) is not None
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
#: The same in a spec. Statuses and metadata have no times of users.
PointInTimeOfSpec = Annotated[
    str,
    AfterValidator(_point_in_time),
    Field(json_schema_extra={"format": "date-time", "pattern": _POINT_IN_TIME}),
]
Words = Annotated[list[Word], *AS_SET]
Names = Annotated[list[Name], *AS_SET]
Tags = Annotated[dict[str, Name], Field(max_length=256)]


class ObjectReference(Structure):
    """An object of the cluster that holds a value of the spec."""

    api_version: str = Field(max_length=317)
    """The API group and version of the object, as in sqs.services.k8s.aws/v1alpha1."""
    kind: str = Field(max_length=63)
    """The kind of the object, as in Queue."""
    name: str = Field(max_length=253)
    """The name of the object."""
    namespace: str | None = Field(None, max_length=63)
    """The namespace of the object. If absent: the namespace of this resource. An object in another namespace needs the
    annotation lambda.esm-operator.io/allow-references-from with the namespace of this resource."""
    field_path: str | None = Field(None, max_length=512)
    """The field of the object that holds the value, as in status.arn. After the name of a list, [name=value] selects an
    entry. Some kinds need no fieldPath."""
    key: str | None = Field(None, max_length=253)
    """The key in the data of a ConfigMap, or the name of a listener of a Kafka cluster of Strimzi."""


class Filter(Structure):
    """One filter pattern."""

    pattern: str = Field(max_length=65_536)
    """The filter pattern is a JSON object, as a string of up to 4,096 characters. The operator treats patterns as equal
    if they differ only in white space or in the order of members."""


class FilterCriteria(Structure):
    """The records that Lambda sends to the function."""

    filters: Annotated[list[Filter], *as_map("pattern")] | None = None
    """Lambda sends a record to the function if the record matches one of these filters. AWS allows 5 filters, and
    more after an increase of the quota."""


class Destination(Structure):
    """The destination to which Lambda reports the records that it discards. Lambda discards records that fail at the
    last retry, and records that are too old."""

    destination: Name | None = None
    """The value is the ARN of an SQS queue, an SNS topic or an S3 bucket. Kafka sources also take kafka://TOPIC.
    TOPIC must be a topic of the same cluster. The execution role of the function needs permission to write to the
    destination."""
    destination_ref: ObjectReference | None = None
    """The object that has the ARN of the destination, or the Kafka topic. This field replaces destination."""


class DestinationConfig(Structure):
    """Destinations of records after an invocation."""

    on_failure: Destination | None = None
    """The destination to which Lambda reports the records that it discards. Lambda discards records that fail at the
    last retry, and records that are too old."""


class MetricsConfig(Structure):
    """CloudWatch metrics of a mapping."""

    metrics: Words | None = None
    """The groups of CloudWatch metrics that Lambda produces for the mapping. Only Kafka sources have ErrorCount and
    KafkaMetrics."""


class LoggingConfig(Structure):
    """Logs of the event poller."""

    system_log_level: Word | None = None
    """The lowest severity of the log lines of the event poller. DEBUG logs most, WARN logs least."""


class ScalingConfig(Structure):
    """Scaling of a mapping of an SQS queue."""

    maximum_concurrency: Int32 | None = None
    """The maximum number of concurrent invocations of the function for this queue. AWS allows up to 1,000, and more
    after an increase of the quota. A mapping with provisionedPollerConfig cannot have this field."""


class ProvisionedPollerConfig(Structure):
    """Provisioned mode, in which event pollers are always ready. AWS charges for the event pollers."""

    minimum_pollers: Int32 | None = None
    """The minimum number of event pollers in provisioned mode. In this mode, event pollers are always ready, and AWS
    charges for them. A mapping with scalingConfig cannot have provisioned mode."""
    maximum_pollers: Int32 | None = None
    """The maximum number of event pollers in provisioned mode. It must not be less than minimumPollers."""
    poller_group_name: Name | None = None
    """The name of a poller group. Mappings in the same group and VPC share the capacity and the costs of their event
    pollers."""


class SourceAccessConfiguration(Structure):
    """One entry of the network or login configuration of a source."""

    type: Word
    """The type of the entry."""
    uri: Name | None = None
    """The value of the entry. The type of the entry defines the meaning of the value."""
    uri_ref: ObjectReference | None = None
    """The object that has the value of the entry. This field replaces uri."""


class Endpoints(Structure):
    """The servers of a Kafka cluster."""

    kafka_bootstrap_servers: Names = Field(alias="KAFKA_BOOTSTRAP_SERVERS")
    """The bootstrap servers, each as HOST:PORT. The order does not matter."""


class SelfManagedEventSource(Structure):
    """A Kafka cluster that is not Amazon MSK."""

    endpoints: Endpoints | None = None
    """The servers of the cluster."""
    bootstrap_servers_ref: ObjectReference | None = None
    """The object that has the bootstrap servers of the cluster. This field replaces endpoints."""


class SchemaRegistryAccess(Structure):
    """One entry of the login configuration of a schema registry."""

    type: Word
    """The way in which Lambda logs in to the registry. For SERVER_ROOT_CA_CERTIFICATE, the secret has the root
    certificate of the registry."""
    uri: Long
    """The ARN of the Secrets Manager secret with the credentials or the certificate."""


class SchemaValidation(Structure):
    """A part of the record that Lambda validates against its schema."""

    attribute: Word
    """The part of the record that Lambda validates."""


class SchemaRegistryConfig(Structure):
    """A schema registry for Kafka records."""

    schema_registry_uri: Long | None = None
    """The ARN of a Glue schema registry, or the URL of a Confluent schema registry."""
    event_record_format: Word | None = None
    """The format of the records that the function receives. JSON: Lambda converts each record to JSON. SOURCE: Lambda
    does not convert the records."""
    access_configs: Annotated[list[SchemaRegistryAccess], *as_map("type", "uri")] | None = None
    """The login configuration of the registry. At most 2 entries."""
    schema_validation_configs: Annotated[list[SchemaValidation], *as_map("attribute")] | None = None
    """The parts of the record that Lambda validates against the schema."""


class AmazonManagedKafkaEventSourceConfig(Structure):
    """Settings for Amazon MSK."""

    consumer_group_id: Name | None = None
    """The id of the Kafka consumer group. No other mapping may have the same id. If absent, AWS chooses an id."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The schema registry of the records."""


class SelfManagedKafkaEventSourceConfig(Structure):
    """Settings for self-managed Apache Kafka."""

    consumer_group_id: Name | None = None
    """The id of the Kafka consumer group. No other mapping may have the same id. If absent, AWS chooses an id."""
    consumption_mode: Word | None = None
    """The way in which Lambda reads the topic. Stream: Lambda joins a consumer group and reads each partition in order.
    Queue: Lambda joins a share group, which does not keep the order of records. Queue needs Kafka 4.2 or later. If
    absent: Stream."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The schema registry of the records."""


class DocumentDBEventSourceConfig(Structure):
    """Settings for Amazon DocumentDB."""

    database_name: Name | None = None
    """The database whose changes Lambda reads."""
    collection_name: Name | None = None
    """The collection whose changes Lambda reads. If absent, Lambda reads the changes of all collections."""
    full_document: Word | None = None
    """The content of the event for an updated document. Default: the changed fields. UpdateLookup: the changed fields
    and the whole document."""


class ProviderConfigReference(Structure):
    """A ProviderConfig, by name."""

    name: str = Field(min_length=1, max_length=253)
    """The name of the ProviderConfig."""


class AdoptionModel(Structure):
    """Adoption of a mapping that exists in AWS."""

    policy: Word | None = None
    """The behaviour if AWS already has a mapping with this function and source. Never: the resource reports a conflict.
    IfExists: the operator adopts the mapping. If there is no mapping, the operator creates one. Required: the operator
    adopts the mapping, and never creates one. With managementPolicy Observe, the operator adopts nothing. If absent:
    Never."""
    uuid: Word | None = None
    """The UUID of the mapping to adopt. With managementPolicy Observe, it is the UUID of the mapping to observe. If
    absent, the operator finds the mapping by its function and source. This field needs the policy Required or
    IfExists."""
    take_over_from: Name | None = None
    """The present owner of the mapping, as NAMESPACE/NAME, or as CLUSTER/NAMESPACE/NAME if the owner is in another
    cluster. The operator takes over a mapping of another resource of esm-operator only if this field names that
    resource. Use this field to rename or move a resource. If you delete the other resource, the operator keeps its
    mapping for this resource. A resource in another namespace must also have the annotation
    lambda.esm-operator.io/allow-takeover-by with the NAMESPACE/NAME of this resource. For a resource of another
    cluster, the setting --takeover-from-clusters must name the cluster. This field needs the policy Required or
    IfExists."""


class MappingFields(Structure):
    """The fields of a mapping in AWS."""

    function_name: Name | None = None
    """The Lambda function to invoke. The value is a name, an ARN or a partial ARN, with or without :VERSION or
    :ALIAS."""
    function_ref: ObjectReference | None = None
    """The object that has the ARN of the Lambda function to invoke, or of a version or an alias. This field replaces
    functionName."""
    event_source_arn: Long | None = None
    """The ARN of the source. The source is an SQS queue, a Kinesis stream or stream consumer, a DynamoDB stream, an MSK
    cluster or VPC connection, an Amazon MQ broker or a DocumentDB cluster. Self-managed Apache Kafka needs
    selfManagedEventSource instead."""
    event_source_ref: ObjectReference | None = None
    """The object that has the ARN of the source. This field replaces eventSourceARN."""
    self_managed_event_source: SelfManagedEventSource | None = None
    """The self-managed Apache Kafka cluster that is the source. It replaces eventSourceARN and eventSourceRef."""
    enabled: bool | None = None
    """Whether Lambda polls the source. Set false to stop the processing of records. If absent, a new mapping is
    enabled, and the operator does not change the state after that."""
    batch_size: Int32 | None = None
    """The maximum number of records in one batch. Lambda sends each batch to the function in one invocation. SQS FIFO
    queues allow at most 10. For an SQS standard queue, a batchSize above 10 needs maximumBatchingWindowInSeconds of 1
    or more."""
    maximum_batching_window_in_seconds: Int32 | None = None
    """The maximum time, in seconds, for which Lambda gathers records before it invokes the function. SQS FIFO queues
    have no batching window. A mapping with consumptionMode Queue has no batching window. For Kafka, MQ and DocumentDB
    the default is 500 ms, and AWS cannot restore this default after the field was set."""
    starting_position: Word | None = None
    """The position in the source from which a new mapping starts to read. TRIM_HORIZON: the oldest record. LATEST: only
    new records. AT_TIMESTAMP: the time in startingPositionTimestamp. DynamoDB and MQ have no AT_TIMESTAMP. A mapping
    with consumptionMode Queue has no starting position."""
    starting_position_timestamp: PointInTimeOfSpec | None = None
    """The time from which a new mapping starts to read, such as 2026-01-31T12:00:00Z. It must not be in the future. It
    needs startingPosition AT_TIMESTAMP."""
    filter_criteria: FilterCriteria | None = None
    """The records that Lambda sends to the function. If absent, Lambda sends all records."""
    kms_key_arn: Long | None = None
    """The ARN of the KMS key with which AWS encrypts filterCriteria."""
    kms_key_ref: ObjectReference | None = None
    """The object that has the ARN of the KMS key. This field replaces kmsKeyARN."""
    parallelization_factor: Int32 | None = None
    """The number of batches of one shard that Lambda processes concurrently."""
    tumbling_window_in_seconds: Int32 | None = None
    """The duration, in seconds, of a tumbling window for aggregation. 0: no window."""
    maximum_record_age_in_seconds: Int32 | None = None
    """The maximum age, in seconds, of a record that Lambda sends to the function. Lambda discards older records. If
    destinationConfig.onFailure is set, Lambda reports them there. -1: no maximum."""
    maximum_retry_attempts: Int32 | None = None
    """The number of times that Lambda retries a failed batch. After the last retry, Lambda discards the batch. If
    destinationConfig.onFailure is set, Lambda reports the batch there. -1: Lambda retries until the records expire.
    There is an exception: if a mapping of a Kafka source has destinationConfig.onFailure, -1 means 10 retries. With
    consumptionMode Queue, -1 is not allowed and the default is 0."""
    bisect_batch_on_function_error: bool | None = None
    """Whether Lambda splits a failed batch in two before it retries."""
    destination_config: DestinationConfig | None = None
    """The destination to which Lambda reports the records that it discards."""
    function_response_types: Words | None = None
    """With ReportBatchItemFailures, the function returns the ids of the failed records of a batch. For SQS and Kafka,
    Lambda retries only these records. For Kinesis and DynamoDB, Lambda retries the failed record with the lowest
    sequence number and all later records of the batch."""
    scaling_config: ScalingConfig | None = None
    """The scaling of the mapping. A mapping with provisionedPollerConfig cannot have this field."""
    provisioned_poller_config: ProvisionedPollerConfig | None = None
    """Provisioned mode, in which event pollers are always ready. AWS charges for the event pollers. A mapping with
    scalingConfig cannot have provisioned mode."""
    metrics_config: MetricsConfig | None = None
    """The CloudWatch metrics that Lambda produces for the mapping."""
    logging_config: LoggingConfig | None = None
    """The logs of the event poller."""
    topics: Names | None = None
    """The Kafka topic. The list has exactly one entry."""
    topic_ref: ObjectReference | None = None
    """The object that has the name of the Kafka topic. This field replaces topics."""
    queues: Names | None = None
    """The queue of the broker. The list has exactly one entry."""
    source_access_configurations: (
        # Atomic: uri, which would be a key, is absent for some types, and a default would rewrite the spec.
        Annotated[
            list[SourceAccessConfiguration],
            Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """The network and login configuration of the source: secrets, subnets and security groups. At most 29 entries. The
    order does not matter. The entry VIRTUAL_HOST is immutable."""
    amazon_managed_kafka_event_source_config: AmazonManagedKafkaEventSourceConfig | None = None
    """The consumer group and the schema registry."""
    self_managed_kafka_event_source_config: SelfManagedKafkaEventSourceConfig | None = None
    """The consumer group, the consumption mode and the schema registry."""
    document_db_event_source_config: DocumentDBEventSourceConfig | None = None
    """The database, the collection and the content of the events."""


class OutputsModel(Structure):
    """The outputs of a mapping for other Kubernetes resources."""

    config_map_name: Name
    """The name of a ConfigMap in the namespace of this resource. The operator creates the ConfigMap. The ConfigMap has
    the keys uuid, arn, functionARN and state, with the values of these fields of the status. Kubernetes deletes the
    ConfigMap together with this resource. The operator does not write to a ConfigMap that it has not created for this
    resource."""


class EventSourceMappingSpec(MappingFields):
    """The desired state of a mapping."""

    tags: Tags | None = None
    """AWS tags of the mapping. They override default tags with the same keys. AWS allows 50 tags, and the operator
    needs 4 of these. So spec.tags and the default tags together can have at most 46 keys. Keys that begin with aws: or
    esm-operator.io/ are reserved. Keys and values can only have letters, digits, spaces and the characters _ . : / = +
    - @"""
    region: Word | None = None
    """The AWS region of the mapping. If absent, the operator uses the region of eventSourceARN, of the ProviderConfig
    or of its flag --region, in this order. The region cannot be changed, even with replacePolicy Recreate."""
    provider_config_ref: ProviderConfigReference | None = None
    """The ProviderConfig that defines the AWS account, the credentials and the default tags of the mapping. If absent,
    the operator uses the ProviderConfig that the label lambda.esm-operator.io/provider-config of the namespace names.
    Without this label, the operator uses the ProviderConfig called "default". If no ProviderConfig applies, the
    resource is Stalled, unless the operator runs with --operator-credentials=WithoutProviderConfig. The reference
    cannot be changed, even with replacePolicy Recreate."""
    deletion_policy: Word | None = None
    """The effect of deleting this resource. Delete: the operator deletes the mapping in AWS. Retain: the operator keeps
    the mapping and removes its owner tags. If absent: Delete."""
    management_policy: Word | None = None
    """The changes that the operator may make in AWS. Full: the operator creates, updates and deletes the mapping.
    Observe: the operator changes nothing in AWS, and reports in the status how the mapping differs from the spec. If
    absent: Full."""
    replace_policy: Word | None = None
    """The effect of changing an immutable field. Never: the API server refuses the change. Recreate: the operator
    replaces the mapping with a new one. The new mapping reads a stream from startingPosition. If the Kafka consumer
    group stays the same, the new mapping continues at the committed offsets of the group. If absent: Never."""
    adoption: AdoptionModel | None = None
    """Whether the operator adopts a mapping that exists in AWS."""
    ignore_changes: Words | None = None
    """The fields and tags that other tools may change in AWS. The operator sends them when it creates the mapping.
    After that, the operator neither compares nor sends them. If the operator replaces the mapping, the new mapping gets
    the values that the old one had in AWS. An entry is the path of a field, such as batchSize or
    provisionedPollerConfig.maximumPollers. The path of a structure, such as provisionedPollerConfig, means all fields
    in it. startingPosition includes startingPositionTimestamp. The entry tags means all tags except the owner tags. The
    entry tags.KEY means one tag. Fields by which the operator finds the mapping, such as functionName, are not
    allowed."""
    outputs: OutputsModel | None = None
    """The outputs of the mapping for other Kubernetes resources. The operator needs permission to write ConfigMaps. The
    chart grants it with outputs.enabled."""


class ConditionModel(Structure):
    """One condition, as in all Kubernetes APIs."""

    type: str = Field(max_length=316)
    """The type of the condition."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    observed_generation: Int64 | None = Field(None, ge=0)
    """The metadata.generation that the condition describes."""
    last_transition_time: PointInTime
    """The time of the last change of the status of the condition."""
    reason: str = Field(min_length=1, max_length=1_024)
    """The reason of the status, as one word for programs."""
    message: str = Field(max_length=32_768)
    """The explanation for people, with the problem and the remedy."""


class FilterCriteriaErrorModel(Structure):
    """The reason why AWS cannot encrypt or decrypt the filters."""

    error_code: str | None = None
    """The code of the KMS error that prevents AWS from encrypting or decrypting the filters."""
    message: str | None = None
    """The message of this KMS error."""


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
    """The fields of the spec that the operator sent to AWS. If you remove one of these fields from the spec, the
    operator resets it to the default of AWS. The fields that it cannot reset are in `applied.kept`."""
    tags: Strings | None = None
    """The keys of the tags that the operator sent to AWS. If you remove one of these tags from the spec or from the
    default tags, the operator removes it from the mapping."""
    immutable: dict[str, str] | None = None
    """The values of immutable fields that the operator sent to AWS. The keys of the map are the paths of the fields."""
    kept: dict[str, KeptModel] | None = None
    """The fields that were removed from the spec, and that the operator cannot reset to the default of AWS. They still
    have their last value in AWS. The keys of the map are the paths of the fields."""
    ignored: dict[str, str] | None = None
    """The values in AWS of the fields and tags in spec.ignoreChanges, as JSON. The value null means that AWS has no
    value. If the operator creates the mapping again, the new mapping gets these values. The keys of the map are the
    paths of the fields, or tags.KEY."""


class OutputsStatus(Structure):
    """The ConfigMap with the outputs."""

    config_map_name: str | None = None
    """The name of the ConfigMap that the operator has created for this resource."""
    message: str | None = None
    """The reason why the ConfigMap does not have the values of this status. If the ConfigMap has them, this field is
    absent."""


class ResolvedReferenceModel(Structure):
    """A reference of the spec, with its value."""

    field: str
    """The field of the spec that has the reference."""
    api_version: str
    """The apiVersion of the reference."""
    kind: str
    """The kind of the object."""
    name: str
    """The name of the object."""
    namespace: str | None = None
    """The namespace in the reference. If it is absent, the object is in the namespace of this resource, or has no
    namespace."""
    field_path: str | None = None
    """The fieldPath of the reference."""
    key: str | None = None
    """The key of the reference."""
    value: str
    """The value that the operator uses. If the object is deleted or loses its value later, the operator keeps the last
    value."""


class EventSourceMappingStatus(Structure):
    """The observed state of a mapping."""

    observed_generation: Int64 = -1
    """The metadata.generation that the status describes. A new resource has -1 until the operator writes the status."""
    state: str | None = None
    """The state of the mapping in AWS: Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting."""
    state_transition_reason: str | None = None
    """The cause of the last change of state, as AWS reports it."""
    uuid: str | None = None
    """The UUID of the mapping."""
    function: str | None = None
    """The short name of the function, if spec.functionRef supplies it. Examples are orders, and orders:live for an
    alias. If the spec has functionName, this field is absent."""
    source: str | None = None
    """The short name of the source. Examples are sqs/orders for a queue, dynamodb/orders for the stream of a table, and
    kafka/shop/orders for the topic orders of the cluster shop. For a self-managed Kafka cluster, the short name has the
    host of the first bootstrap server, as in kafka/kafka1.example.com/orders."""
    arn: str | None = None
    """The ARN of the mapping."""
    provider_config: str | None = None
    """The ProviderConfig through which the operator last reached the mapping. It is kept in the cluster as long as it
    may be needed to delete the mapping. Absent: the operator's own settings were used, or the status is older than this
    field."""
    account: str | None = None
    """The AWS account of the mapping."""
    region: str | None = None
    """The AWS region of the mapping."""
    function_arn: str | None = None
    """The ARN of the Lambda function."""
    last_modified: PointInTime | None = None
    """The time of the last change of the mapping or of its state in AWS."""
    last_processing_result: str | None = None
    """The result of Lambda's last poll of the source, as AWS reports it. AWS reports no result for SQS."""
    filter_criteria_error: FilterCriteriaErrorModel | None = None
    """The reason why AWS cannot encrypt or decrypt the filters."""
    observed: MappingFields | None = None
    """The fields of the mapping in AWS, including the values that AWS chose for fields that the spec does not set. They
    have the structure of the spec, so that you can compare them with the spec and copy them to it. If AWS returns a
    value of the spec in another spelling, this field has the spelling of the spec. If the strings of a field have more
    than 4,096 characters together, the operator shortens them. The operator leaves out filterCriteria if a KMS key
    encrypts the filters. While AWS creates or updates the mapping, the operator leaves out enabled. The tags are in
    status.tagsAll. If nothing else in the status has changed, the operator writes these fields at most once in 10
    minutes."""
    tags_all: dict[str, str] | None = None
    """All tags of the mapping, including default tags and owner tags."""
    applied: AppliedModel | None = None
    """The parts of the spec that the operator has sent to AWS."""
    creating: str | None = None
    """The record of a request to create a mapping. The operator writes the record before it sends the request, and
    removes the record when it knows the result of the request. The field exists only in the ownership mode ResourceOnly
    (spec.ownership of the ProviderConfig, or the operator's --ownership)."""
    outputs: OutputsStatus | None = None
    """The ConfigMap of spec.outputs."""
    references: Annotated[list[ResolvedReferenceModel], *as_map("field")] | None = None
    """The references of the spec that have a value, with the values."""
    last_handled_reconcile_at: str | None = None
    """The last handled value of the annotation lambda.esm-operator.io/reconcile-at. Each new value of the annotation
    makes the operator read the mapping from AWS immediately. After that, the operator copies the value to this
    field."""
    conditions: Annotated[list[ConditionModel], *as_map("type")] | None = None
    """Ready: the operator has no change to make, and AWS has finished the last change. Reconciling: a change is in
    progress, or something failed and the operator retries until it succeeds. Stalled: the operator waits until a person
    has corrected the cause. Synced: the mapping has the values of the spec. Processing: Lambda reported no problem at
    its last poll of the source. ReferencesResolved: each reference has the present value of its object. Only resources
    with references have this condition. UnknownAnnotations: the resource has unknown annotations that begin with
    lambda.esm-operator.io/."""


class EventSourceMapping(Structure):
    """The whole resource. The API server checks the metadata."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: EventSourceMappingSpec
    status: EventSourceMappingStatus | None = None
