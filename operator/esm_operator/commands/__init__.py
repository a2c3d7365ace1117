"""The commands that run once and end: export, iam-policy, orphans and validate."""
