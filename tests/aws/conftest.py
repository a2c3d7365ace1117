"""One server for all tests of this folder, empty at the beginning of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import AwsServer, Control


@pytest.fixture(scope="session")
def _server() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def aws(_server: AwsServer) -> AwsServer:
    _server.control.reset()
    return _server


@pytest.fixture
def control(aws: AwsServer) -> Control:
    return aws.control


@pytest.fixture(scope="session")
def _client(_server: AwsServer) -> Any:
    return _server.client("lambda")


@pytest.fixture
def lambda_(aws: AwsServer, _client: Any) -> Any:
    """Any, for the types of the stubs make each look into an answer a question of its own."""
    return _client
