"""The HTTP server for probes and metrics.

A process is alive if its event loop answers, and ready if it knows all resources and leads or could lead. A refusal by
AWS appears in the answer, but does not make a process unready, because then no rollout could correct it.
"""

import socket
from collections.abc import Callable

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler


def check(address: str) -> None:
    """Raise OSError if an address cannot be used; an empty one is not used."""
    host, _, port = address.rpartition(":")
    if address:
        socket.create_server((host, int(port))).close()


class ProbeServer:
    """An HTTP server with ``/healthz``, ``/readyz`` and ``/metrics``."""

    def __init__(self, address: str) -> None:
        """The address is ``host:port``; empty: there is no server."""
        self._address = address
        self.readiness: Callable[[], tuple[bool, str]] = lambda: (False, "The operator is starting.")
        """Whether the process is ready, and its state as lines of text, or why it is not ready as a sentence."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to answer. Raises OSError if the address cannot be used."""
        if not self._address:
            return
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", make_aiohttp_handler())
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        host, _, port = self._address.rpartition(":")
        await web.TCPSite(self._runner, host, int(port)).start()

    async def stop(self) -> None:
        """Stop answering."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        ready, text = self.readiness()
        return web.Response(status=200 if ready else 503, text=f"{'ready' if ready else 'not ready'}: {text}\n")
