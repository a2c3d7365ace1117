"""Many targets are used once and released. Nothing of them remains, whether AWS answered or not."""

import gc
import logging
import threading
from pathlib import Path

import pytest
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client import REGISTRY

from esm_operator.aws.connections import UNUSED, Connections
from esm_operator.aws.targets import Knowledge, Targets
from esm_operator.clock import replaced
from esm_operator.fence import SHUT
from esm_operator.planning.target import Access, Target
from esm_operator.settings import Settings
from tests.aws import AwsServer, FaultKind
from tests.unit.clock import ShiftedClock
from tests.unit.http_server import served
from tests.unit.listener import Listener
from tests.waiting import eventually_async

#: Targets of each kind in a round, and the rounds.
_COUNT, _ROUNDS = 10, 3
#: Objects that one more round may leave. One target has about 25,000.
_SLACK = 2_000
_REFUSED = "333333333333"


async def test_nothing_of_a_released_target_remains(
    aws: AwsServer, connections: Connections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("esm_operator", "botocore"):  # pytest keeps the tracebacks of the log, and so their sockets
        caplog.set_level(logging.CRITICAL, logger)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    fault = aws.control.fault(FaultKind.ACCESS_DENIED, "AssumeRole", match={"RoleArn": role(_REFUSED)})
    knowledge = Knowledge()
    targets = Targets(connections, SHUT, Settings(cluster_name="blue"), Listener(), knowledge)
    async with served(never) as dead:
        with replaced(clock := ShiftedClock()):
            used = Target("eu-west-1", Access(aws.endpoint))
            connections.keep([used])
            await targets.connect(used)
            await use_once(connections, targets, used, aws, dead, 0)
            clock.ahead += UNUSED
            connections.keep([used])
            readings = [await settled()]
            for number in range(1, _ROUNDS + 1):
                await use_once(connections, targets, used, aws, dead, number)
                clock.ahead += UNUSED
                connections.keep([used])
                readings.append(await settled(*readings))
    assert len(knowledge.inventories) == len(knowledge.rate_limiters) == 1
    assert not any(name.startswith("xx-") for name in regions_in_metrics())
    assert {*vars(connections)["_locks"]} == {used}
    objects = [reading[2] for reading in readings]
    assert objects[-1] - objects[1] < _SLACK, objects
    await targets.close()
    aws.control.remove_fault(fault)


async def use_once(
    connections: Connections, targets: Targets, used: Target, aws: AwsServer, dead: str, number: int
) -> None:
    """Use targets that answer, targets whose role cannot be assumed, and targets whose endpoint is not AWS."""
    good = [Target(f"xx-{number}-{index}", Access(aws.endpoint)) for index in range(_COUNT)]
    refused = [Target(f"xx-{number}-{index}", Access(aws.endpoint, role(_REFUSED))) for index in range(_COUNT)]
    lost = [Target(f"xx-{number}-{index}", Access(dead)) for index in range(_COUNT)]
    for target in good:
        connected = await targets.connect(target)
        await connected.client.refresh_by_function("orders")
    for target in (*refused, *lost):
        with pytest.raises((ClientError, BotoCoreError)):
            await targets.connect(target)
    connections.keep([used, *good])
    targets.keep({used, *good})
    connections.keep([used])
    targets.keep({used})


async def settled(*before: tuple[int, int, int]) -> tuple[int, int, int]:
    """The threads, the open files and the objects of this process, when they are not more than before.

    The first round loads what later rounds use, so objects are compared with those after the second one.
    """
    if before:
        await eventually_async(lambda: threading.active_count() <= before[0][0], "the threads have ended")
        await eventually_async(lambda: gc.collect() >= 0 and open_files() <= before[0][1], "both ends are closed")
    if len(before) > 1:
        most = before[1][2] + _SLACK
        await eventually_async(lambda: gc.collect() >= 0 and len(gc.get_objects()) < most, "the objects are released")
    gc.collect()
    return threading.active_count(), open_files(), len(gc.get_objects())


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/shop"


def regions_in_metrics() -> set[str]:
    return {one.labels.get("region", "") for metric in REGISTRY.collect() for one in metric.samples}


async def never(request: web.Request) -> web.Response:
    return web.Response(status=404, text="<html>Not here</html>", content_type="text/html")


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
