"""kubernetes.aio below its generated methods: configuration, proxy, and requests of any path.

The generated methods make a Python object from each answer, and know no custom resources. The methods below them are
not documented, and have no types.
"""

import logging
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config

from esm_operator.adapters import aiohttp_hooks
from esm_operator.clock import monotonic

logger = logging.getLogger(__name__)

#: The most connections of a client, as in the library. There is no limit for a client of watches, which stay open.
_CONNECTIONS = 100


async def configuration() -> client.Configuration:
    """Address and credentials of the API server: of the pod's ServiceAccount, or else of the kubeconfig.

    The proxy is that of the kubeconfig, or else that of the environment (HTTPS_PROXY, NO_PROXY).

    Raises:
        kubernetes.aio.config.ConfigException: there is neither a ServiceAccount nor a kubeconfig.
    """
    found, untyped = client.Configuration(), cast("Any", config)
    try:
        untyped.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        await untyped.load_kube_config(client_configuration=found)
    found.proxy = found.proxy or _proxy(found.host)
    return found


def new_client(found: client.Configuration, *, for_watches: bool = False) -> client.ApiClient:
    """A client with the User-Agent of the operator, for the audit log of the API server.

    ``for_watches``: whether the client has no limit of connections, because each watch keeps one.
    """
    found.connection_pool_maxsize = 0 if for_watches else _CONNECTIONS  # the client keeps its number
    # With trust_env, ~/.netrc is read for each request, and its credentials for any host replace the right ones.
    found.client_session_kwargs = {"trust_env": False, "request_class": aiohttp_hooks.AskingRequest}
    api = client.ApiClient(found)
    api.user_agent = f"esm-operator/{version('esm-operator')}"
    return api


async def send(
    api: client.ApiClient,
    method: str,
    path: str,
    *,
    limit: float,
    check: Callable[[float], object] | None = None,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    content_type: str = "application/json",
    accept: str = "application/json",
) -> aiohttp.ClientResponse:
    """Send a request once, with a token that is valid now, and wait for the head of the answer. Its status may be any.

    Args:
        limit: seconds for the whole request, with the body of the answer.
        check: called with the remaining seconds when the connection is ready. If it raises, nothing is sent.

    Raises:
        kubernetes.aio.config.ConfigException: there is no token.
        aiohttp.ClientError: the API server cannot be reached, or its answer was cut off.
        TimeoutError: the request took longer.
    """
    untyped, headers = (
        cast("Any", api),
        {"Accept": accept, **({"Content-Type": content_type} if body is not None else {})},
    )
    method, url, headers, _, _ = await untyped.param_serialize(
        method, path, query_params=dict(query or {}), header_params=headers, auth_settings=["BearerToken"]
    )
    ends = monotonic() + limit

    def check_rest() -> None:
        if check is not None:
            check(max(0.0, ends - monotonic()))

    with aiohttp_hooks.asking(check_rest):
        answer = await untyped.call_api(method, url, headers, body, _request_timeout=limit)
    return answer.response


def _proxy(url: str) -> str | None:
    """The proxy in the environment for a URL. A proxy with TLS is not supported, because it needs its own CA."""
    parts = urlsplit(url)
    found = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if found and not found.startswith("http://"):
        logger.warning(
            "The operator does not use the proxy of the environment for %s, because only http:// is possible",
            parts.scheme,
        )
        return None
    return found
