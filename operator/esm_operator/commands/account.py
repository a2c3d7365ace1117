"""One account and region as the commands read it, through the operator's AWS client, at a rate of their own.

It only reads: its fence is shut. A request that fails for a reason that may pass is sent again, because a command has
no work queue that would come back to it.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from esm_operator.aws import errors
from esm_operator.aws.connection import Connector
from esm_operator.aws.connections import Connections
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.commands.console import Console
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter, RequestPriority

#: Requests under way at the same time.
AT_ONCE = 8
#: How often a request is sent at most.
_ATTEMPTS = 6


class ReadError(Exception):
    """AWS refused a request, or could not be reached; the text is a sentence that names the place and the action."""

    def __init__(self, action: str, place: str, error: Exception) -> None:
        """
        Args:
            action: the IAM action of the request.
            place: the region, and the role.
            error: what the request raised.
        """
        failure = errors.understand(error)
        message = failure.message.replace(" It is tried again by itself.", "").replace(errors.RETRIES, "")
        super().__init__(f"{place}: {action}: {message}")
        self.denied = failure.reason == "AccessDenied"
        self.untaggable = failure.reason == "TagsNotSupported"
        self.gone = isinstance(error, ClientError) and errors.is_gone(error)


def connections(command: str) -> Connections:
    """The connections of a command.

    Args:
        command: its name, which AWS's logs show.
    """
    return Connections(Connector(AT_ONCE, attempts=_ATTEMPTS, user_agent=f"esm-operator-{command}"))


class Account:
    """One account and region, reached by one target's credentials. All of it raises ReadError."""

    def __init__(self, target: Target, api: MappingsApi) -> None:
        """
        Args:
            target: the region, and the credentials.
            api: the requests to it.
        """
        self.target = target
        self.place = _place(target)
        self.number = api.account
        """The number of the account."""
        self._api = api

    @classmethod
    async def connect(cls, target: Target, made: Connections, requests_per_second: float) -> "Account":
        """Connect to a target.

        Args:
            target: the region, and the credentials.
            made: the command's connections.
            requests_per_second: to Lambda, and as many to the tagging API.
        """
        try:
            connection = await made.connect(target)
        except (ClientError, BotoCoreError) as error:
            action = _FAILED_BEFORE.get(type(error), "sts:GetCallerIdentity")
            raise ReadError(action, _place(target), error) from None
        limiter, tagging_limiter = RateLimiter(requests_per_second), RateLimiter(requests_per_second)
        return cls(target, MappingsApi(connection, limiter, tagging_limiter))

    async def mappings(self, function: str = "", source: str = "") -> AsyncIterator[Mapping[str, Any]]:
        """All mappings but those that are being deleted.

        Args:
            function: only those of this function, version or alias; empty: of all.
            source: only those of this event source ARN; empty: of all.
        """
        marker: str | None = ""
        while marker is not None:
            with self._reading("lambda:ListEventSourceMappings"):
                page = await self._api.page(marker, function, source)
            for mapping in page.mappings:
                if mapping.get("State") != "Deleting":
                    yield mapping
            marker = page.next or None

    async def mapping(self, uuid: str) -> Mapping[str, Any]:
        """One mapping, with its filters, which lists lack where a key encrypts them."""
        with self._reading("lambda:GetEventSourceMapping"):
            return await self._api.get(uuid, RequestPriority.SWEEP)

    async def tagged(self, tags: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
        """The tags of mappings by UUID, as the tagging API knows them, which learns of tags late.

        Args:
            tags: tags that the mappings have; none: of all mappings that ever had any.
        """
        found: dict[str, Mapping[str, str]] = {}
        with self._reading("tag:GetResources"):
            async for page in self._api.tagged(tags):
                found |= page
        return found

    async def list_tags(self, mappings: Iterable[Mapping[str, Any]], console: Console) -> dict[str, Mapping[str, str]]:
        """The tags of mappings by UUID, a request for each; those that are gone are left out.

        Args:
            mappings: as AWS answered them.
            console: where it is reported how far it is.
        """
        found: dict[str, Mapping[str, str]] = {}
        wanted = list(mappings)
        looked = 0

        async def look(mapping: Mapping[str, Any]) -> None:
            nonlocal looked
            try:
                with self._reading("lambda:ListTags"):
                    arn = str(mapping["EventSourceMappingArn"])
                    found[str(mapping["UUID"])] = await self._api.list_tags(arn, RequestPriority.SWEEP)
            except ReadError as error:
                if not error.gone:
                    raise
            looked += 1
            console.report_progress(f"{self.place}: the tags of {looked} of {len(wanted)} mappings looked at")

        for start in range(0, len(wanted), AT_ONCE):
            await asyncio.gather(*(look(mapping) for mapping in wanted[start : start + AT_ONCE]))
        return found

    @contextmanager
    def _reading(self, action: str) -> Generator[None]:
        """Raise ReadError where a request raises what is AWS's."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise ReadError(action, self.place, error) from None


#: What connecting failed at before STS was asked.
_FAILED_BEFORE: Mapping[type[Exception], str] = {
    errors.InvalidEndpointError: "endpoint",
    NoCredentialsError: "credentials",
}


def _place(target: Target) -> str:
    return target.region + (f" as {target.access.role_arn}" if target.access.role_arn else "")
