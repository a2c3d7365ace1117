"""Tests of metrics, alerts and the dashboard with a real Prometheus that scrapes the operator."""
