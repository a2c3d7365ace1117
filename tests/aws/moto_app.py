"""moto's own server, for all other services: queues, streams, functions, roles, security tokens.

The first request that needs it loads it, so that the server starts fast. It runs in threads, as moto's server does.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "content-type"})


@cache
def _application() -> Any:
    server: Any = import_module("moto.moto_server.werkzeug_app")
    return server.DomainDispatcherApplication(server.create_backend_app)


async def answer(request: web.Request, body: bytes, account: str) -> web.Response:
    status, headers, content = await asyncio.to_thread(_run, _environ(request, body, account))
    response = web.Response(status=status, body=content)
    for name, value in headers:
        if name.lower() == "content-type":
            response.headers["Content-Type"] = value
        elif name.lower() not in _HOP_BY_HOP:
            response.headers.add(name, value)
    return response


def reset() -> None:
    """Empty moto's backends, if moto is loaded."""
    if "moto.backends" in sys.modules:
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()


def _environ(request: web.Request, body: bytes, account: str) -> dict[str, Any]:
    path, _, query = request.raw_path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": request.raw_path,
        "REQUEST_URI": request.raw_path,
        "QUERY_STRING": query,
        "SERVER_NAME": request.host.partition(":")[0],
        "SERVER_PORT": request.host.partition(":")[2] or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.remote or "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    environ.setdefault("HTTP_X_MOTO_ACCOUNT_ID", account)
    return environ


def _run(environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Call the WSGI application and collect its answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started[:] = [(status, headers)]

    content: Iterable[bytes] = _application()(environ, start_response)
    body = b"".join(content)
    status, headers = started[0]
    return int(status.split(" ", 1)[0]), headers, body
