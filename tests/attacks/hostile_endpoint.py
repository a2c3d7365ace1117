"""An AWS endpoint that answers some operations with as much, as slowly or as deeply as it can."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

ACCOUNT = "666666666666"
#: Bytes of an endless answer. Nobody reads all of them.
_HUGE = 400_000_000
_PART = b"a" * 1_000_000
#: Seconds between two bytes of a slow answer. It is shorter than the time in which any client expects a byte.
_BETWEEN = 0.2
#: The kinds of answers.
KINDS = ("huge", "chunked", "slow", "deep", "many values", "gzip", "large numbers")
#: An error with a message of a million characters, one of which makes Python use 4 bytes for each of them.
LARGE_ERROR = "large error"
#: The kinds of lists: endless pages of other mappings, of the same mappings, and without mappings, and a list of
#: mappings with one function and source. With a part of the message about the list.
LISTS = {
    "other mappings": "more than 2,000 mappings",
    "same mappings": "more than 2,000 mappings",
    "empty pages": "more than 2,000 mappings",
    "one identity": "more than 10 mappings have the function and the source of",
}
_IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::{ACCOUNT}:user/hostile</Arn><UserId>U</UserId><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@cache
def _bomb() -> bytes:
    """A compressed answer of 100 MB."""
    return gzip.compress(b'{"EventSourceMappings": [], "NextMarker": "' + 100 * _PART + b'"}')


def _page(kind: str, number: int) -> bytes:
    """A page of an endless list."""
    first = 100 * number if kind in ("other mappings", "one identity") else 0
    mappings = [
        {
            "UUID": f"00000000-0000-4000-8000-{first + n:012}",
            "State": "Enabled",
            "FunctionArn": "f" * 500 + ("" if kind == "one identity" else f"{first + n}"),
        }
        for n in range(0 if kind == "empty pages" else 100)
    ]
    return json.dumps({"EventSourceMappings": mappings, "NextMarker": str(number)}).encode()


class HostileEndpoint:
    """A server. A context manager."""

    def __init__(self, kind: str, operation: str) -> None:
        """
        Args:
            kind: one of ``KINDS``, ``LARGE_ERROR``, or for ListEventSourceMappings one of ``LISTS``.
            operation: the operation that is answered so, by its name at AWS.
        """
        self.asked = 0
        """Requests that were answered so."""
        self._kind = kind
        self._operation = operation
        self._stopped = threading.Event()
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hostile._answer(self, "ListEventSourceMappings")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                hostile._answer(self, target or parse_qs(body.decode()).get("Action", ["CreateEventSourceMapping"])[0])

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, operation: str) -> None:
        if operation == self._operation:
            self.asked += 1
            with suppress(OSError):
                self._attack(request)
            request.close_connection = True
            return
        text = _IDENTITY if operation == "GetCallerIdentity" else '{"EventSourceMappings": []}'
        _send_head(request, {"Content-Length": str(len(text))})
        request.wfile.write(text.encode())

    def _attack(self, request: BaseHTTPRequestHandler) -> None:
        if self._kind == LARGE_ERROR:
            body = json.dumps({"Type": "User", "message": "\U0001f600" + 900_000 * "a"}, ensure_ascii=False).encode()
            _send_head(request, {"Content-Length": str(len(body)), "x-amzn-ErrorType": "ValidationException"}, 400)
            request.wfile.write(body)
            return
        if self._kind == "chunked":
            _send_head(request, {"Transfer-Encoding": "chunked"})
        else:
            more = {"Content-Encoding": "gzip"} if self._kind == "gzip" else {}
            _send_head(request, {"Content-Length": str(self._length()), **more})
        for part in self._parts():
            request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if self._kind == "chunked" else part)
            request.wfile.flush()

    def _length(self) -> int:
        return (
            len(_bomb())
            if self._kind == "gzip"
            else _HUGE
            if self._kind in ("huge", "slow")
            else sum(map(len, self._parts()))
        )

    def _parts(self) -> Iterator[bytes]:
        match self._kind:
            case "slow":
                while not self._stopped.wait(_BETWEEN):
                    yield b" "
            case "deep":
                yield b'{"EventSourceMappings": ' + 200_000 * b"["
            case "many values":
                yield b'{"EventSourceMappings": [' + b"{},".join([b""] * 6_000_000) + b"{}]}"
            case "large numbers":
                item = b'{"UUID": "00000000-0000-4000-8000-000000000000", "BatchSize": %s},' % (4_200 * b"9")
                yield b'{"EventSourceMappings": [' + (99 * item)[:-1] + b"]}"
            case "gzip":
                yield _bomb()
            case kind if kind in LISTS:
                yield _page(self._kind, self.asked)
            case _:
                yield b'{"EventSourceMappings": [], "NextMarker": "'
                for _ in range(_HUGE // len(_PART)):
                    yield _PART


def _send_head(request: BaseHTTPRequestHandler, headers: dict[str, str], status: int = 200) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
