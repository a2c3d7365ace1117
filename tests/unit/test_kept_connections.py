"""When connections are made: in the background, again after failures, and what is reported of that."""

import asyncio
import io
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from esm_operator.aws import connections as connections_module
from esm_operator.aws.connection import Connection, Connector
from esm_operator.aws.connections import Connections
from esm_operator.planning.target import Access, Target

HERE, THERE = Target("eu-west-1", Access()), Target("us-east-1", Access())
LIMIT = 20.0
"""Seconds after which something that should come is given up."""


class Flaky(Connector):
    """Connects when a target has failed often enough."""

    def __init__(self, **failures: int) -> None:
        super().__init__()
        self.failures = Counter({name.replace("_", "-"): count for name, count in failures.items()})
        """How often it still fails, by region."""
        self.attempts: Counter[str] = Counter()

    async def connect(self, target: Target) -> Connection:
        self.attempts[target.region] += 1
        if self.failures[target.region]:
            self.failures[target.region] -= 1
            raise EndpointConnectionError(endpoint_url=f"https://sts.{target.region}.amazonaws.com")
        nothing: Any = io.BytesIO()  # it can be closed
        return Connection("123456789012", target.region, nothing, nothing, ThreadPoolExecutor(1))


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []
        """Regions, and whether they were connected."""

    def connected(self, target: Target, connection: Connection) -> None:
        self.heard.append((target.region, True))

    def connection_failed(self, target: Target) -> None:
        self.heard.append((target.region, False))


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not check():  # noqa: ASYNC110  (it is another task that is waited for)
            await asyncio.sleep(0.01)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "_LONGEST_PAUSE", 0.0)


@pytest.mark.usefixtures("no_pause")
async def test_a_target_that_is_kept_is_connected_in_the_end_and_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connector, listener = Flaky(eu_west_1=3), Listener()
    connections = Connections(connector)
    connections.listener = listener
    with caplog.at_level(logging.INFO):
        connections.keep({HERE, THERE})
        assert not connections.complete
        await until(lambda: connections.complete)
    assert connector.attempts == {"eu-west-1": 4, "us-east-1": 1}
    assert [was_connected for region, was_connected in listener.heard if region == "eu-west-1"] == [False, True]
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert told[0].startswith("The operator could not reach AWS in eu-west-1. ")
    made = [record.message for record in caplog.records if record.levelno == logging.INFO]
    assert sum("in eu-west-1" in text and "after 3 failed attempts" in text for text in made) == 1
    assert sum("in us-east-1" in text and "failed" not in text for text in made) == 1
    assert connections.failures() == []
    connection = connections.established(HERE)
    assert connection is not None
    assert await connections.connect(HERE) is connection
    connections.close()


async def test_many_that_ask_share_an_attempt_until_the_next_one_is_due_or_a_person_has_changed_something() -> None:
    connector = Flaky(eu_west_1=2)
    connections = Connections(connector)
    for _ in range(10):
        with pytest.raises(EndpointConnectionError):
            await connections.connect(HERE)
    assert connector.attempts["eu-west-1"] == 1
    connections.retry(THERE)
    with pytest.raises(EndpointConnectionError):
        await connections.connect(HERE)
    assert connector.attempts["eu-west-1"] == 1
    connections.retry(HERE)
    with pytest.raises(EndpointConnectionError):
        await connections.connect(HERE)
    assert connector.attempts["eu-west-1"] == 2
    connections.retry(HERE)
    assert (await connections.connect(HERE)).region == "eu-west-1"
    connections.close()


@pytest.mark.usefixtures("no_pause")
async def test_a_target_that_is_not_kept_any_more_is_neither_tried_nor_reported() -> None:
    connector = Flaky(eu_west_1=10**9)
    connections = Connections(connector)
    connections.keep({HERE})
    await until(lambda: connector.attempts["eu-west-1"] > 2)
    assert ["in eu-west-1." in text for text in connections.failures()] == [True]
    assert connections.is_failing(HERE)
    connections.keep({THERE})
    assert connections.failures() == []
    await until(lambda: connections.complete)
    attempts = connector.attempts["eu-west-1"]
    await asyncio.sleep(0.1)
    assert connector.attempts["eu-west-1"] == attempts
    connections.close()
