"""Prometheus metrics and the HTTP server for probes and metrics."""
