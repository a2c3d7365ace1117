"""Where each field of Crossplane's EventSourceMapping is in our resource.

Those of the AWS provider that is made from Terraform's: ``lambda.aws.upbound.io/v1beta2`` and
``lambda.aws.m.upbound.io/v1beta1`` (namespaced). ``lambda.aws.upbound.io/v1beta1`` has the same names, with a list of
one entry in place of each structure.
"""

from collections.abc import Mapping

from tools.peers.peer import Peer, under

_REGISTRY: Mapping[str, str] = {
    "accessConfig": "accessConfigs",
    "accessConfig[].type": "accessConfigs[].type",
    "accessConfig[].uri": "accessConfigs[].uri",
    "eventRecordFormat": "eventRecordFormat",
    "schemaRegistryUri": "schemaRegistryURI",
    "schemaValidationConfig": "schemaValidationConfigs",
    "schemaValidationConfig[].attribute": "schemaValidationConfigs[].attribute",
}


def _kafka(structure: str) -> dict[str, str]:
    registry = f"{structure}.schemaRegistryConfig"
    return {
        f"{structure}.consumerGroupId": f"{structure}.consumerGroupID",
        registry: registry,
        **under(registry, _REGISTRY, registry),
    }


#: The fields of its ``spec.forProvider`` and the fields next to it, and the fields of our spec.
SPEC: Mapping[str, str] = {
    **{
        f"forProvider.{name}": path
        for name, path in {
            **_kafka("amazonManagedKafkaEventSourceConfig"),
            "batchSize": "batchSize",
            "bisectBatchOnFunctionError": "bisectBatchOnFunctionError",
            "destinationConfig.onFailure.destinationArn": "destinationConfig.onFailure.destination",
            "destinationConfig.onFailure.destinationArnRef": "destinationConfig.onFailure.destinationRef",
            "destinationConfig.onFailure.destinationArnSelector": "",
            "documentDbEventSourceConfig.collectionName": "documentDBEventSourceConfig.collectionName",
            "documentDbEventSourceConfig.databaseName": "documentDBEventSourceConfig.databaseName",
            "documentDbEventSourceConfig.fullDocument": "documentDBEventSourceConfig.fullDocument",
            "enabled": "enabled",
            "eventSourceArn": "eventSourceARN",
            "filterCriteria.filter": "filterCriteria.filters",
            "filterCriteria.filter[].pattern": "filterCriteria.filters[].pattern",
            "functionName": "functionName",
            "functionNameRef": "functionRef",
            "functionNameSelector": "",
            "functionResponseTypes": "functionResponseTypes",
            "kmsKeyArn": "kmsKeyARN",
            "kmsKeyArnRef": "kmsKeyRef",
            "kmsKeyArnSelector": "",
            "maximumBatchingWindowInSeconds": "maximumBatchingWindowInSeconds",
            "maximumRecordAgeInSeconds": "maximumRecordAgeInSeconds",
            "maximumRetryAttempts": "maximumRetryAttempts",
            "metricsConfig.metrics": "metricsConfig.metrics",
            "parallelizationFactor": "parallelizationFactor",
            "provisionedPollerConfig.maximumPollers": "provisionedPollerConfig.maximumPollers",
            "provisionedPollerConfig.minimumPollers": "provisionedPollerConfig.minimumPollers",
            "provisionedPollerConfig.pollerGroupName": "provisionedPollerConfig.pollerGroupName",
            "queues": "queues",
            "region": "region",
            "scalingConfig.maximumConcurrency": "scalingConfig.maximumConcurrency",
            "selfManagedEventSource.endpoints": "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
            **_kafka("selfManagedKafkaEventSourceConfig"),
            "sourceAccessConfiguration": "sourceAccessConfigurations",
            "sourceAccessConfiguration[].type": "sourceAccessConfigurations[].type",
            "sourceAccessConfiguration[].uri": "sourceAccessConfigurations[].uri",
            "startingPosition": "startingPosition",
            "startingPositionTimestamp": "startingPositionTimestamp",
            "tags": "tags",
            "topics": "topics",
            "tumblingWindowInSeconds": "tumblingWindowInSeconds",
            "useResourceTimeoutForPropagation": "",
        }.items()
    },
    "initProvider": "",
    "providerConfigRef.name": "providerConfigRef.name",
    "managementPolicies": "managementPolicy",
    "deletionPolicy": "deletionPolicy",
    "writeConnectionSecretToRef": "",
}

#: The fields of its ``status.atProvider`` that are not settings, and its conditions, and the fields of our status.
STATUS: Mapping[str, str] = {
    "atProvider.arn": "arn",
    "atProvider.functionArn": "functionARN",
    "atProvider.id": "uuid",
    "atProvider.lastModified": "lastModified",
    "atProvider.lastProcessingResult": "lastProcessingResult",
    "atProvider.state": "state",
    "atProvider.stateTransitionReason": "stateTransitionReason",
    "atProvider.tagsAll": "tagsAll",
    "atProvider.uuid": "uuid",
    "conditions": "conditions",
}

_REFERENCE = "add `apiVersion` and `kind` of the resource, such as `{group}/v1beta1` and `{kind}`"
_NO_SELECTOR = "references have no selectors. Write the name of the resource to `spec.{field}`"
#: The fields with references, the group and kind of the resource, and our field.
_REFERENCES = (
    ("functionName", "lambda.aws.upbound.io", "Function", "functionRef"),
    ("kmsKeyArn", "kms.aws.upbound.io", "Key", "kmsKeyRef"),
    (
        "destinationConfig.onFailure.destinationArn",
        "sqs.aws.upbound.io",
        "Queue",
        "destinationConfig.onFailure.destinationRef",
    ),
)

#: Differences other than the name.
NOTES: Mapping[str, str] = {
    **{f"forProvider.{name}Ref": _REFERENCE.format(group=group, kind=kind) for name, group, kind, _ in _REFERENCES},
    **{f"forProvider.{name}Selector": _NO_SELECTOR.format(field=field) for name, _, _, field in _REFERENCES},
    "forProvider.region": "default: the region of `eventSourceARN`",
    "forProvider.selfManagedEventSource.endpoints": "a list of servers, not one string with commas",
    "forProvider.tags": "default tags are in `defaultTags` of the ProviderConfig",
    "forProvider.topics": "exactly one, because AWS accepts no more",
    "forProvider.useResourceTimeoutForPropagation": "not needed. The operator waits without a limit while AWS "
    "processes a change",
    "initProvider": "there is no equivalent. The operator does not set a field that the spec leaves out, neither when "
    "it creates the mapping nor later",
    "providerConfigRef.name": "a ProviderConfig of this operator. Default: the ProviderConfig named `default`",
    "managementPolicies": '`["Observe"]` becomes Observe, and `["*"]` becomes Full. For other combinations see '
    "`deletionPolicy`, `adoption` and `replacePolicy`",
    "deletionPolicy": "Orphan becomes Retain. The namespaced kind does not have this field",
    "writeConnectionSecretToRef": "mappings have no connection secrets",
    "atProvider.id": "also in the annotation `crossplane.io/external-name`. To adopt the mapping with this UUID, set "
    "`adoption: {policy: Required, uuid: ...}`",
    "conditions": "`Ready` and `Synced` have the same meaning. `Stalled` means that a person must act. `Reconciling` "
    "means that the operator continues",
}

PEER = Peer("Crossplane", SPEC, STATUS, NOTES)
