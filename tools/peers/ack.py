"""Where each field of ACK's EventSourceMapping (``lambda.services.k8s.aws/v1alpha1``) is in our resource.

The fields are those of the newest version of the AWS Controllers for Kubernetes' Lambda controller.
"""

from collections.abc import Mapping

from tools.peers.peer import Peer, under

_REGISTRY: Mapping[str, str] = {
    "accessConfigs": "accessConfigs",
    "accessConfigs[].type": "accessConfigs[].type",
    "accessConfigs[].uri": "accessConfigs[].uri",
    "eventRecordFormat": "eventRecordFormat",
    "schemaRegistryURI": "schemaRegistryURI",
    "schemaValidationConfigs": "schemaValidationConfigs",
    "schemaValidationConfigs[].attribute": "schemaValidationConfigs[].attribute",
}


def _kafka(structure: str) -> dict[str, str]:
    registry = f"{structure}.schemaRegistryConfig"
    return {
        f"{structure}.consumerGroupID": f"{structure}.consumerGroupID",
        registry: registry,
        **under(registry, _REGISTRY, registry),
        f"{registry}.accessConfigs[].uriRef": "",
    }


#: The fields of its spec, and of ours.
SPEC: Mapping[str, str] = {
    **_kafka("amazonManagedKafkaEventSourceConfig"),
    "batchSize": "batchSize",
    "bisectBatchOnFunctionError": "bisectBatchOnFunctionError",
    "destinationConfig.onFailure.destination": "destinationConfig.onFailure.destination",
    "destinationConfig.onSuccess.destination": "",
    "enabled": "enabled",
    "eventSourceARN": "eventSourceARN",
    "eventSourceRef": "eventSourceRef",
    "filterCriteria.filters": "filterCriteria.filters",
    "filterCriteria.filters[].pattern": "filterCriteria.filters[].pattern",
    "functionName": "functionName",
    "functionRef": "functionRef",
    "functionResponseTypes": "functionResponseTypes",
    "maximumBatchingWindowInSeconds": "maximumBatchingWindowInSeconds",
    "maximumRecordAgeInSeconds": "maximumRecordAgeInSeconds",
    "maximumRetryAttempts": "maximumRetryAttempts",
    "parallelizationFactor": "parallelizationFactor",
    "queueRefs": "",
    "queues": "queues",
    "scalingConfig.maximumConcurrency": "scalingConfig.maximumConcurrency",
    "selfManagedEventSource.endpoints": "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
    **_kafka("selfManagedKafkaEventSourceConfig"),
    "sourceAccessConfigurations": "sourceAccessConfigurations",
    "sourceAccessConfigurations[].type_": "sourceAccessConfigurations[].type",
    "sourceAccessConfigurations[].uRI": "sourceAccessConfigurations[].uri",
    "startingPosition": "startingPosition",
    "startingPositionTimestamp": "startingPositionTimestamp",
    "tags": "tags",
    "topics": "topics",
    "tumblingWindowInSeconds": "tumblingWindowInSeconds",
}

#: The fields of its status, and of ours.
STATUS: Mapping[str, str] = {
    "ackResourceMetadata.arn": "arn",
    "ackResourceMetadata.ownerAccountID": "",
    "ackResourceMetadata.region": "",
    "conditions": "conditions",
    "functionARN": "functionARN",
    "lastModified": "lastModified",
    "lastProcessingResult": "lastProcessingResult",
    "state": "state",
    "stateTransitionReason": "stateTransitionReason",
    "uuid": "uuid",
}

_NO_REFERENCE = "this operator has no reference here. Write the value that the reference resolves to"
_REFERENCE = (
    "`from.name` and `from.namespace` become `name` and `namespace`. Add `apiVersion: {group}/v1alpha1` and "
    "`kind: {kind}`"
)

#: Differences other than the name.
NOTES: Mapping[str, str] = {
    "destinationConfig.onSuccess.destination": "AWS refuses it for event source mappings",
    "functionRef": _REFERENCE.format(group="lambda.services.k8s.aws", kind="Function"),
    "eventSourceRef": _REFERENCE.format(group="kafka.services.k8s.aws", kind="Cluster"),
    "queueRefs": "write the name of the queue to `spec.queues`",
    "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].uriRef": _NO_REFERENCE,
    "selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs[].uriRef": _NO_REFERENCE,
    "selfManagedEventSource.endpoints": "`KAFKA_BOOTSTRAP_SERVERS` is the only key",
    "tags": "older versions of ACK do not have this field, and set only their own tags",
    "topics": "exactly one, because AWS accepts no more",
    "ackResourceMetadata.ownerAccountID": "part of `status.arn`",
    "ackResourceMetadata.region": "part of `status.arn`",
    "conditions": "`ACK.ResourceSynced` becomes `Synced`, `ACK.Terminal` becomes `Stalled`, and `ACK.Recoverable` "
    "becomes `Reconciling`. `Ready` is True if the operator has no change to make and AWS has finished the "
    "last change",
}

PEER = Peer("ACK", SPEC, STATUS, NOTES)
