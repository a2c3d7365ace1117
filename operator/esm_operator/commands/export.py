"""The command ``esm-operator export``: reads mappings in AWS and prints a manifest for each."""

import asyncio
import re
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from esm_operator import logs, terminal
from esm_operator.api import limits
from esm_operator.api import manifests as files
from esm_operator.commands import validate
from esm_operator.commands.account import Account, Console, ReadError, connections
from esm_operator.commands.counted import counted
from esm_operator.commands.export_manifest import Manifest, MappingsToExport, Style, manifests, unknown_members
from esm_operator.commands.export_references import references_summary, with_found_references
from esm_operator.commands.yaml_text import UnwritableError
from esm_operator.planning.ownership import CLUSTER
from esm_operator.planning.target import Access, Target
from esm_operator.settings import COMMAND_CONFIG, Endpoint, Items, Region, each, environment_region, matches

if TYPE_CHECKING:
    from esm_operator.commands.object_search import ObjectSearch

#: For up to this number of mappings, ListTags is called for each. For more, the tagging API is asked first.
_FEW = 100
#: Up to this number of mappings by UUID, each is read with a request. More are picked from the pages of the List, which
#: have 100 mappings each.
_FEW_UUIDS = 20

_is_uuid = matches(limits.UUID_PATTERN, "`{}` is not the UUID of a mapping", empty=False)


def _pairs(texts: list[str]) -> list[str]:
    if not all("=" in text for text in texts):
        raise ValueError("write each tag as key=value")
    return texts


class Export(Style, BaseSettings):
    """Print manifests that adopt existing mappings of one account and region.

    The command only reads. Each manifest has the present values of its mapping and an adoption with its UUID, so
    applying the manifest creates no mapping. Comments name the fields and tags that a manifest leaves out. Mappings
    that belong to resources of an esm-operator are left out.
    Required permissions: lambda:ListEventSourceMappings, lambda:GetEventSourceMapping, lambda:ListTags and
    tag:GetResources. `esm-operator iam-policy --read-only` prints them. Only --references needs a cluster.

    Exit status: 0 if all mappings were exported, 1 if one could not be read or its manifest is not valid, or if
    --references could not read objects. Missing permissions to read objects do not change the exit status.
    """

    model_config = COMMAND_CONFIG

    region: Region = ""
    """AWS region of the mappings. Default: AWS_REGION or AWS_DEFAULT_REGION of the environment."""

    endpoint_url: Endpoint = ""
    """URL of a server that answers for the AWS APIs, such as a proxy or a test server. Default: AWS_ENDPOINT_URL of the
    environment, or the endpoints of AWS."""

    role_arn: Annotated[str, AfterValidator(matches("arn:.+", "`{}` is not the ARN of an IAM role"))] = ""
    """IAM role to assume, as in a ProviderConfig. Default: the credentials of the environment."""

    external_id: str = ""
    """External ID that the role requires."""

    function: Items = Field(default_factory=list[str])
    """Export only mappings of these functions: names or ARNs, with or without a version or alias. Default: all."""

    event_source_arn: str = ""
    """Export only mappings of this queue, stream, cluster or broker. Default: all."""

    uuid: Annotated[Items, each(_is_uuid)] = Field(default_factory=list[str])
    """Export only these mappings."""

    uuid_file: str = ""
    """Export only the mappings whose UUIDs are in this file, one per line. Use - for standard input."""

    tag: Annotated[Items, AfterValidator(_pairs)] = Field(default_factory=list[str])
    """Export only mappings that have all these tags. Default: all."""

    owned: bool = False
    """Also export mappings that belong to resources of an esm-operator, under the names of these resources. Use it to
    move the mappings of a lost cluster."""

    references: bool = False
    """Write references instead of values if exactly one object of the cluster has the value. The command searches the
    objects of ACK, Crossplane and Strimzi that you may list, in the cluster of KUBECONFIG. Set --namespace too, because
    the manifests refer to objects of other namespaces only if these allow references from the namespace."""

    requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    """Maximum number of requests per second to AWS Lambda. The quota of AWS is 15. All clients of the Lambda API in the
    account and region share it."""

    def cli_cmd(self) -> None:
        logs.configure("text", "error")
        region = self.region or environment_region()
        if not region:
            terminal.stop("No AWS region is known. Set --region.")
        if self.references and not (self.namespace or self.owned):
            terminal.stop("--references needs --namespace, the namespace in which you will apply the manifests.", 2)
        uuids = [*self.uuid, *(_read_uuids(self.uuid_file) if self.uuid_file else ())]
        console = Console()
        run = _run_with_cluster if self.references else _run
        asyncio.run(run(self, region, dict.fromkeys(uuid.lower() for uuid in uuids), console))
        sys.exit(1 if console.failed else 0)


def _read_uuids(name: str) -> list[str]:
    """The UUIDs in a file. Ends the process if there are none: no UUIDs would mean all mappings."""
    found: list[str] = []
    try:
        for number, line in enumerate(files.read(name).splitlines(), start=1):
            for word in re.split(r"[\s,]+", line.partition("#")[0].strip()):
                if word and not re.fullmatch(limits.UUID_PATTERN, word):
                    raise files.ManifestError(number, f"`{word}` is not the UUID of a mapping.")
                found += [word] if word else []
        if not found:
            raise files.ManifestError(0, "There is no UUID in this file.")
    except files.ManifestError as error:
        place = f"{name}:{error.line}" if error.line else name
        terminal.stop(f"--uuid-file {place}: {error}", 2)
    return found


async def _run_with_cluster(asked: Export, region: str, uuids: Collection[str], console: Console) -> None:
    from esm_operator.commands.object_search import ObjectSearch  # others need no client of Kubernetes

    async with ObjectSearch.connect(console) as search:
        await _run(asked, region, uuids, console, search)


async def _run(
    asked: Export, region: str, uuids: Collection[str], console: Console, search: "ObjectSearch | None" = None
) -> None:
    target = Target(region, Access(asked.endpoint_url, asked.role_arn, asked.external_id))
    wanted_tags = frozenset((key, value) for key, _, value in (text.partition("=") for text in asked.tag))
    to_aws = connections("export")
    try:
        account = await Account.connect(target, to_aws, asked.requests_per_second, console)
        mappings = await _mappings(asked, uuids, account, console)
        found = await _with_tags(account, mappings, wanted_tags, console)
    except ReadError as error:
        console.fail(str(error))
        return
    finally:
        to_aws.close()
    wanted = [one for one in found if wanted_tags <= one.tags.items()]
    printed = wanted if asked.owned else [one for one in wanted if CLUSTER not in one.tags]
    made = manifests(printed, asked)
    if search is not None:
        made = await with_found_references(made, search)
    written: list[Manifest] = []
    for one in made:
        try:
            terminal.put(one.render().removesuffix("\n"))
        except UnwritableError as error:
            console.fail(f"{one.remark}: {error} Its manifest is left out.")
        else:
            written.append(one)
    now = datetime.now(UTC)
    for one in written:  # the API server may refuse a value that AWS has accepted
        for place, message in validate.problems_of(one.body, now):
            console.fail(f"{one.remark}: {place}: {message}")
    unknown = {member for one in printed for member in unknown_members(one.mapping)}
    if unknown:
        console.say(
            f"AWS answered {', '.join(sorted(unknown))}, which this version does not know. The manifests do not have "
            "it, and the operator will not change it."
        )
    lacking = sum(bool(one.left_out) for one in written)
    if lacking:
        console.say(f"Comments in {counted(lacking, 'manifest')} name the fields and tags that are left out.")
    if search is not None:
        for text in (*search.problems(), *references_summary(written)):
            console.say(text)
    console.say(summary(len(written), len(found), len(wanted) - len(printed), region))


def summary(printed: int, found: int, owned: int, region: str) -> str:
    """How many manifests were printed, of how many mappings, and how many mappings were left out because of owners."""
    if not found:
        return f"No mappings were found in {region}."
    text = f"Printed {counted(printed, 'manifest') if printed else 'no manifests'}. "
    text += f"Found {counted(found, 'mapping')} in {region}."
    if owned:
        verb = "belongs to a resource" if owned == 1 else "belong to resources"
        text += f" {counted(owned, 'mapping')} {verb} of an esm-operator and {'is' if owned == 1 else 'are'} left out. "
        text += "--owned prints them too."
    return text


async def _mappings(
    asked: Export, uuids: Collection[str], account: Account, console: Console
) -> list[Mapping[str, Any]]:
    """The mappings that are asked for. If UUIDs are given, only these."""
    found: dict[str, Mapping[str, Any]] = {}
    missing: list[str] = []
    if 0 < len(uuids) <= _FEW_UUIDS:
        for uuid in uuids:
            try:
                found[uuid] = await account.mapping(uuid)
            except ReadError as error:
                if not error.gone:
                    raise
                missing.append(uuid)
    else:
        for function in ([] if uuids else asked.function) or [""]:
            source = "" if uuids else asked.event_source_arn
            async for mapping in account.mappings(function, source):
                uuid = str(mapping["UUID"])
                if not uuids or uuid in uuids:
                    found[uuid] = mapping
        missing = [uuid for uuid in uuids if uuid not in found]
    for uuid in missing:
        console.fail(f"{account.place}: There is no mapping {uuid}.")
    for uuid, mapping in found.items():
        if mapping.get("KMSKeyArn") and not mapping.get("FilterCriteria"):  # the List leaves out encrypted filters
            try:
                found[uuid] = await account.mapping(uuid)
            except ReadError as error:
                console.fail(f"{error} The manifest of {uuid} has no filters, so the operator will not change them.")
    return list(found.values())


async def _with_tags(
    account: Account, mappings: list[Mapping[str, Any]], wanted: frozenset[tuple[str, str]], console: Console
) -> list[MappingsToExport]:
    """The mappings with their tags. The tagging API alone does not decide that a mapping has no owner or no tags."""

    def is_doubtful(tags: Mapping[str, str]) -> bool:
        return not tags or (CLUSTER not in tags and wanted <= tags.items())

    try:
        if len(mappings) <= _FEW:
            tags = await account.list_tags(mappings)
        else:
            tags = await account.tags_in_bulk(mappings, {}, is_doubtful)
    except ReadError as error:
        if not error.untaggable:
            raise
        console.say(
            f"{account.place}: Event source mappings have no tags in this region. So the manifests include mappings "
            "that belong to resources of an esm-operator."
        )
        return [MappingsToExport(mapping, {}) for mapping in mappings]
    return [MappingsToExport(mapping, tags[uuid]) for mapping in mappings if (uuid := str(mapping["UUID"])) in tags]
