"""The commands that run and end: export, iam-policy, orphans and validate."""
