"""Attacks on a running operator, which works under the roles that the chart gives it.

Each file is an attack of one kind: as a tenant, as an author of ProviderConfigs, from a pod in the network, or as the
AWS endpoint. Each attack succeeded once. The page docs/explanation/threats.md lists them.
"""
