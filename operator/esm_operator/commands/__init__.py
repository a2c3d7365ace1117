"""The commands that run once and end: crds, export, iam-policy, orphans and validate."""
