"""The HTTP server: the processing of a request, from top to bottom.

The server uses aiohttp and not WSGI. One thread has the state without locks, a delayed answer blocks no worker, and one
call closes a connection without an answer. The server passes all other requests to moto's WSGI application.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count

from aiohttp import web

from . import moto_app
from .authorization import refuse_without_permission
from .calls import Call, call_of, caller_of
from .cloud import Cloud
from .control import control_routes
from .errors import AwsError, tagging_throttled, throttled
from .faults import Fault, Kind
from .ledger import WRITES
from .operations import MAPPING_OPERATIONS, without_items
from .quota import OUTSIDE_OF_QUOTA
from .tagging import get_resources, is_about_mappings
from .tags import TAG_OPERATIONS, is_of_mapping
from .validation import validate

MOST_BYTES = 256 * 1024 * 1024
SHUTDOWN_SECONDS = 0.1
OPERATIONS = MAPPING_OPERATIONS | TAG_OPERATIONS

Answer = tuple[int, bytes]


class Server:
    """One endpoint for all services, accounts and regions."""

    def __init__(self, cloud: Cloud, log: Callable[[str], None] | None = None) -> None:
        self._cloud = cloud
        self._log = log
        self._request_ids = count(1)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port."""
        application = web.Application(client_max_size=MOST_BYTES)
        application.add_routes(control_routes(self._cloud))
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, reuse_address=True)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self._cloud.settle()
        caller = caller_of(request.headers)
        call = Call(caller.service, request.method, caller.account, caller.region, {})
        try:
            call = call_of(caller, request.method, request.raw_path, request.headers, body)
            self._admit(call)
            response = await self._carry_out(request, call, body)
            outcome = "ok" if response.status < 400 else f"HTTP {response.status}"  # moto's errors
        except AwsError as error:
            response = self._response(error.status, _error_body(request, call, error))
            response.headers.update({"x-amzn-ErrorType": error.code, **error.headers})
            outcome = error.code
        except ConnectionLostError as lost:
            response = web.Response()
            outcome = str(lost)
        self._cloud.ledger.answered(call, outcome, response.status)
        if self._log:
            self._log(f"{call.account} {call.region} {call.operation} {response.status} {outcome}")
        return response

    def _admit(self, call: Call) -> None:
        """Count the call, and refuse it if its quota is exhausted."""
        cloud = self._cloud
        against_quota = call.service == "lambda" and call.operation not in OUTSIDE_OF_QUOTA
        cloud.ledger.arrived(call, counts_against_quota=against_quota)
        if against_quota and not cloud.quota.take(call.account, call.region):
            cloud.ledger.throttled()
            raise throttled(cloud.settings.retry_after)
        if call.service == "tagging" and not cloud.tagging_quota.take(call.account, call.region):
            cloud.ledger.throttled()
            raise tagging_throttled()

    def _with_stored_members(self, call: Call) -> Call:
        """Add function and source to a call that names only a mapping, so that faults for them match."""
        known = self._cloud.mappings(call.account, call.region).get(call.members.get("UUID", ""))
        if known is None:
            return call
        stored = {"FunctionName": known.function.arn, "EventSourceArn": known.event_source_arn}
        return Call(call.service, call.operation, call.account, call.region, {**stored, **call.members})

    async def _carry_out(self, request: web.Request, call: Call, body: bytes) -> web.Response:
        fault = self._cloud.faults.hit(self._with_stored_members(call))
        if fault is not None:
            await self._before(request, call, fault)
        if _is_moto(call):
            response = await moto_app.answer(request, body, call.account)
        else:
            status, answer = self._perform(call)
            if call.operation in WRITES:
                agent = request.headers.get("User-Agent", "")
                self._cloud.ledger.changed(call, _uuid(call, answer), agent)
            if fault is not None and fault.kind is Kind.MISSING_PAGE:
                answer = without_items(answer)
            response = self._response(status, answer)
        if fault is not None:
            await self._after(request, fault)
        return response

    async def _before(self, request: web.Request, call: Call, fault: Fault) -> None:
        if fault.kind is Kind.CLOSE:
            raise _close(request, "connection closed")
        if fault.kind is Kind.DELAY:
            await asyncio.sleep(fault.seconds)
            self._cloud.settle()
        if (error := fault.error(call)) is not None:
            raise error

    async def _after(self, request: web.Request, fault: Fault) -> None:
        if fault.kind is Kind.ANSWER_LOST:
            raise _close(request, "answer lost")
        if fault.kind is Kind.DELAY_ANSWER:
            await asyncio.sleep(fault.seconds)

    def _perform(self, call: Call) -> Answer:
        if call.service == "lambda":
            validate(call.operation, call.members)
        refuse_without_permission(self._cloud, call)
        if call.service == "tagging":
            return 200, get_resources(self._cloud.tag_index(call.account, call.region), call.members)
        return OPERATIONS[call.operation](self._cloud, call)

    def _response(self, status: int, body: bytes) -> web.Response:
        return web.Response(
            status=status,
            body=body or None,
            content_type="text/xml" if body.startswith(b"<") else "application/json",
            headers={"x-amzn-RequestId": f"00000000-0000-4000-8000-{next(self._request_ids):012x}"},
        )


def _uuid(call: Call, answer: bytes) -> str:
    """The UUID of the mapping that a request has changed."""
    named = call.members.get("UUID") or str(call.members.get("Resource", "")).rpartition(":")[2]
    return str(named or json.loads(answer)["UUID"])


class ConnectionLostError(Exception):
    """The server closed the connection deliberately."""


def _close(request: web.Request, outcome: str) -> ConnectionLostError:
    if request.transport is not None:
        request.transport.close()
    return ConnectionLostError(outcome)


def _is_moto(call: Call) -> bool:
    if call.service == "tagging":
        return call.operation != "GetResources" or not is_about_mappings(call.members)
    if call.service != "lambda" or call.operation not in OPERATIONS:
        return True
    return call.operation in TAG_OPERATIONS and not is_of_mapping(call.members["Resource"])


def _error_body(request: web.Request, call: Call, error: AwsError) -> bytes:
    if call.service == "lambda":
        return error.json()
    form = request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    return error.xml() if form else error.tagging_json()
