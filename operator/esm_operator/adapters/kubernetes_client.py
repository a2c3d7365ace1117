"""How kubernetes.aio reaches the API server: configuration, proxy, and the class of its requests."""

import logging
from importlib.metadata import version
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio import client, config

from esm_operator.adapters import aiohttp_hooks

logger = logging.getLogger(__name__)


async def configuration() -> client.Configuration:
    """How to reach the API server: with the pod's ServiceAccount, or with the kubeconfig.

    Through the proxy that the kubeconfig names, or else the environment (HTTPS_PROXY, NO_PROXY).

    Raises:
        kubernetes.aio.config.ConfigException: neither is there.
    """
    found = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=found)
    found.proxy = found.proxy or _proxy(found.host)
    return found


def new_client(found: client.Configuration) -> client.ApiClient:
    """A client by whose name the API server knows who asks (audit log)."""
    # Else ~/.netrc is read for each request, and what it has for any host gets in the way of the credentials.
    found.client_session_kwargs = {"trust_env": False, "request_class": aiohttp_hooks.AskingRequest}
    api = client.ApiClient(found)
    api.user_agent = f"esm-operator/{version('esm-operator')}"
    return api


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; one that speaks TLS itself would need trust of its own."""
    parts = urlsplit(url)
    found = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if found and not found.startswith("http://"):
        logger.warning("The proxy of the environment for %s is passed by: only http:// is possible", parts.scheme)
        return None
    return found
