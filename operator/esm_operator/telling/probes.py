"""The probes: whether the process is alive, and whether it knows all resources and can work; its metrics beside."""

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


class Probes:
    """An HTTP server with ``/healthz``, ``/readyz`` and ``/metrics``."""

    def __init__(self, address: str, ready: Callable[[], bool]) -> None:
        """
        Args:
            address: ``host:port``.
            ready: whether all resources are known.
        """
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            OSError: the address is taken, or not ours.
        """
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", make_aiohttp_handler())
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    @property
    def port(self) -> int:
        """The port that it answers on, which the system chose where 0 was asked for."""
        assert self._runner is not None, "not started"
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop answering."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="the first list of all resources is not in yet\n")
