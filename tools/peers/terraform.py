"""Where each argument and attribute of Terraform's ``aws_lambda_event_source_mapping`` is in our resource.

The arguments and attributes are those of version 6 of the AWS provider.
"""

from collections.abc import Mapping

from tools.peers.peer import Peer, under

_REGISTRY: Mapping[str, str] = {
    "access_config": "accessConfigs",
    "access_config.type": "accessConfigs[].type",
    "access_config.uri": "accessConfigs[].uri",
    "event_record_format": "eventRecordFormat",
    "schema_registry_uri": "schemaRegistryURI",
    "schema_validation_config": "schemaValidationConfigs",
    "schema_validation_config.attribute": "schemaValidationConfigs[].attribute",
}


def _kafka(block: str, structure: str) -> dict[str, str]:
    registry = f"{structure}.schemaRegistryConfig"
    return {
        block: structure,
        f"{block}.consumer_group_id": f"{structure}.consumerGroupID",
        f"{block}.schema_registry_config": registry,
        **under(f"{block}.schema_registry_config", _REGISTRY, registry),
    }


#: Arguments, and the fields of the spec. Blocks have a dot.
ARGUMENTS: Mapping[str, str] = {
    "function_name": "functionName",
    **_kafka("amazon_managed_kafka_event_source_config", "amazonManagedKafkaEventSourceConfig"),
    "batch_size": "batchSize",
    "bisect_batch_on_function_error": "bisectBatchOnFunctionError",
    "destination_config": "destinationConfig",
    "destination_config.on_failure": "destinationConfig.onFailure",
    "destination_config.on_failure.destination_arn": "destinationConfig.onFailure.destination",
    "document_db_event_source_config": "documentDBEventSourceConfig",
    "document_db_event_source_config.collection_name": "documentDBEventSourceConfig.collectionName",
    "document_db_event_source_config.database_name": "documentDBEventSourceConfig.databaseName",
    "document_db_event_source_config.full_document": "documentDBEventSourceConfig.fullDocument",
    "enabled": "enabled",
    "event_source_arn": "eventSourceARN",
    "filter_criteria": "filterCriteria",
    "filter_criteria.filter": "filterCriteria.filters",
    "filter_criteria.filter.pattern": "filterCriteria.filters[].pattern",
    "function_response_types": "functionResponseTypes",
    "kms_key_arn": "kmsKeyARN",
    "maximum_batching_window_in_seconds": "maximumBatchingWindowInSeconds",
    "maximum_record_age_in_seconds": "maximumRecordAgeInSeconds",
    "maximum_retry_attempts": "maximumRetryAttempts",
    "metrics_config": "metricsConfig",
    "metrics_config.metrics": "metricsConfig.metrics",
    "parallelization_factor": "parallelizationFactor",
    "provisioned_poller_config": "provisionedPollerConfig",
    "provisioned_poller_config.maximum_pollers": "provisionedPollerConfig.maximumPollers",
    "provisioned_poller_config.minimum_pollers": "provisionedPollerConfig.minimumPollers",
    "provisioned_poller_config.poller_group_name": "provisionedPollerConfig.pollerGroupName",
    "queues": "queues",
    "region": "region",
    "scaling_config": "scalingConfig",
    "scaling_config.maximum_concurrency": "scalingConfig.maximumConcurrency",
    "self_managed_event_source": "selfManagedEventSource",
    "self_managed_event_source.endpoints": "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
    **_kafka("self_managed_kafka_event_source_config", "selfManagedKafkaEventSourceConfig"),
    "source_access_configuration": "sourceAccessConfigurations",
    "source_access_configuration.type": "sourceAccessConfigurations[].type",
    "source_access_configuration.uri": "sourceAccessConfigurations[].uri",
    "starting_position": "startingPosition",
    "starting_position_timestamp": "startingPositionTimestamp",
    "tags": "tags",
    "timeouts": "",
    "topics": "topics",
    "tumbling_window_in_seconds": "tumblingWindowInSeconds",
    "use_resource_timeout_for_propagation": "",
}

#: Attributes that AWS fills in, and the fields of the status.
ATTRIBUTES: Mapping[str, str] = {
    "arn": "arn",
    "function_arn": "functionARN",
    "id": "uuid",
    "last_modified": "lastModified",
    "last_processing_result": "lastProcessingResult",
    "state": "state",
    "state_transition_reason": "stateTransitionReason",
    "tags_all": "tagsAll",
    "uuid": "uuid",
}

_WAITING = "not needed. The operator waits without a limit while AWS processes a change"

#: Differences other than the name.
NOTES: Mapping[str, str] = {
    "filter_criteria.filter": "a list. Write `pattern` as a string with JSON, without `jsonencode`",
    "self_managed_event_source.endpoints": "a list of servers, not one string with commas",
    "source_access_configuration": "a list, not repeated blocks",
    "topics": "exactly one, because AWS accepts no more",
    "region": "default: the region of `eventSourceARN`",
    "tags": "default tags are in `defaultTags` of the ProviderConfig",
    "destination_config.on_failure.destination_arn": "the ARN of an SQS queue, an SNS topic or an S3 bucket. A Kafka "
    "source can also have `kafka://TOPIC`",
    "uuid": "`adoption: {policy: Required, uuid: ...}` is the equivalent of `terraform import`",
    "timeouts": _WAITING,
    "use_resource_timeout_for_propagation": _WAITING,
}

PEER = Peer("Terraform", ARGUMENTS, ATTRIBUTES, NOTES)
