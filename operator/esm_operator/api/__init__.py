"""The custom resources: their fields, names, rules and schemas. Pure: knows neither AWS's nor Kubernetes' API."""
