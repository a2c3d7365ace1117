"""The command ``esm-operator export``: reads mappings, and prints a manifest for each."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from esm_operator import logs
from esm_operator.commands import validate
from esm_operator.commands.account import Account, Console, ReadError, connections
from esm_operator.commands.export_manifest import MappingsToExport, Style, manifests, unknown_members
from esm_operator.planning.ownership import CLUSTER
from esm_operator.planning.target import Access, Target
from esm_operator.settings import COMMAND_CONFIG, Endpoint, Items, Region, environment_region

#: Up to so many mappings, ListTags is called for each, because the tagging API learns of tags late.
_FEW = 100


def _pairs(texts: list[str]) -> list[str]:
    if not all("=" in text for text in texts):
        raise ValueError("write each as key=value, repeated or separated by commas")
    return texts


class Export(Style, BaseSettings):
    """Print manifests of the mappings that exist at AWS in one account and region, for resources to take them over.

    It only reads. Needs lambda:ListEventSourceMappings, lambda:GetEventSourceMapping, lambda:ListTags and, for many
    mappings, tag:GetResources. Each manifest says what its mapping has, and has an adoption that names it, so that
    applying it creates nothing. Mappings of resources of an esm-operator are left out. Ends with 0, or with 1 when
    something could not be looked at or can't be said in a manifest.
    """

    model_config = COMMAND_CONFIG

    region: Region = ""
    """The AWS region to look in. Default: the environment's AWS_REGION or AWS_DEFAULT_REGION."""

    endpoint_url: Endpoint = ""
    """URL of the AWS endpoints, for a private or a test endpoint. Default: AWS's own, or AWS_ENDPOINT_URL."""

    role_arn: str = Field(default="", pattern=r"^(arn:.+)?$")
    """The IAM role to look with, as in a ProviderConfig. Default: the credentials of the environment."""

    external_id: str = ""
    """The external id that the role asks for."""

    function: Items = Field(default_factory=list[str])
    """Functions, by name or ARN, with or without version or alias, repeated or separated by commas. Default: all."""

    event_source_arn: str = ""
    """Only mappings of this queue, stream, cluster or broker. Default: all."""

    uuid: Items = Field(default_factory=list[str])
    """Just these mappings, by UUID, repeated or separated by commas."""

    tag: Annotated[Items, AfterValidator(_pairs)] = Field(default_factory=list[str])
    """Only mappings that have these tags: key=value, repeated or separated by commas. Default: all."""

    owned: bool = False
    """Print also mappings that belong to resources of an esm-operator, under their names; such as those of a cluster
    that is lost."""

    requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    """Requests a second to AWS Lambda. AWS's quota is 15, shared with everything else that calls the Lambda API."""

    def cli_cmd(self) -> None:
        logs.configure("text", "error")
        region = self.region or environment_region()
        if not region:
            sys.exit("esm-operator: No AWS region is known. Set --region.")
        console = Console()
        asyncio.run(_run(self, region, console))
        sys.exit(1 if console.failed else 0)


async def _run(asked: Export, region: str, console: Console) -> None:
    target = Target(region, Access(asked.endpoint_url, asked.role_arn, asked.external_id))
    connected = connections("export")
    try:
        account = await Account.connect(target, connected, asked.requests_per_second, console)
        mappings = await _mappings(asked, account, console)
        found = await _with_tags(account, mappings, console)
    except ReadError as error:
        console.fail(str(error))
        return
    finally:
        connected.close()
    wanted_tags = [text.split("=", 1) for text in asked.tag]
    wanted = [one for one in found if all(one.tags.get(key) == value for key, value in wanted_tags)]
    printed = wanted if asked.owned else [one for one in wanted if CLUSTER not in one.tags]
    made = manifests(printed, asked)
    for one in made:
        print(one.render(), end="")
    now = datetime.now(UTC)
    for one in made:  # the API server may refuse a value that AWS has taken
        for place, message in validate.problems_of(one.body, now):
            console.fail(f"{one.remark}: {place}: {message}")
    unknown = {member for one in printed for member in unknown_members(one.mapping)}
    if unknown:
        console.say(
            f"This version does not know {', '.join(sorted(unknown))} of what AWS answers; it is not printed, and "
            "left as it is."
        )
    text = f"{_count(len(made), 'manifest')} of {_count(len(found), 'mapping')} in {region}"
    if len(wanted) > len(printed):
        left_out = len(wanted) - len(printed)
        text += f"; {left_out} of resources of an esm-operator left out (--owned prints them)"
    console.say(f"{text}.")


async def _mappings(asked: Export, account: Account, console: Console) -> list[Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for uuid in dict.fromkeys(asked.uuid):
        try:
            found[uuid] = await account.mapping(uuid)
        except ReadError as error:
            if not error.gone:
                raise
            console.fail(f"{account.place}: There is no mapping {uuid}.")
    if asked.uuid:
        return list(found.values())
    for function in asked.function or [""]:
        async for mapping in account.mappings(function, asked.event_source_arn):
            found[str(mapping["UUID"])] = mapping
    for uuid, mapping in found.items():
        if mapping.get("KMSKeyArn") and not mapping.get("FilterCriteria"):  # lists leave out encrypted filters
            try:
                found[uuid] = await account.mapping(uuid)
            except ReadError as error:
                console.fail(f"{error} The filters of {uuid} are not printed, and so left as they are.")
    return list(found.values())


async def _with_tags(account: Account, mappings: list[Mapping[str, Any]], console: Console) -> list[MappingsToExport]:
    try:
        few = len(mappings) <= _FEW
        tags = await account.list_tags(mappings) if few else await account.tags_in_bulk(mappings, {})
    except ReadError as error:
        if not error.untaggable:
            raise
        console.say(
            f"{account.place}: AWS takes no tags on event source mappings in this region, so it is not known which "
            "of them belong to resources of an esm-operator."
        )
        return [MappingsToExport(mapping, {}) for mapping in mappings]
    return [MappingsToExport(mapping, tags[uuid]) for mapping in mappings if (uuid := str(mapping["UUID"])) in tags]


def _count(number: int, what: str) -> str:
    return f"{number or 'No'} {what}{'' if number == 1 else 's'}"
