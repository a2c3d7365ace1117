"""kubernetes.aio below its generated methods: configuration, proxy, and requests of any path.

The generated methods make an object of each answer, and have none for the operator's kinds. What they are built on is
not documented, and has no types.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio import client, config
from kubernetes.aio.client.rest import RESTResponse

from esm_operator.adapters import aiohttp_hooks

logger = logging.getLogger(__name__)


async def configuration() -> client.Configuration:
    """How to reach the API server: with the pod's ServiceAccount, or with the kubeconfig.

    Through the proxy that the kubeconfig names, or else the environment (HTTPS_PROXY, NO_PROXY).

    Raises:
        kubernetes.aio.config.ConfigException: neither is there.
    """
    found, untyped = client.Configuration(), cast("Any", config)
    try:
        untyped.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        await untyped.load_kube_config(client_configuration=found)
    found.proxy = found.proxy or _proxy(found.host)
    return found


def new_client(found: client.Configuration) -> client.ApiClient:
    """A client by whose name the API server knows who asks (audit log)."""
    # Else ~/.netrc is read for each request, and what it has for any host gets in the way of the credentials.
    found.client_session_kwargs = {"trust_env": False, "request_class": aiohttp_hooks.AskingRequest}
    api = client.ApiClient(found)
    api.user_agent = f"esm-operator/{version('esm-operator')}"
    return api


def host_of(api: client.ApiClient) -> str:
    """The URL of the API server."""
    return str(cast("Any", api).configuration.host)


class Answer:
    """The head of an answer, and its body as far as it is asked for."""

    def __init__(self, response: RESTResponse) -> None:
        self._response: Any = response
        self.status = int(self._response.status)
        """HTTP status. One of 400 or more raises nothing."""
        self.reason = str(self._response.reason)
        """What the server calls the status."""

    async def read(self) -> bytes:
        """The whole body. Raises what :meth:`ApiRequest.send` raises."""
        return bytes(await self._response.read())

    def close(self) -> None:
        """End the connection without reading the body."""
        self._response.response.close()


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request to the API server that is ready to be sent, with a token that is valid now."""

    _api: client.ApiClient
    _method: str
    _url: str
    _headers: dict[str, str]
    _body: Mapping[str, Any] | None

    @classmethod
    async def prepare(
        cls,
        api: client.ApiClient,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> "ApiRequest":
        """Make a request.

        Args:
            api: the client that will send it.
            method: HTTP method, in capitals.
            path: path of the URL.
            query: parameters of the URL.
            body: is sent as JSON. None: no body.
            content_type: of the body.
            accept: media type of the answer.

        Raises:
            kubernetes.aio.config.ConfigException: there is no token.
        """
        headers = {"Accept": accept, **({"Content-Type": content_type} if body is not None else {})}
        method, url, headers, _, _ = await cast("Any", api).param_serialize(
            method, path, query_params=list(query), header_params=headers, auth_settings=["BearerToken"]
        )
        return cls(api, method, url, headers, body)

    async def send(self, limit: float, check: Callable[[], object]) -> Answer:
        """Send it once, and wait for the head of the answer.

        Args:
            limit: seconds for the whole of it, with the body of the answer.
            check: called when the connection is ready. It calls the request off by raising.

        Raises:
            aiohttp.ClientError: the API server can't be reached, or its answer was cut off.
            TimeoutError: it took longer.
        """
        with aiohttp_hooks.asking(check):
            response = await cast("Any", self._api).call_api(
                self._method, self._url, self._headers, self._body, _request_timeout=limit
            )
        return Answer(response)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; one that speaks TLS itself would need trust of its own."""
    parts = urlsplit(url)
    found = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if found and not found.startswith("http://"):
        logger.warning("The proxy of the environment for %s is passed by: only http:// is possible", parts.scheme)
        return None
    return found
