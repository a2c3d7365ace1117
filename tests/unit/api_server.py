"""The API server of the model test over HTTP, for tests of the real client."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from kubernetes.aio import client

from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.fence import SHUT, Fence
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.model.cluster import Cluster
from tests.unit.http_server import served


class ApiServer:
    """Answers requests from a simulated cluster, and records them."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.asked: list[str] = []
        """Method and path of each request."""
        self.page = ""
        """HTML that a proxy answers instead, with status 404."""
        self.answered: Callable[[], None] = lambda: None
        """Called when a request has been answered."""

    @asynccontextmanager
    async def connect(self, fence: Fence = SHUT) -> AsyncGenerator[KubernetesClient]:
        """The operator's client, with a fence for writes."""
        async with served(self._answer) as url:
            kubernetes = KubernetesClient(client.ApiClient(client.Configuration(host=url)), RateLimiter(1000), fence)
            yield kubernetes
            await kubernetes.close()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if self.page:
            return web.Response(status=404, text=self.page, content_type="text/html")
        body = await request.json() if request.can_read_body else {}
        status, text = self.cluster.request(request.method, request.path, body)
        self.answered()
        return web.Response(status=status, text=text, content_type="application/json")
