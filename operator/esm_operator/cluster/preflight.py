"""What the operator needs of the cluster before it can begin, and what to do where that is missing.

kopf ends with a stack trace where it may not list a kind, and watches nothing, without a word, where a kind is not
served. So this is seen to before kopf is started, again and again, until all is there. Called by the command ``run``
before it starts kopf, and when a watch of kopf has failed.
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

#: The longest pause between looks at what the cluster lacks, in seconds.
_LONGEST_PAUSE = 5.0
_ROLE = "Give the operator's ServiceAccount the roles that the Helm chart has for it (rbac.create)"
_CRDS = "Install the CRDs (the chart's crds.install, or esm-operator crds | kubectl apply --server-side -f -)"


class WatchedKind(NamedTuple):
    """A kind that is listed and watched."""

    plural: str
    path: str


def kinds(namespaces: Sequence[str], *, labels: bool) -> list[WatchedKind]:
    """The kinds that are listed and watched.

    Args:
        namespaces: those worked in; none: all.
        labels: whether the labels of namespaces are watched.
    """
    found = [
        *(WatchedKind(PLURAL, path) for path in mapping_paths(namespaces)),
        WatchedKind(PROVIDER_CONFIGS, f"{API_PATH}/{PROVIDER_CONFIGS}"),
    ]
    return [*found, WatchedKind("namespaces", "/api/v1/namespaces")] if labels else found


class Preflight:
    """Looks at the cluster each time with the credentials and the address that there are then."""

    def __init__(self, watched: Sequence[WatchedKind], requests_per_second: float) -> None:
        """
        Args:
            watched: the kinds that are listed and watched.
            requests_per_second: to the API server.
        """
        self._watched = watched
        self._requests_per_second = requests_per_second

    async def wait(self, stopping: asyncio.Event, report: Callable[[str], object]) -> bool:
        """Wait until the cluster has what the operator needs.

        Args:
            stopping: ends the wait when it is set.
            report: called with what is missing, each time that it was looked for.

        Returns:
            whether the cluster has it.
        """
        told, tries = "", 0
        while missing := await self.look():
            report(missing)
            if missing != told:
                logger.error("Not started yet: %s", missing)
                told = missing
            tries += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.exponential(tries, 1.0, _LONGEST_PAUSE)):
                    await stopping.wait()
                    return False
        return True

    async def look(self) -> str:
        """What is missing now, with what to do about it, as sentences; empty: nothing."""
        try:
            kubernetes = await KubernetesClient.connect(self._requests_per_second)
        except (OSError, ValueError, ConfigException) as error:
            return unusable(error)
        try:
            return await unmet(kubernetes, self._watched)
        finally:
            await kubernetes.close()


async def unmet(kubernetes: KubernetesClient, watched: Sequence[WatchedKind]) -> str:
    """What is missing, with what to do about it, as sentences; empty: nothing.

    Args:
        kubernetes: the API server.
        watched: the kinds that are listed and watched.
    """
    asked = (kubernetes.try_watch(kind.path) for kind in watched)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    errors = {kind: error for kind, error in zip(watched, answers, strict=True) if isinstance(error, Exception)}
    unserved = sorted({kind.plural for kind, error in errors.items() if is_unserved(error)})
    refused = sorted({str(error) for error in errors.values() if isinstance(error, ForbiddenError)})
    if unserved:
        return f"The cluster does not serve {' and '.join(f'{one}.{GROUP}/{VERSION}' for one in unserved)}. {_CRDS}."
    if refused:
        return f"The operator lacks a right: {'; '.join(refused)}. {_ROLE}."
    return next((_said(error, kubernetes.host) for error in errors.values()), "")


def unusable(error: Exception) -> str:
    """Why there is no client for the API server, with what to do about it, as sentences.

    Args:
        error: what making it raised: files that the kubeconfig names can't be read, or are no certificates.
    """
    return (
        f"What says how to reach the API server can't be used ({str(error) or type(error).__name__}). Check the "
        "certificates, the key and the files that the kubeconfig names, or the ServiceAccount's token and ca.crt."
    )


def is_unserved(error: Exception) -> bool:
    """For a kind that there is not, the API server answers in plain text."""
    return isinstance(error, GoneError) or (isinstance(error, ApiError) and error.status == 404)


def _said(error: Exception, host: str) -> str:
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
    if isinstance(error, aiohttp.ClientError | OSError):  # a time-out is one too
        return (
            f"The API server {host} can't be reached ({str(error) or type(error).__name__}). Check the network and its "
            "policies, and the server of the kubeconfig; it is tried again."
        )
    raise error
