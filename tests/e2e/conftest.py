"""Fixtures of end-to-end tests: a control plane with the kinds of ACK, Crossplane and Strimzi."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.aws import AwsServer
    from tests.bed import Bed
    from tests.controlplane import ControlPlane


@pytest.fixture(scope="session")
def reference_plane() -> Generator[ControlPlane]:
    """A control plane with the CRDs, and with all kinds that resources reference in tests."""
    from tests.bed import install
    from tests.controlplane import ControlPlane
    from tests.e2e.referenced_objects import install_kinds

    with ControlPlane() as plane:
        install(plane)
        install_kinds(plane)
        yield plane


@pytest.fixture
def reference_bed(reference_plane: ControlPlane, aws_server: AwsServer, tmp_path: Path) -> Generator[Bed]:
    """A bed on this control plane. Its operator has the rights to all kinds."""
    from tests import role
    from tests.bed import Bed
    from tests.bed.cluster import create_namespace
    from tests.e2e.referenced_objects import WIDGETS, grant

    aws_server.control.reset()
    aws_server.control.set(pace=0.1)
    grant(reference_plane, *role.references(), WIDGETS)
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    create_namespace(reference_plane.client, namespace)
    kubeconfig = reference_plane.kubeconfig_for(role.NAME, role.NAME)
    with Bed(plane=reference_plane, aws=aws_server, kubeconfig=kubeconfig, namespace=namespace, folder=tmp_path) as bed:
        yield bed
