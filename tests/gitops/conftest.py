"""The scenarios' fixtures: one control plane and one AWS server, a namespace and an operator for each test."""

from tests.e2e.conftest import aws_server, bed, control_plane, operator_kubeconfig

__all__ = ["aws_server", "bed", "control_plane", "operator_kubeconfig"]
