"""The preflight: checks before kopf starts that the cluster has what the operator needs, with a remedy if it lacks.

kopf ends with a stack trace if it may not list a kind, and watches nothing, without an error, if a kind is not served.
So the command ``run`` repeats the checks until all pass, and checks once more when a watch of kopf has failed.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import aiohttp
from kubernetes.aio.config import ConfigException

from esm_operator.api.resource import GROUP, PLURAL, VERSION
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import (
    API_PATH,
    ApiError,
    ForbiddenError,
    GoneError,
    KubernetesClient,
    mapping_paths,
)
from esm_operator.ratelimit import backoff

logger = logging.getLogger(__name__)

#: The longest pause between two checks, in seconds.
_LONGEST_PAUSE = 5.0
_ROLE = "Give the operator's ServiceAccount the roles that the Helm chart has for it (rbac.create)"
_CRDS = "Install the CRDs (the chart's crds.install, or esm-operator crds | kubectl apply --server-side -f -)"


class WatchedKind(NamedTuple):
    """A kind that is listed and watched."""

    plural: str
    path: str


def kinds(namespaces: Sequence[str], *, labels: bool) -> list[WatchedKind]:
    """The kinds that are watched: EventSourceMappings in some namespaces (empty: all), and others in the cluster."""
    found = [WatchedKind(PLURAL, path) for path in mapping_paths(namespaces)]
    found.append(WatchedKind(PROVIDER_CONFIGS, f"{API_PATH}/{PROVIDER_CONFIGS}"))
    return [*found, WatchedKind("namespaces", "/api/v1/namespaces")] if labels else found


class Preflight:
    """The checks. Each connects again, with the credentials and the address that there are then."""

    def __init__(self, watched: Sequence[WatchedKind], requests_per_second: float) -> None:
        self._watched = watched
        self._requests_per_second = requests_per_second

    async def wait(self, stopping: asyncio.Event, report: Callable[[str], object]) -> bool:
        """Check until nothing is missing, or an event is set. Returns whether nothing is missing.

        The function ``report`` is called with what is missing after each check.
        """
        logged, tries = "", 0
        while missing := await self.look():
            report(missing)
            if missing != logged:
                logger.error("Not started yet: %s", missing)
                logged = missing
            tries += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.exponential(tries, 1.0, _LONGEST_PAUSE)):
                    await stopping.wait()
                    return False
        return True

    async def look(self) -> str:
        """Check once. Returns what is missing and the remedy, as sentences; empty: nothing."""
        try:
            kubernetes = await KubernetesClient.connect(self._requests_per_second)
        except (OSError, ValueError, ConfigException) as error:
            return (
                f"What says how to reach the API server can't be used ({str(error) or type(error).__name__}). Check "
                "the certificates, the key and the files that the kubeconfig names, or the ServiceAccount's token and "
                "ca.crt."
            )
        try:
            return await self._missing(kubernetes)
        finally:
            await kubernetes.close()

    async def _missing(self, kubernetes: KubernetesClient) -> str:
        attempts = (kubernetes.try_watch(kind.path) for kind in self._watched)
        results = await asyncio.gather(*attempts, return_exceptions=True)
        errors = {
            kind: error for kind, error in zip(self._watched, results, strict=True) if isinstance(error, Exception)
        }
        unserved = sorted({f"{kind.plural}.{GROUP}/{VERSION}" for kind, error in errors.items() if is_unserved(error)})
        refused = sorted({str(error) for error in errors.values() if isinstance(error, ForbiddenError)})
        if unserved:
            return f"The cluster does not serve {' and '.join(unserved)}. {_CRDS}."
        if refused:
            return f"The operator lacks a right: {'; '.join(refused)}. {_ROLE}."
        return next((_explained(error, kubernetes.host) for error in errors.values()), "")


def is_unserved(error: Exception) -> bool:
    """Whether the API server does not serve a kind. It then answers 404 in plain text."""
    return isinstance(error, GoneError) or (isinstance(error, ApiError) and error.status == 404)


def _explained(error: Exception, host: str) -> str:
    if isinstance(error, ApiError) and error.status == 401:
        return (
            f"The API server {host} refuses the operator's credentials ({error}). Check that its ServiceAccount exists "
            "and its token is mounted, or the user of the kubeconfig."
        )
    if isinstance(error, ApiError):
        return f"The API server {host} can't answer yet ({error}). It is asked again."
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return (
            f"The API server {host} can't be trusted ({error}). Check certificate-authority in the kubeconfig, or "
            "ca.crt of the ServiceAccount."
        )
    if isinstance(error, aiohttp.ClientError | OSError):  # TimeoutError is an OSError
        return (
            f"The API server {host} can't be reached ({str(error) or type(error).__name__}). Check the network and its "
            "policies, and the server of the kubeconfig; it is tried again."
        )
    raise error
