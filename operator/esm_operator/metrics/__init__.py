"""Prometheus metrics and the HTTP servers for probes and metrics."""
