"""The AWS server of the worker, emptied at the start of each test."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer, Control


@pytest.fixture
def aws(aws_server: AwsServer) -> AwsServer:
    aws_server.control.reset()
    return aws_server


@pytest.fixture
def control(aws: AwsServer) -> Control:
    return aws.control


@pytest.fixture(scope="session")
def _client(aws_server: AwsServer) -> Any:
    return aws_server.client("lambda")


@pytest.fixture
def lambda_(aws: AwsServer, _client: Any) -> Any:
    """Typed as Any, because with the types of the stubs each access to an answer needs a check."""
    return _client
