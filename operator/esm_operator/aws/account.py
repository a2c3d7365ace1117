"""One account and region as the commands see it: it is only read, page by page, within a rate of its own.

Called by ``esm-operator orphans`` and ``esm-operator export``. The operator itself has ``client.py`` and an inventory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.adapters import botocore_sessions
from esm_operator.aws import errors
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter, RequestPriority

#: Requests under way at once.
AT_ONCE = 8
_MAPPING = "lambda:event-source-mapping"


class LookError(Exception):
    """AWS refused a request, or could not be reached; the text is a sentence that names the action."""

    def __init__(self, action: str, place: str, error: Exception) -> None:
        failure = errors.understand(error)
        message = failure.message.replace(" It is tried again by itself.", "").replace(errors.RETRIES, "")
        super().__init__(f"{place}: {action}: {message}")
        self.denied = failure.reason == "AccessDenied"
        self.untaggable = failure.reason == "TagsNotSupported"
        self.gone = isinstance(error, ClientError) and errors.is_gone(error)


class Account:
    """One account and region, reached by one target's credentials."""

    def __init__(self, target: Target, requests_per_second: float, command: str) -> None:
        """Make the clients. Blocks: call it in a thread.

        Args:
            target: the region, and the credentials.
            requests_per_second: to Lambda, and as many to the tagging API.
            command: the name of the command, which AWS's logs will tell.

        Raises:
            LookError: there are no credentials for it.
        """
        self.place = target.region + (f" as {target.access.role_arn}" if target.access.role_arn else "")
        self.target = target
        self._rate_limiter = RateLimiter(requests_per_second)
        self._tagging_rate_limiter = RateLimiter(requests_per_second)
        # botocore tries again by itself: this is no operator, which has a queue for that.
        config = Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 6},
            max_pool_connections=AT_ONCE,
            user_agent_extra=f"esm-operator-{command}",
        )
        try:
            access = target.access
            make: Any = botocore_sessions.new_session(target.region, access.role_arn, access.external_id).client
            options = {"endpoint_url": access.endpoint_url or None, "config": config}
            self._lambda = make("lambda", **options)
            self._tagging = make("resourcegroupstaggingapi", **options)
            self._sts = make("sts", **options)
        except ValueError as error:
            raise LookError("endpoint", self.place, errors.InvalidEndpointError(reason=str(error))) from error
        except (ClientError, BotoCoreError) as error:
            raise LookError("credentials", self.place, error) from error

    def number(self) -> str:
        """The account's number. Blocks: call it in a thread. Raises LookError."""
        try:
            return str(self._sts.get_caller_identity()["Account"])
        except Exception as error:
            raised = errors.readable(error, "GetCallerIdentity")
            raise LookError("sts:GetCallerIdentity", self.place, raised) from None

    async def mappings(self, function: str = "", source: str = "") -> AsyncIterator[Mapping[str, Any]]:
        """All mappings but those that are being deleted.

        Args:
            function: only those of this function, version or alias; empty: of all.
            source: only those of this event source ARN; empty: of all.

        Raises:
            LookError: AWS refused, or could not be reached.
        """
        wanted: dict[str, Any] = {"MaxItems": 100}
        wanted |= {"FunctionName": function} if function else {}
        wanted |= {"EventSourceArn": source} if source else {}
        while True:
            page = await self._call(
                "lambda:ListEventSourceMappings", self._rate_limiter, self._lambda.list_event_source_mappings, wanted
            )
            for mapping in page.get("EventSourceMappings") or ():
                if mapping.get("State") != "Deleting":
                    yield mapping
            if not page.get("NextMarker"):
                return
            wanted = {**wanted, "Marker": page["NextMarker"]}

    async def mapping(self, uuid: str) -> Mapping[str, Any]:
        """One mapping, with its filters, which lists lack where a key encrypts them. Raises LookError."""
        return await self._call(
            "lambda:GetEventSourceMapping", self._rate_limiter, self._lambda.get_event_source_mapping, {"UUID": uuid}
        )

    async def tagged(self, filters: Mapping[str, str] | None = None) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
        """The UUIDs and tags of mappings, as the tagging API knows them.

        It learns of tags late, and leaves out what never had any.

        Args:
            filters: tags that they have.

        Raises:
            LookError: AWS refused, or could not be reached.
        """
        wanted: dict[str, Any] = {"ResourceTypeFilters": [_MAPPING], "ResourcesPerPage": 100}
        if filters:
            wanted["TagFilters"] = [{"Key": key, "Values": [value]} for key, value in filters.items()]
        while True:
            page = await self._call("tag:GetResources", self._tagging_rate_limiter, self._tagging.get_resources, wanted)
            for resource in page.get("ResourceTagMappingList") or ():
                tags = {tag["Key"]: tag["Value"] for tag in resource.get("Tags") or ()}
                yield str(resource["ResourceARN"]).rsplit(":", 1)[-1], tags
            if not page.get("PaginationToken"):
                return
            wanted = {**wanted, "PaginationToken": page["PaginationToken"]}

    async def tags(
        self, mappings: Iterable[Mapping[str, Any]], progress: Callable[[str], None]
    ) -> dict[str, Mapping[str, str]]:
        """The tags of mappings by UUID, a request for each; those that are gone are left out.

        Args:
            mappings: as AWS answered them.
            progress: told how far it is.

        Raises:
            LookError: AWS refused, or could not be reached.
        """
        found: dict[str, Mapping[str, str]] = {}
        wanted = list(mappings)
        looked = 0

        async def look(mapping: Mapping[str, Any]) -> None:
            nonlocal looked
            tags = await self._tags(mapping)
            looked += 1
            progress(f"{self.place}: the tags of {looked} of {len(wanted)} mappings looked at")
            if tags is not None:
                found[str(mapping["UUID"])] = tags

        for start in range(0, len(wanted), AT_ONCE):
            await asyncio.gather(*(look(mapping) for mapping in wanted[start : start + AT_ONCE]))
        return found

    async def _tags(self, mapping: Mapping[str, Any]) -> Mapping[str, str] | None:
        """The tags of a mapping, or None where it is gone. Raises LookError."""
        try:
            arn = {"Resource": mapping["EventSourceMappingArn"]}
            answer = await self._call("lambda:ListTags", self._rate_limiter, self._lambda.list_tags, arn)
        except LookError as error:
            if error.gone:
                return None
            raise
        return answer.get("Tags") or {}

    async def _call(
        self,
        action: str,
        rate_limiter: RateLimiter,
        function: Callable[..., Mapping[str, Any]],
        parameters: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        await rate_limiter.take(RequestPriority.SWEEP)
        try:
            return await asyncio.to_thread(function, **parameters)
        except Exception as error:
            raised = errors.readable(error, action.partition(":")[2])
            raise LookError(action, self.place, raised) from None
