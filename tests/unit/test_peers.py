"""Each field of Terraform, ACK and Crossplane has its counterpart in the resource.

This module lists their fields as in their own schemas, independently of the tables.
"""

import pytest

from esm_operator.api.fields import FIELDS
from tools import crd_definitions
from tools.peers import ack, crossplane, terraform
from tools.peers.peer import Peer

#: aws_lambda_event_source_mapping of the AWS provider 6.62.
TERRAFORM = """
amazon_managed_kafka_event_source_config batch_size bisect_batch_on_function_error destination_config
document_db_event_source_config enabled event_source_arn filter_criteria function_name function_response_types
kms_key_arn maximum_batching_window_in_seconds maximum_record_age_in_seconds maximum_retry_attempts metrics_config
parallelization_factor provisioned_poller_config queues region scaling_config self_managed_event_source
self_managed_kafka_event_source_config source_access_configuration starting_position starting_position_timestamp tags
timeouts topics tumbling_window_in_seconds use_resource_timeout_for_propagation

amazon_managed_kafka_event_source_config.consumer_group_id
amazon_managed_kafka_event_source_config.schema_registry_config
amazon_managed_kafka_event_source_config.schema_registry_config.access_config
amazon_managed_kafka_event_source_config.schema_registry_config.access_config.type
amazon_managed_kafka_event_source_config.schema_registry_config.access_config.uri
amazon_managed_kafka_event_source_config.schema_registry_config.event_record_format
amazon_managed_kafka_event_source_config.schema_registry_config.schema_registry_uri
amazon_managed_kafka_event_source_config.schema_registry_config.schema_validation_config
amazon_managed_kafka_event_source_config.schema_registry_config.schema_validation_config.attribute
destination_config.on_failure destination_config.on_failure.destination_arn
document_db_event_source_config.collection_name document_db_event_source_config.database_name
document_db_event_source_config.full_document
filter_criteria.filter filter_criteria.filter.pattern
metrics_config.metrics
provisioned_poller_config.maximum_pollers provisioned_poller_config.minimum_pollers
provisioned_poller_config.poller_group_name
scaling_config.maximum_concurrency
self_managed_event_source.endpoints
self_managed_kafka_event_source_config.consumer_group_id
self_managed_kafka_event_source_config.schema_registry_config
self_managed_kafka_event_source_config.schema_registry_config.access_config
self_managed_kafka_event_source_config.schema_registry_config.access_config.type
self_managed_kafka_event_source_config.schema_registry_config.access_config.uri
self_managed_kafka_event_source_config.schema_registry_config.event_record_format
self_managed_kafka_event_source_config.schema_registry_config.schema_registry_uri
self_managed_kafka_event_source_config.schema_registry_config.schema_validation_config
self_managed_kafka_event_source_config.schema_registry_config.schema_validation_config.attribute
source_access_configuration.type source_access_configuration.uri
"""
TERRAFORM_ATTRIBUTES = """
arn function_arn id last_modified last_processing_result state state_transition_reason tags_all uuid
"""

#: spec and status of lambda.services.k8s.aws/v1alpha1.
ACK = """
amazonManagedKafkaEventSourceConfig.consumerGroupID
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].type
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].uri
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].uriRef
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.eventRecordFormat
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaRegistryURI
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfigs
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfigs[].attribute
batchSize bisectBatchOnFunctionError destinationConfig.onFailure.destination destinationConfig.onSuccess.destination
enabled eventSourceARN eventSourceRef filterCriteria.filters filterCriteria.filters[].pattern functionName functionRef
functionResponseTypes maximumBatchingWindowInSeconds maximumRecordAgeInSeconds maximumRetryAttempts
parallelizationFactor queueRefs queues scalingConfig.maximumConcurrency selfManagedEventSource.endpoints
selfManagedKafkaEventSourceConfig.consumerGroupID
selfManagedKafkaEventSourceConfig.schemaRegistryConfig
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].type
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].uri
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].uriRef
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.eventRecordFormat
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaRegistryURI
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfigs
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfigs[].attribute
sourceAccessConfigurations sourceAccessConfigurations[].type_ sourceAccessConfigurations[].uRI startingPosition
startingPositionTimestamp tags topics tumblingWindowInSeconds
"""
ACK_STATUS = """
ackResourceMetadata.arn ackResourceMetadata.ownerAccountID ackResourceMetadata.region conditions functionARN
lastModified lastProcessingResult state stateTransitionReason uuid
"""

#: spec.forProvider of lambda.aws.upbound.io/v1beta2; that of lambda.aws.m.upbound.io/v1beta1 has the same names.
CROSSPLANE = """
amazonManagedKafkaEventSourceConfig.consumerGroupId
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfig
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfig[].type
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfig[].uri
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.eventRecordFormat
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaRegistryUri
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfig
amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfig[].attribute
batchSize bisectBatchOnFunctionError destinationConfig.onFailure.destinationArn
destinationConfig.onFailure.destinationArnRef destinationConfig.onFailure.destinationArnSelector
documentDbEventSourceConfig.collectionName documentDbEventSourceConfig.databaseName
documentDbEventSourceConfig.fullDocument enabled eventSourceArn filterCriteria.filter filterCriteria.filter[].pattern
functionName functionNameRef functionNameSelector functionResponseTypes kmsKeyArn kmsKeyArnRef kmsKeyArnSelector
maximumBatchingWindowInSeconds maximumRecordAgeInSeconds maximumRetryAttempts metricsConfig.metrics
parallelizationFactor provisionedPollerConfig.maximumPollers provisionedPollerConfig.minimumPollers
provisionedPollerConfig.pollerGroupName queues region scalingConfig.maximumConcurrency selfManagedEventSource.endpoints
selfManagedKafkaEventSourceConfig.consumerGroupId
selfManagedKafkaEventSourceConfig.schemaRegistryConfig
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfig
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfig[].type
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfig[].uri
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.eventRecordFormat
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaRegistryUri
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfig
selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfig[].attribute
sourceAccessConfiguration sourceAccessConfiguration[].type sourceAccessConfiguration[].uri startingPosition
startingPositionTimestamp tags topics tumblingWindowInSeconds useResourceTimeoutForPropagation
"""
CROSSPLANE_BESIDE = "initProvider providerConfigRef.name managementPolicies deletionPolicy writeConnectionSecretToRef"
CROSSPLANE_STATUS = """
atProvider.arn atProvider.functionArn atProvider.id atProvider.lastModified atProvider.lastProcessingResult
atProvider.state atProvider.stateTransitionReason atProvider.tagsAll atProvider.uuid conditions
"""

PEERS = [
    pytest.param(terraform.PEER, TERRAFORM.split(), TERRAFORM_ATTRIBUTES.split(), id="Terraform"),
    pytest.param(ack.PEER, ACK.split(), ACK_STATUS.split(), id="ACK"),
    pytest.param(
        crossplane.PEER,
        [*(f"forProvider.{name}" for name in CROSSPLANE.split()), *CROSSPLANE_BESIDE.split()],
        CROSSPLANE_STATUS.split(),
        id="Crossplane",
    ),
]


def exists(part: str, path: str) -> bool:
    version = crd_definitions.event_source_mappings()["spec"]["versions"][0]
    place = version["schema"]["openAPIV3Schema"]["properties"][part]
    for name in path.split("."):
        place = place.get("properties", {}).get(name.removesuffix("[]"))
        if place is None:
            return False
        if name.endswith("[]"):
            place = place["items"]
    return True


@pytest.mark.parametrize(("peer", "spec", "status"), PEERS)
def test_each_field_of_a_peer_has_a_row_and_a_field_of_the_resource(
    peer: Peer, spec: list[str], status: list[str]
) -> None:
    assert sorted(peer.spec) == sorted(spec)
    assert sorted(peer.status) == sorted(status)
    assert [path for path in peer.spec.values() if path and not exists("spec", path)] == []
    assert [path for path in peer.status.values() if path and not exists("status", path)] == []


@pytest.mark.parametrize(("peer", "spec", "status"), PEERS)
def test_a_field_without_a_counterpart_has_a_reason(peer: Peer, spec: list[str], status: list[str]) -> None:
    assert set(peer.notes) <= {*spec, *status}
    nowhere = {name for name, path in {**peer.spec, **peer.status}.items() if not path}
    assert nowhere <= set(peer.notes)


@pytest.mark.parametrize(("peer", "spec", "status"), PEERS)
def test_each_field_of_the_resource_is_in_the_peer_or_listed_as_new(
    peer: Peer, spec: list[str], status: list[str]
) -> None:
    lines = peer.markdown().splitlines()
    only = peer.only_here()
    assert len(lines) == 2 + len(spec) + len(status) + len(only)
    for row in FIELDS:
        assert (row.path in only) == (f"|  | `spec.{row.path}` | only here |" in lines)
        assert any(f"`spec.{row.path}" in line for line in lines), row.path
    assert [path for path in only if not exists("spec", path)] == []


def test_new_fields_are_listed() -> None:
    assert terraform.PEER.only_here() == [
        "loggingConfig.systemLogLevel",
        "selfManagedKafkaEventSourceConfig.consumptionMode",
        "providerConfigRef.name",
        "deletionPolicy",
        "managementPolicy",
        "replacePolicy",
        "adoption.policy",
    ]
    assert "kmsKeyARN" in ack.PEER.only_here()
    assert "provisionedPollerConfig.minimumPollers" in ack.PEER.only_here()
    assert crossplane.PEER.only_here() == [
        "loggingConfig.systemLogLevel",
        "selfManagedKafkaEventSourceConfig.consumptionMode",
        "replacePolicy",
        "adoption.policy",
    ]


def test_a_row_is_rendered() -> None:
    lines = terraform.PEER.markdown().splitlines()
    assert "| `batch_size` | `spec.batchSize` |  |" in lines
    assert "| `timeouts` |  | not needed. The operator waits without a limit while AWS processes a change |" in lines
