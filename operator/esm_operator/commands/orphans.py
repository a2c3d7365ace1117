"""The command ``esm-operator orphans``: prints the orphans and the remedies for each."""

import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from esm_operator import logs, terminal
from esm_operator.api.foreign_text import shown, visible
from esm_operator.commands import yaml_text
from esm_operator.commands.account import Console
from esm_operator.commands.cluster_access import connected
from esm_operator.commands.counted import counted
from esm_operator.commands.orphan_search import Orphan, OrphanSearch, SearchFlags, SearchResult, names_and_numbers

_COLUMNS = ("uuid", "region", "state", "function", "source", "owner", "why")


class Orphans(SearchFlags):
    """List orphans: mappings in AWS that have this cluster's owner tags but no Kubernetes resource.

    The command only reads. It searches the accounts and regions of the flags, the ProviderConfigs and the resources.
    Required permissions: list eventsourcemappings and providerconfigs in Kubernetes; lambda:ListEventSourceMappings,
    lambda:ListTags and tag:GetResources in AWS. Without tag:GetResources, the command sends one request per mapping.

    Exit status: 0 if there are no orphans, 3 if there are some, 1 if the search is incomplete.
    """

    output: Literal["table", "json"] = "table"
    """Format of the list."""

    def cli_cmd(self) -> None:
        logs.configure("text", "error")
        console = Console()
        found = asyncio.run(self._find(console))
        if self.output == "json":
            terminal.put(json.dumps([asdict(one) for one in found.orphans], indent=2))
        elif found.orphans:
            terminal.put(f"{table(found.orphans)}\n\n{remedies(found.orphans)}")
        for text in (*found.failures, *summary(found)):
            console.say(text)
        sys.exit(1 if found.failures else 3 if found.orphans else 0)

    async def _find(self, console: Console) -> SearchResult:
        async with connected("the cluster that created the mappings") as kubernetes:
            return await OrphanSearch(kubernetes, self, console).find()


def table(orphans: Sequence[Orphan]) -> str:
    """The orphans as columns of text."""
    rows = [[name.upper() for name in _COLUMNS]]
    rows += [[shown(str(getattr(orphan, name))) for name in _COLUMNS] for orphan in orphans]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def remedies(orphans: Sequence[Orphan]) -> str:
    """The command that deletes each mapping, and the lines of a spec that adopt it."""
    lines = [
        "Delete an orphan with its command. Or adopt it: add its adoption line to the spec of a resource with the same "
        "function and source, in the namespace of the owner."
    ]
    for orphan in orphans:
        lines += [
            "",
            yaml_text.comment(f"{orphan.owner}, account {orphan.account}"),
            _delete_command(orphan),
            _adoption(orphan),
        ]
    return "\n".join(lines)


def _delete_command(orphan: Orphan) -> str:
    words = ["aws", "lambda", "delete-event-source-mapping", "--region", orphan.region, "--uuid", orphan.uuid]
    words += ["--endpoint-url", orphan.endpoint_url] if orphan.endpoint_url else []
    return visible(shlex.join(words))


def _adoption(orphan: Orphan) -> str:
    owner = {"takeOverFrom": orphan.owner} if "/" in orphan.owner else {}
    try:
        return yaml_text.line("adoption", {"policy": "Required", "uuid": orphan.uuid, **owner})
    except yaml_text.UnwritableError as error:
        return yaml_text.comment(f"There is no adoption line. {error}")


def summary(found: SearchResult) -> list[str]:
    """The number of orphans, whether the search was complete, and the names of other clusters."""
    regions = f" in {', '.join(sorted(found.regions))}" if found.regions else ""
    texts: list[str] = []
    if found.cluster:
        count = counted(len(found.orphans), "orphan") if found.orphans else "No orphans"
        text = f"{count} of cluster {found.cluster} among {counted(found.examined, 'mapping')}{regions}."
        texts.append(f"{text} The search is incomplete." if found.failures else text)
        if found.other_clusters:
            others = f"Other clusters have mappings there: {names_and_numbers(found.other_clusters)}."
            hint = (
                f" If one of them is this cluster, set --cluster-name; no unused mapping has the name {found.cluster}."
            )
            texts.append(others if found.own else others + hint)
    return texts
