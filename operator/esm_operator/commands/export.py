"""The command ``esm-operator export``: finds the mappings, and prints what ``manifest.py`` makes of them."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from esm_operator import logs
from esm_operator.commands import validate
from esm_operator.commands.account import Account, ReadError, connections
from esm_operator.commands.console import Console
from esm_operator.commands.export_manifest import Manifest, MappingsToExport, Style, manifests, unknown_members
from esm_operator.planning.ownership import CLUSTER
from esm_operator.planning.target import Access, Target
from esm_operator.settings import COMMAND_CONFIG, Endpoint, Region, environment_region, items

#: What the process ends with.
DONE, FAILED = 0, 1
#: Up to so many mappings are asked for their tags one by one, for the tagging API learns of them late.
_FEW = 100


def _pairs(texts: list[str]) -> list[str]:
    if not all("=" in text for text in texts):
        raise ValueError("write each as key=value, repeated or separated by commas")
    return texts


_Items = Annotated[list[str], NoDecode, BeforeValidator(items)]


class Export(BaseSettings):
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

    function: _Items = Field(default_factory=list[str])
    """Functions, by name or ARN, with or without version or alias, repeated or separated by commas. Default: all."""

    event_source_arn: str = ""
    """Only mappings of this queue, stream, cluster or broker. Default: all."""

    uuid: _Items = Field(default_factory=list[str])
    """Just these mappings, by UUID, repeated or separated by commas."""

    tag: Annotated[_Items, AfterValidator(_pairs)] = Field(default_factory=list[str])
    """Only mappings that have these tags: key=value, repeated or separated by commas. Default: all."""

    owned: bool = False
    """Print also mappings that belong to resources of an esm-operator, under their names; such as those of a cluster
    that is lost."""

    namespace: str = Field(default="", pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", max_length=63)
    """The namespace in the manifests. Default: none, so that kubectl apply --namespace says it."""

    provider_config: str = ""
    """The ProviderConfig in the manifests. Default: none is named."""

    management_policy: Literal["Full", "Observe"] = "Full"
    """Observe: the manifests only watch, until managementPolicy is removed from them; differences are told."""

    deletion_policy: Literal["Delete", "Retain"] = "Delete"
    """Retain: deleting a resource leaves its mapping at AWS."""

    all_fields: bool = False
    """Print also the fields that have AWS's default, so that they are kept as they are."""

    without_tags: _Items = Field(default_factory=list[str])
    """Keys of tags that are left out, such as crossplane-*; repeated or separated by commas. Tags of AWS and of
    esm-operator always are."""

    requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    """Requests a second to AWS Lambda. AWS's quota is 15, shared with everything else that calls the Lambda API."""

    def cli_cmd(self) -> None:
        logs.configure("text", "error")
        region = self.region or environment_region()
        if not region:
            sys.exit("esm-operator: No AWS region is known. Set --region.")
        sys.exit(asyncio.run(_Export(self, region).run()))


class _Export:
    """One run of the command."""

    def __init__(self, asked: Export, region: str) -> None:
        self._asked = asked
        self._region = region
        self._failed = False
        self._console = Console()

    async def run(self) -> int:
        """Print all, and tell how it went. Returns what the process ends with."""
        asked = self._asked
        target = Target(self._region, Access(asked.endpoint_url, asked.role_arn, asked.external_id))
        connected = connections("export")
        try:
            account = await Account.connect(target, connected, asked.requests_per_second)
            mappings = await self._mappings(account)
            found = await self._tagged(account, mappings)
        except ReadError as error:
            self._fail(str(error))
            return FAILED
        finally:
            connected.close()
        wanted = [one for one in found if self._is_wanted(one)]
        owned = [one for one in wanted if CLUSTER in one.tags]
        printed = wanted if asked.owned else [one for one in wanted if CLUSTER not in one.tags]
        made = manifests(printed, self._style())
        for one in made:
            print(one.render(), end="")
        self._check(made)
        self._report_unknown(printed)
        text = f"{_count(len(made), 'manifest')} of {_count(len(found), 'mapping')} in {self._region}"
        if owned and not asked.owned:
            text += f"; {len(owned)} of resources of an esm-operator left out (--owned prints them)"
        self._console.say(f"{text}.")
        return FAILED if self._failed else DONE

    async def _mappings(self, account: Account) -> list[Mapping[str, Any]]:
        """The mappings that are asked for. Raises ReadError."""
        asked = self._asked
        if asked.uuid:
            return [mapping for uuid in dict.fromkeys(asked.uuid) if (mapping := await self._one(account, uuid))]
        found: dict[str, Mapping[str, Any]] = {}
        for function in asked.function or [""]:
            async for mapping in account.mappings(function, asked.event_source_arn):
                found[str(mapping["UUID"])] = mapping
                self._console.report_progress(f"{account.place}: {len(found)} mappings listed")
        return [await self._whole(account, mapping) for mapping in found.values()]

    async def _one(self, account: Account, uuid: str) -> Mapping[str, Any] | None:
        try:
            return await account.mapping(uuid)
        except ReadError as error:
            if not error.gone:
                raise
            self._fail(f"{account.place}: There is no mapping {uuid}.")
            return None

    async def _whole(self, account: Account, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        """A mapping with its filters, which lists leave out where a key encrypts them."""
        if not mapping.get("KMSKeyArn") or mapping.get("FilterCriteria"):
            return mapping
        try:
            return await account.mapping(str(mapping["UUID"]))
        except ReadError as error:
            self._fail(f"{error} The filters of {mapping['UUID']} are not printed, and so left as they are.")
            return mapping

    async def _tagged(self, account: Account, mappings: Sequence[Mapping[str, Any]]) -> list[MappingsToExport]:
        """The mappings with their tags. Raises ReadError."""
        tags: Mapping[str, Mapping[str, str]] | None = None
        if len(mappings) > _FEW:
            try:
                tags = await account.tagged({})
            except ReadError as error:
                if not error.denied:
                    raise
                self._console.say(f"{error} The tags of each mapping are listed instead.")
        if tags is not None:
            return [MappingsToExport(mapping, tags.get(str(mapping["UUID"]), {})) for mapping in mappings]
        try:
            tags = await account.list_tags(mappings, self._console)
        except ReadError as error:
            if not error.untaggable:
                raise
            self._console.say(
                f"{account.place}: AWS takes no tags on event source mappings in this region, so it is not known which "
                "of them belong to resources of an esm-operator."
            )
            tags = {str(mapping["UUID"]): {} for mapping in mappings}
        return [MappingsToExport(mapping, tags[uuid]) for mapping in mappings if (uuid := str(mapping["UUID"])) in tags]

    def _is_wanted(self, found: MappingsToExport) -> bool:
        pairs = (text.split("=", 1) for text in self._asked.tag)
        return all(found.tags.get(key) == value for key, value in pairs)

    def _style(self) -> Style:
        asked = self._asked
        return Style(
            namespace=asked.namespace,
            provider_config=asked.provider_config,
            management_policy="Observe" if asked.management_policy == "Observe" else "",
            deletion_policy="Retain" if asked.deletion_policy == "Retain" else "",
            all_fields=asked.all_fields,
            without_tags=asked.without_tags,
        )

    def _check(self, made: Sequence[Manifest]) -> None:
        """Say what the API server will refuse: AWS may have taken what the rules don't know."""
        now = datetime.now(UTC)
        for one in made:
            for place, message in validate.problems_of(one.body, now):
                self._fail(f"{one.remark}: {place}: {message}")

    def _report_unknown(self, found: Sequence[MappingsToExport]) -> None:
        unknown = {member for one in found for member in unknown_members(one.mapping)}
        if unknown:
            self._console.say(
                f"This version does not know {', '.join(sorted(unknown))} of what AWS answers; it is not printed, and "
                "left as it is."
            )

    def _fail(self, text: str) -> None:
        self._failed = True
        self._console.say(text)


def _count(number: int, what: str) -> str:
    return f"{number or 'No'} {what}{'' if number == 1 else 's'}"
