"""The preflight: checks before kopf starts that the cluster meets the requirements of the operator, with remedies.

kopf ends with a stack trace if it may not list a kind, and watches nothing, without an error, if a kind is not served.
So the command ``run`` repeats the checks until all pass, and checks once more when a watch of kopf has failed.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import aiohttp
from kubernetes.aio.config import ConfigException

from esm_operator.api.resource import GROUP, PLURAL, VERSION
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import API_PATH, KubernetesClient, mapping_paths
from esm_operator.cluster.transport import ApiError, ForbiddenError, is_unserved
from esm_operator.ratelimit import backoff

logger = logging.getLogger(__name__)

#: The longest pause between two checks, in seconds.
_LONGEST_PAUSE = 5.0
_ROLE = "Give the operator's ServiceAccount the roles that the Helm chart has for it (rbac.create)"
_CRDS = "Install the CRDs (the chart's crds.install, or esm-operator crds | kubectl apply --server-side -f -)"


def watched_kinds(namespaces: Sequence[str], *, labels: bool) -> dict[str, str]:
    """The plurals of the watched kinds by path: EventSourceMappings of some namespaces (empty: all), and others."""
    found = dict.fromkeys(mapping_paths(namespaces), PLURAL) | {f"{API_PATH}/{PROVIDER_CONFIGS}": PROVIDER_CONFIGS}
    return found | {"/api/v1/namespaces": "namespaces"} if labels else found


async def wait(check: Callable[[], Awaitable[str]], stopping: asyncio.Event, report: Callable[[str], object]) -> bool:
    """Call :func:`find_problems` until there are none, or an event is set. Returns whether there are none.

    The function ``report`` is called with the problems after each check.
    """
    logged, tries = "", 0
    while problems := await check():
        report(problems)
        if problems != logged:
            logger.error("The operator has not started yet. %s", problems)
            logged = problems
        tries += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(backoff.exponential(tries, 1.0, _LONGEST_PAUSE)):
                await stopping.wait()
                return False
    return True


async def find_problems(watched: Mapping[str, str], requests_per_second: float) -> str:
    """Connect, and check once. Returns what is missing and the remedy, as sentences; empty: nothing."""
    try:
        kubernetes = await KubernetesClient.connect(requests_per_second)
    except (OSError, ValueError, ConfigException) as error:
        return (
            f"The configuration of the API server can't be used ({str(error) or type(error).__name__}). Check the "
            "certificates, the key and the files that the kubeconfig names, or the ServiceAccount's token and ca.crt."
        )
    try:
        results = await asyncio.gather(*map(kubernetes.try_watch, watched), return_exceptions=True)
    finally:
        await kubernetes.close()
    errors = [
        (kind, error) for kind, error in zip(watched.values(), results, strict=True) if isinstance(error, Exception)
    ]
    unserved = sorted({f"{kind}.{GROUP}/{VERSION}" for kind, error in errors if is_unserved(error)})
    refused = sorted({str(error) for _, error in errors if isinstance(error, ForbiddenError)})
    if unserved:
        return f"The cluster does not serve {' and '.join(unserved)}. {_CRDS}."
    if refused:
        return f"The operator lacks a right: {'; '.join(refused)}. {_ROLE}."
    return _explained(errors[0][1], kubernetes.host) if errors else ""


def _explained(error: Exception, host: str) -> str:
    if isinstance(error, ApiError) and error.status == 401:
        return (
            f"The API server {host} refuses the operator's credentials ({error}). Check that its ServiceAccount exists "
            "and its token is mounted, or the user of the kubeconfig."
        )
    if isinstance(error, ApiError):
        return f"The API server {host} can't answer yet. {error}. The operator retries."
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return (
            f"The API server {host} can't be trusted ({error}). Check certificate-authority in the kubeconfig, or "
            "ca.crt of the ServiceAccount."
        )
    if isinstance(error, aiohttp.ClientError | OSError):  # TimeoutError is an OSError
        return (
            f"The API server {host} can't be reached ({str(error) or type(error).__name__}). Check the network and its "
            "policies, and the server in the kubeconfig. The operator retries."
        )
    raise error
