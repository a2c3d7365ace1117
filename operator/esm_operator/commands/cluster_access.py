"""The connection of a command to the Kubernetes API server, with one line instead of a traceback for each failure."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from kubernetes.aio.config import ConfigException

from esm_operator import terminal
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import ApiError, GoneError, is_unserved

#: Requests a second to the API server.
_REQUESTS_PER_SECOND = 20.0


@asynccontextmanager
async def connected(cluster: str) -> AsyncGenerator[KubernetesClient]:
    """Connect to the cluster of the kubeconfig or of the pod. A failure of a request in the block ends the process.

    Args:
        cluster: the cluster that KUBECONFIG must name. The message about missing CRDs contains it.
    """
    try:
        kubernetes = await KubernetesClient.connect(_REQUESTS_PER_SECOND)
    except ConfigException as error:
        problem = f"No Kubernetes cluster is configured ({error})."
        terminal.stop(f"{problem} Set KUBECONFIG, or run the command in a pod.")
    try:
        yield kubernetes
    except (ApiError, GoneError) as error:
        if is_unserved(error):
            terminal.stop(
                "The CustomResourceDefinitions of EventSourceMapping and ProviderConfig are not "
                f"installed in this cluster. Check that KUBECONFIG names {cluster}."
            )
        terminal.stop(f"The Kubernetes API server refused a request. {error}")
    except (aiohttp.ClientError, TimeoutError) as error:
        terminal.stop(f"The Kubernetes API server cannot be reached: {error or 'no answer in time'}.")
    finally:
        await kubernetes.close()
