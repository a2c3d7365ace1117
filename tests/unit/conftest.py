"""For tests of the AWS side: a server without quota whose transitions end immediately, and connections to it."""

from collections.abc import AsyncGenerator, Generator

import pytest
from hypothesis import settings

from esm_operator import clock
from esm_operator.aws import connection as connection_module
from esm_operator.aws.connections import Connections
from tests.aws import AwsServer, Settings
from tests.unit.clock import ShiftedClock

# A busy machine takes longer than hypothesis allows for one example by default (0.2 s).
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="module")
def aws(aws_server: AwsServer) -> AwsServer:
    """The AWS server of the worker, empty, with a quota of the tagging API only."""
    aws_server.control.reset()
    aws_server.control.set(tagging_quota=Settings().tagging_quota)
    return aws_server


@pytest.fixture
async def connections(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Connections]:
    """Connections with credentials in the environment. They report a failure of the first call immediately."""
    monkeypatch.setattr(connection_module, "FIRST_CALL_PATIENCE", 0.0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    made = Connections()
    yield made
    made.close()


@pytest.fixture
def shifted_clock() -> Generator[ShiftedClock]:
    """The clock of the process, which a test can move forward."""
    shifted = ShiftedClock()
    with clock.replaced(shifted):
        yield shifted
