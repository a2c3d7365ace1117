"""Fixtures: a control plane and an AWS server for each worker, and a namespace with its own operators for each test.

The fixtures import what they need when they are used, because ``make guards`` starts pytest hundreds of times for tests
that use none of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from tests.aws import AwsServer
    from tests.bed import Bed
    from tests.controlplane import ControlPlane

#: The seconds that a transition in AWS takes, unless a test sets another value.
PACE = 0.3


class NewBed(Protocol):
    """Makes a bed in its own namespace.

    Args:
        account: the account of its mappings. Empty: it has the AWS server for itself.
    """

    def __call__(self, account: str = "") -> Bed: ...


@pytest.fixture(scope="session")
def control_plane() -> Generator[ControlPlane]:
    """A control plane with the CRDs and the operator's role."""
    from tests.bed import install
    from tests.controlplane import ControlPlane

    with ControlPlane() as plane:
        install(plane)
        yield plane


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: ControlPlane) -> Path:
    """The kubeconfig of the operator's ServiceAccount."""
    from tests import role

    return control_plane.kubeconfig_for(role.NAME, role.NAME)


@pytest.fixture(scope="session")
def aws_server() -> Generator[AwsServer]:
    """An AWS server without quotas whose transitions end immediately, unless a test sets other values."""
    from tests.aws import AwsServer

    with AwsServer() as server:
        server.warm_up()
        yield server


@pytest.fixture
def new_bed(
    control_plane: ControlPlane, aws_server: AwsServer, operator_kubeconfig: Path, tmp_path: Path
) -> Generator[NewBed]:
    """Makes beds on an empty AWS server."""
    from tests.bed import Bed
    from tests.bed.cluster import create_namespace

    aws_server.control.reset()
    aws_server.control.set(pace=PACE)
    with ExitStack() as exits:

        def make(account: str = "") -> Bed:
            namespace = f"test-{uuid.uuid4().hex[:8]}"
            create_namespace(control_plane.client, namespace)
            folder = tmp_path / namespace
            folder.mkdir()
            return exits.enter_context(
                Bed(
                    plane=control_plane,
                    aws=aws_server,
                    kubeconfig=operator_kubeconfig,
                    namespace=namespace,
                    folder=folder,
                    account=account,
                )
            )

        yield make


@pytest.fixture
def bed(new_bed: NewBed) -> Bed:
    """A bed that has the AWS server for itself. The operators' logs are shown if the test fails."""
    return new_bed()
