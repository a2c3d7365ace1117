"""The command that prints manifests of mappings that exist at AWS, for resources to take them over."""
