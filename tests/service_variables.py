"""The environment variables that Kubernetes sets in the pods of a namespace that has a Service called esm-operator."""

#: Of a Service with a port called metrics.
SERVICE_VARIABLES = {
    "ESM_OPERATOR_SERVICE_HOST": "10.0.0.1",
    "ESM_OPERATOR_SERVICE_PORT": "8080",
    "ESM_OPERATOR_SERVICE_PORT_METRICS": "8080",
    "ESM_OPERATOR_PORT": "tcp://10.0.0.1:8080",
    "ESM_OPERATOR_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "ESM_OPERATOR_PORT_8080_TCP_PROTO": "tcp",
    "ESM_OPERATOR_PORT_8080_TCP_PORT": "8080",
    "ESM_OPERATOR_PORT_8080_TCP_ADDR": "10.0.0.1",
}
