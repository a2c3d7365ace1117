"""Kubernetes: what it says, and what is written to it."""
