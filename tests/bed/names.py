"""Names of the API and of AWS that tests use often."""

KIND = "eventsourcemappings.lambda.esm-operator.io"
CONFIGS = "providerconfigs.lambda.esm-operator.io"
FINALIZER = "lambda.esm-operator.io/mapping"
#: Operations that change something in AWS.
WRITES = frozenset(
    {
        "CreateEventSourceMapping",
        "UpdateEventSourceMapping",
        "DeleteEventSourceMapping",
        "TagResource",
        "UntagResource",
    }
)
#: Operations that the operator may call for a resource that has not changed.
SWEEPS = frozenset({"ListEventSourceMappings", "GetResources", "GetCallerIdentity"})
