"""Metrics, alerts and dashboard as Prometheus sees them: a real Prometheus scrapes the operator."""
