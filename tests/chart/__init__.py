"""Tests of the Helm chart: the rendered objects, the refused values, and an installation on a real API server."""
