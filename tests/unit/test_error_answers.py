"""A large error answer of AWS is a refusal as any other, and no exception keeps it."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.adapters.botocore_hooks import MOST_OF_ERROR
from esm_operator.api.foreign_text import MESSAGE
from esm_operator.aws import connection as connection_module
from esm_operator.aws.call import CallPermit
from esm_operator.aws.connection import Connection, Connector
from esm_operator.aws.connections import Connections
from esm_operator.aws.errors import NotSentError, bare, code_of, is_doubtful, understand
from esm_operator.fence import Fence
from esm_operator.planning.target import Access, Target
from tests.unit.http_server import served

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn</Arn><UserId>U</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""
#: A character of four bytes, and more characters than are parsed.
LARGE = "\U0001f600" + 900_000 * "a"
#: Each character has four bytes, so that the end of the part that is parsed is inside of one.
WIDE = 200_000 * "\U0001f600"
_OPEN = Fence()
_OPEN.extend(float("inf"))
PERMIT = CallPermit(_OPEN)


class Refusing:
    """An endpoint that answers all requests with an error, except the first ones for the identity."""

    def __init__(self) -> None:
        self.status = 400
        self.head = {"x-amzn-ErrorType": "ValidationException"}
        self.body = json.dumps({"message": LARGE}, ensure_ascii=False)
        self.identifies = True
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        if "Action=GetCallerIdentity" in await request.text() and self.identifies:
            return web.Response(text=IDENTITY)
        return web.Response(text=self.body, status=self.status, headers=self.head)

    @property
    def target(self) -> Target:
        return Target("eu-west-1", Access(endpoint_url=self.url))


@pytest.fixture
async def endpoint(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Refusing]:
    monkeypatch.setattr(connection_module, "FIRST_CALL_PATIENCE", 0.0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    made = Refusing()
    async with served(made.answer) as made.url:
        yield made


@contextmanager
def without_collector() -> Generator[None]:
    """Only reference counts free memory meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def kept() -> int:
    """The exceptions of boto3 that are in memory."""
    return sum(isinstance(one, ClientError | BotoCoreError) for one in gc.get_objects())


async def refusal(connection: Connection) -> ClientError | BotoCoreError:
    with pytest.raises((ClientError, BotoCoreError)) as caught:
        await connection.call("create_event_source_mapping", {"FunctionName": "orders"}, PERMIT)
    return caught.value


@pytest.mark.parametrize("text", [LARGE, WIDE])
@pytest.mark.parametrize(("status", "doubtful"), [(400, False), (403, False), (409, False), (500, True)])
async def test_a_large_refusal_of_a_write_is_a_refusal(
    endpoint: Refusing, status: int, text: str, *, doubtful: bool
) -> None:
    endpoint.status, endpoint.body = status, json.dumps({"message": text}, ensure_ascii=False)
    connection = await Connector().connect(endpoint.target)
    error = await refusal(connection)
    assert isinstance(error, ClientError)
    assert is_doubtful(error) is doubtful
    assert code_of(error) == "ValidationException"
    assert len(str(error)) < MESSAGE + 200
    connection.close()


async def test_the_head_of_a_large_answer_is_not_kept(endpoint: Refusing) -> None:
    endpoint.body = "{}"
    endpoint.head = {**endpoint.head, "Retry-After": "7", **{f"x-{number}": 8_000 * "a" for number in range(80)}}
    connection = await Connector().connect(endpoint.target)
    error = await refusal(connection)
    assert isinstance(error, ClientError)
    assert len(repr(error.response)) < 2 * MESSAGE
    assert understand(error).retry_after == 7
    connection.close()


def test_an_error_without_what_it_refers_to_has_the_same_meaning() -> None:
    answer: Any = {"Error": {"Code": "Throttling", "Message": "slow"}, "ResponseMetadata": {"HTTPStatusCode": 429}}
    for error in (ClientError(answer, "ListTags"), NotSentError(reason="no route")):
        made = bare(error)
        assert type(made) is type(error)
        assert str(made) == str(error)
        assert understand(made) == understand(error)
        assert is_doubtful(made) is is_doubtful(error)


async def test_the_traceback_of_an_error_keeps_no_answer(endpoint: Refusing) -> None:
    connection = await Connector().connect(endpoint.target)
    errors = [await refusal(connection)]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        errors += [await refusal(connection) for _ in range(10)]
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 3_000_000
    finally:
        tracemalloc.stop()
    assert all(error.__traceback__ for error in errors)
    connection.close()


async def test_failed_requests_are_freed_immediately(endpoint: Refusing) -> None:
    connection = await Connector().connect(endpoint.target)
    await refusal(connection)
    with without_collector():
        before = kept()
        for _ in range(20):
            with suppress(ClientError):
                await connection.call("create_event_source_mapping", {"FunctionName": "orders"}, PERMIT)
        assert kept() <= before + 2
    connection.close()


@pytest.mark.parametrize("text", ["<Error>" + LARGE, "<ErrorResponse><Error><Code>No</Code></Error></ErrorResponse>"])
async def test_failed_attempts_to_connect_are_freed_immediately(endpoint: Refusing, text: str) -> None:
    endpoint.identifies, endpoint.body = False, text
    connections = Connections()

    async def attempt() -> None:
        connections.retry(endpoint.target)
        for _ in range(2):  # the second one gets the failure of the first
            with suppress(ClientError, BotoCoreError):
                await connections.connect(endpoint.target)

    await attempt()
    with without_collector():
        before = kept()
        for _ in range(10):
            await attempt()
        await asyncio.sleep(0)
        assert kept() <= before + 2
    connections.close()


def test_most_errors_of_aws_are_parsed_whole() -> None:
    assert MOST_OF_ERROR > 4 * MESSAGE
