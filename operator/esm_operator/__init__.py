"""esm-operator: AWS Lambda event source mappings as Kubernetes resources."""
