"""A call to AWS, from its wait for a thread to its answer or its deadline.

boto3 blocks, so a thread makes the call while a coroutine waits for it. A thread can't be interrupted, and name
resolution can take minutes. Therefore the coroutine gives up at the deadline, and the thread checks before it sends.

| phase | ends with | seconds at most |
|---|---|---|
| it waits for a thread, then for credentials and for a slot of the window | name resolution | WAIT_TIMEOUT |
| name resolution, connect, TLS handshake | the first byte | SEND_TIMEOUT |
| request and answer | the last byte of the answer | CALL_TIMEOUT, or that of the permit |

``aws/answer_limits.py`` limits the bytes of the answer, and the number of values in it.

A call that is given up before its first byte is never sent (``NotSentError``). AWS may have carried out a call that is
given up later. Its connection is cut, so that the thread ends. The fence of a write is checked before the connection is
made, and immediately before each part of the request is sent. The lease must outlast the call.
"""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ReadTimeoutError

from esm_operator.adapters import botocore_hooks
from esm_operator.aws import answer_limits, errors
from esm_operator.clock import monotonic
from esm_operator.fence import Fence
from esm_operator.ratelimit.in_flight_window import InFlightWindow

Result = TypeVar("Result")

WAIT_TIMEOUT = 60.0
#: Long enough for a second name server, which a resolver asks after 5 s.
SEND_TIMEOUT = 10.0
CALL_TIMEOUT = 5.0
#: Operations that only read. All other operations are fenced.
READS = frozenset({"GetCallerIdentity", "GetEventSourceMapping", "GetResources", "ListEventSourceMappings", "ListTags"})


@dataclass(frozen=True, slots=True)
class CallPermit:
    """The checks and limits of a request."""

    fence: Fence
    """For writes."""
    window: InFlightWindow | None = None
    """For requests to AWS Lambda, which share a quota."""
    call_timeout: float = CALL_TIMEOUT
    """Seconds from the first byte of the request to the last byte of the answer. The lease must outlast a write."""


class _Phase(Enum):
    QUEUED = auto()
    PREPARING = auto()
    CONNECTING = auto()
    SENT = auto()
    ENDED = auto()


async def run(
    threads: ThreadPoolExecutor, permit: CallPermit, function: Callable[..., Result], *args: Any, **parameters: Any
) -> Result:
    """Call a function in a thread. It makes at most one request, with a client that has the hooks.

    If this coroutine is cancelled, the request is given up.

    Raises:
        NotLeadingError: the fence is closed, or the lease may end before the write.
        NotSentError: no byte was sent, because the connection could not be made, or not in time.
        botocore.exceptions.ReadTimeoutError: there was no answer in time, or not the whole of it.
    """
    call = _Call(permit)
    try:
        future = asyncio.get_running_loop().run_in_executor(threads, partial(call.make, function, *args, **parameters))
    except RuntimeError as error:  # the threads were shut down, because no resource used the connection
        raise errors.NotSentError(reason="The connection was closed before the request was sent.") from error
    try:
        while not future.done():
            left = call.left()
            if left <= 0 and (error := call.give_up()) is not None:
                raise error
            # No phase is shorter than this, so the wait ends before a phase that begins meanwhile has ended.
            shortest = min(SEND_TIMEOUT, CALL_TIMEOUT)
            await asyncio.wait([future], timeout=min(max(left, 0.001), shortest))
        if future.cancelled():
            raise errors.NotSentError(reason="The connection was closed before the request was sent.")
        failure = future.exception()
        if failure is None:
            return future.result()
        raise errors.bare(failure) if isinstance(failure, Exception) else failure
    finally:
        if not future.done():
            call.give_up()
            future.cancel()
        # A traceback keeps the variables of this function. One that keeps the exception would make a reference cycle.
        del future
        error = failure = None


class _Call:
    """Shared by the coroutine and the thread of a call."""

    def __init__(self, permit: CallPermit) -> None:
        self._permit = permit
        self._lock = threading.Lock()
        self._phase = _Phase.QUEUED
        self._ends = monotonic() + WAIT_TIMEOUT
        self._refusal: Exception | None = None
        """Why no more bytes may be sent. Raised in place of boto3's exception."""
        self._is_sent = False
        self._is_write = True
        self._operation, self._url = "", ""
        self._slot: int | None = None
        self._cut: Callable[[], None] | None = None

    # For the coroutine

    def left(self) -> float:
        """Seconds until the current phase has to end."""
        return self._ends - monotonic()

    def give_up(self) -> Exception | None:
        """Refuse to send from now on, and cut the connection. Returns the error to raise. None: the call has ended."""
        with self._lock:
            if self._phase is _Phase.ENDED:
                return None
            self._refusal = self._refusal or self._late()
            if self._cut is not None:
                self._cut()
            return self._refusal

    # For the thread

    def make(self, function: Callable[..., Result], *args: Any, **parameters: Any) -> Result:
        token = botocore_hooks.current.set(self)
        try:
            with self._admitted():
                self._phase = _Phase.PREPARING
            return function(*args, **parameters)
        except Exception as error:
            if self._refusal is not None:
                raise self._refusal from None
            if not self._is_sent and isinstance(error, BotoCoreError) and errors.is_doubtful(error):
                raise errors.NotSentError(reason=str(error)) from error
            raise
        finally:
            botocore_hooks.current.reset(token)
            self._end()

    def connecting(self, operation: str, url: str) -> None:
        """Wait for a slot of the window. Then the time for the connection begins."""
        if self._permit.window is not None:
            self._slot = self._permit.window.wait()
        with self._admitted():
            self._is_write, self._operation, self._url = operation not in READS, operation, url
            self._ask_fence(self._permit.call_timeout)
            self._phase, self._ends = _Phase.CONNECTING, monotonic() + SEND_TIMEOUT

    def sending(self, cut: Callable[[], None]) -> float:
        """Check that bytes may be sent. Returns the seconds within which the answer has to arrive."""
        with self._admitted():
            now = monotonic()
            if self._phase is not _Phase.SENT:
                if now >= self._ends:
                    raise self._late()
                self._ask_fence(self._permit.call_timeout)
                self._phase, self._ends = _Phase.SENT, now + self._permit.call_timeout
                self._is_sent, self._cut = True, cut
            else:
                self._ask_fence(self._ends - now)
            return self._ends - now

    def receiving(self, received: int) -> None:
        """Refuse an answer that is too large."""
        with self._admitted():
            answer_limits.check_size(self._operation, received)

    def parsing(self, body: bytes) -> None:
        """Refuse an answer with too many values."""
        answer_limits.check_values(self._operation, body)

    def check(self) -> None:
        """Raise if the call was given up. Called while the thread gets credentials for it."""
        with self._admitted():
            pass

    def _end(self) -> None:
        with self._lock:
            self._phase, self._cut, self._refusal = _Phase.ENDED, None, None
        if self._permit.window is not None and self._slot is not None:
            self._permit.window.release(self._slot)

    @contextmanager
    def _admitted(self) -> Generator[None]:
        """Refuse the next step if the call was given up. An exception refuses all later steps."""
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            try:
                yield
            except Exception as error:
                self._refusal = error
                raise

    def _ask_fence(self, seconds: float) -> None:
        if self._is_write:
            self._permit.fence.check(seconds)

    def _late(self) -> Exception:
        match self._phase:
            case _Phase.QUEUED:
                text = f"No thread was free for the request within {WAIT_TIMEOUT:.0f} s: earlier ones hang."
            case _Phase.PREPARING:
                text = f"There were no AWS credentials for the request within {WAIT_TIMEOUT:.0f} s."
            case _Phase.CONNECTING:
                host = urlsplit(self._url).netloc.rpartition("@")[2]
                text = f"There was no connection to {host} (DNS, TCP, TLS) within {SEND_TIMEOUT:.0f} s."
            case _:
                return ReadTimeoutError(endpoint_url=self._url)
        return errors.NotSentError(reason=text)
