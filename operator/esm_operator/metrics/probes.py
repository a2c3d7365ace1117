"""The probes: whether the process is alive, and whether it could work; its metrics beside.

Alive is a process whose event loop answers: one that lacks a part ends by itself. Ready is one that knows all
resources and leads, or could. That AWS refuses it is said in the answer and makes it neither dead nor unready, for
then no rollout could mend it.
"""

import socket
from collections.abc import Callable

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler


def check(address: str) -> None:
    """See whether an address can be used, to say so before anything is started; empty: none is wanted.

    Raises:
        OSError: it is taken, or not ours.
    """
    host, _, port = address.rpartition(":")
    if address:
        socket.create_server((host, int(port))).close()


class ProbeServer:
    """An HTTP server with ``/healthz``, ``/readyz`` and ``/metrics``."""

    def __init__(self, address: str) -> None:
        """
        Args:
            address: ``host:port``; empty: nothing is answered.
        """
        self._host, _, port = address.rpartition(":")
        self._port = int(port) if address else None
        self.waits_for: Callable[[], str] = lambda: "The operator is starting."
        """What it lacks to be ready, as a sentence; empty: nothing."""
        self.standing: Callable[[], str] = lambda: ""
        """What is told of one that is ready: lines of text."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            OSError: the address is taken, or not ours.
        """
        if self._port is None:
            return
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", make_aiohttp_handler())
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop answering."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        lacking = self.waits_for()
        if lacking:
            return web.Response(status=503, text=f"not ready: {lacking}\n")
        return web.Response(text=f"ready: {self.standing()}\n")
