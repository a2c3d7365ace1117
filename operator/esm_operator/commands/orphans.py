"""The command ``esm-operator orphans``: prints the orphans, and the remedies for each."""

import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import aiohttp
from kubernetes.aio.config import ConfigException

from esm_operator import logs
from esm_operator.cluster.kubernetes import ApiError, GoneError, KubernetesClient
from esm_operator.cluster.preflight import is_unserved
from esm_operator.commands.account import Console
from esm_operator.commands.orphan_search import Orphan, OrphanSearch, SearchFlags, SearchResult

#: Requests a second to the API server.
_REQUESTS_PER_SECOND = 20.0
_COLUMNS = ("uuid", "region", "state", "function", "source", "owner", "why")


class Orphans(SearchFlags):
    """List mappings at AWS that carry this cluster's owner tags and that no resource stands for. It only reads.

    Looks in each account and region that the settings, the ProviderConfigs and the resources name. Needs to list
    eventsourcemappings and providerconfigs; lambda:ListEventSourceMappings, lambda:ListTags and, to be quick,
    tag:GetResources. Ends with 0 when there are none, 3 when there are some, 1 when it could not look everywhere.
    """

    output: Literal["table", "json"] = "table"
    """How the mappings are printed."""

    def cli_cmd(self) -> None:
        logs.configure("text", "error")
        console = Console()
        found = asyncio.run(self._find(console))
        if self.output == "json":
            print(json.dumps([asdict(one) for one in found.orphans], indent=2))
        elif found.orphans:
            print(table(found.orphans))
            print(f"\n{remedies(found.orphans)}")
        for failure in found.failures:
            console.say(failure)
        console.say(summary(found, self.cluster_name))
        sys.exit(1 if found.failures else 3 if found.orphans else 0)

    async def _find(self, console: Console) -> SearchResult:
        try:
            kubernetes = await KubernetesClient.connect(_REQUESTS_PER_SECOND)
        except ConfigException as error:
            problem = f"There is no cluster to compare with ({error})."
            sys.exit(f"esm-operator: {problem} Set KUBECONFIG, or run it in a pod.")
        try:
            return await OrphanSearch(kubernetes, self, console).find()
        except (ApiError, GoneError) as error:
            if is_unserved(error):
                sys.exit(
                    "esm-operator: The cluster lacks EventSourceMappings or ProviderConfigs: their "
                    "CustomResourceDefinitions are not installed. Is KUBECONFIG that of the cluster which made the "
                    "mappings?"
                )
            sys.exit(f"esm-operator: The cluster refused. {error}")
        except (aiohttp.ClientError, TimeoutError) as error:
            sys.exit(f"esm-operator: The cluster can't be reached: {error or 'no answer in time'}.")
        finally:
            await kubernetes.close()


def table(orphans: Sequence[Orphan]) -> str:
    """The mappings as columns of text."""
    rows = [[name.upper() for name in _COLUMNS]]
    rows += [[str(getattr(orphan, name)) for name in _COLUMNS] for orphan in orphans]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def remedies(orphans: Sequence[Orphan]) -> str:
    """How to delete each mapping, and how to adopt it."""
    lines = [
        "Each of them can be deleted by its command, or taken up by a resource of the same function and source that "
        "has these lines in its spec:"
    ]
    for orphan in orphans:
        endpoint = f" --endpoint-url {shlex.quote(orphan.endpoint_url)}" if orphan.endpoint_url else ""
        owner = f", takeOverFrom: {orphan.owner}" if "/" in orphan.owner else ""
        lines += [
            "",
            f"# {orphan.owner}, account {orphan.account}",
            f"aws lambda delete-event-source-mapping --region {orphan.region} --uuid {orphan.uuid}{endpoint}",
            f"adoption: {{policy: Required, uuid: {orphan.uuid}{owner}}}",
        ]
    return "\n".join(lines)


def summary(found: SearchResult, cluster: str) -> str:
    """The number of orphans, and whether the search was complete."""
    among = f"among {found.examined} mapping{'' if found.examined == 1 else 's'}"
    regions = f" in {', '.join(sorted(found.regions))}" if found.regions else ""
    count = f"{len(found.orphans) or 'No'} orphan{'' if len(found.orphans) == 1 else 's'}"
    text = f"{count} of the cluster {cluster} {among}{regions}"
    return f"{text}, as far as could be looked at." if found.failures else f"{text}."
