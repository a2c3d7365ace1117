"""The requests to AWS about event source mappings of one target.

Used by the operator, through :class:`~.client.MappingsClient`, and by the commands. Each request takes a token of the
rate limiter, and slows it down if AWS throttles.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.frozen_json import is_object
from esm_operator.aws import answer_limits, errors
from esm_operator.aws.answer_limits import ListLimit
from esm_operator.aws.call import CallPermit
from esm_operator.aws.connection import Connection, counted
from esm_operator.clock import monotonic
from esm_operator.fence import SHUT, Fence
from esm_operator.metrics import counters
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.waiters import RequestPriority
from esm_operator.status.failure import Failure

logger = logging.getLogger(__name__)

#: The most mappings on a page of ListEventSourceMappings (AWS Lambda API, MaxItems).
PAGE = 100


class Write(Protocol):
    """The reason of a write, which may be sent seconds after it was planned."""

    def check(self) -> None:
        """Raise if the write must not be sent any more."""
        ...

    def log(self, operation: str, uuid: str, *, answered: bool) -> None:
        """Log that AWS has carried out an operation on a mapping, or did not answer and may have carried it out."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    mappings: list[dict[str, Any]]
    next: str
    """The marker of the next page. Empty: this is the last page."""
    at: float
    """Monotonic time immediately before the request, in seconds."""


class MappingsApi:
    """Requests to one target. Each raises what boto3 raises, and NotLeadingError if it is a write that is fenced.

    Requests to AWS Lambda and to the tagging API have a rate limiter each, because AWS gives each a quota.
    """

    def __init__(
        self, connection: Connection, rate_limiter: RateLimiter, tagging_rate_limiter: RateLimiter, fence: Fence = SHUT
    ) -> None:
        self.account = connection.account
        self.rate_limiter = rate_limiter
        self._connection = connection
        self._tagging_rate_limiter = tagging_rate_limiter
        self._place = (connection.account, connection.region)
        self._where = f"{connection.region} (account {connection.account})"
        self._permit = CallPermit(fence, rate_limiter.window)
        self._tagging_permit = CallPermit(SHUT)

    async def page(
        self, marker: str = "", function: str = "", source: str = "", priority: RequestPriority = RequestPriority.SWEEP
    ) -> Page:
        """One page of ListEventSourceMappings: at most 100 mappings, after a marker.

        List only mappings of a function (name or ARN, perhaps qualified) and of an event source ARN, if they are given.
        """
        wanted = {"Marker": marker} if marker else {}
        wanted |= {"FunctionName": function} if function else {"MaxItems": PAGE}
        wanted |= {"EventSourceArn": source} if source else {}
        at = monotonic()
        try:
            answer = await self.call("list_event_source_mappings", wanted, priority)
        except errors.TooLargeAnswerError:
            few = wanted | {"MaxItems": answer_limits.FEW_ITEMS}
            answer = await self.call("list_event_source_mappings", few, priority)
        return Page(answer.get("EventSourceMappings") or [], str(answer.get("NextMarker") or ""), at)

    async def get(self, uuid: str, priority: RequestPriority = RequestPriority.EDIT) -> dict[str, Any]:
        """GetEventSourceMapping. Only this answer has filters that are encrypted with a key."""
        return await self.call("get_event_source_mapping", {"UUID": uuid}, priority)

    async def list_tags(self, arn: str, priority: RequestPriority = RequestPriority.EDIT) -> dict[str, str]:
        """ListTags of one mapping."""
        answer = await self.call("list_tags", {"Resource": arn}, priority)
        return answer.get("Tags") or {}

    async def tagged(self, tags: Mapping[str, str], limit: ListLimit) -> AsyncIterator[dict[str, dict[str, str]]]:
        """The pages of the tagging API's GetResources: all tags of mappings that have ``tags``, by UUID.

        An empty value stands for any value of the tag. The tagging API shows tags late, and leaves out mappings that
        never had tags.
        """
        wanted: dict[str, Any] = {"ResourceTypeFilters": ["lambda:event-source-mapping"], "ResourcesPerPage": 100}
        if tags:
            wanted["TagFilters"] = [
                {"Key": key, "Values": [value]} if value else {"Key": key} for key, value in tags.items()
            ]
        while True:
            await self._tagging_rate_limiter.take(RequestPriority.TAG_SWEEP)
            page = await self._send("get_resources", wanted, self._tagging_permit)
            found: dict[str, dict[str, str]] = {}
            for one in page.get("ResourceTagMappingList") or ():
                uuid = str(one["ResourceARN"]).rpartition(":")[2]
                found[uuid] = {str(tag["Key"]): str(tag["Value"]) for tag in one.get("Tags") or ()}
            yield found
            if not page.get("PaginationToken"):
                return
            memory = sum(map(answer_limits.memory_of_tags, found.values()))
            limit.count(found, memory, bytes_of_item=answer_limits.BYTES_OF_TAGS)
            wanted["PaginationToken"] = page["PaginationToken"]

    async def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        priority: RequestPriority,
        write: Write | None = None,
    ) -> dict[str, Any]:
        """Send one request to AWS Lambda, by boto3's name of the operation, when the rate limiter grants it.

        A write is checked then, and its outcome is logged.
        """
        asked = monotonic()
        await self.rate_limiter.take(priority)
        counters.granted(*self._place, priority, monotonic() - asked)
        if write is not None:
            write.check()
        sent, uuid = monotonic(), _uuid(parameters)
        try:
            answer = await self._send(operation, parameters, self._permit)
        except (ClientError, BotoCoreError) as error:
            failure = errors.understand(error)
            if failure.throttled:
                self._slow_down(operation, sent, failure)
            if write is not None and errors.is_doubtful(error):
                write.log(_name(operation), uuid, answered=False)
            raise
        except asyncio.CancelledError:
            if write is not None:
                write.log(_name(operation), uuid, answered=False)
            raise
        if write is not None:
            write.log(_name(operation), uuid or str(answer["UUID"]), answered=True)
        if self.rate_limiter.has_recovered():
            text = "AWS throttles no requests in %s any more. The request rate is %g a second again."
            logger.info(text, self._where, self.rate_limiter.full_rate)
        return answer

    def _slow_down(self, operation: str, sent: float, failure: Failure) -> None:
        if self.rate_limiter.throttled(sent, failure.retry_after):
            text = "AWS throttles requests in %s. %s The request rate falls to %g a second, and grows again later."
            logger.warning(text, self._where, failure.answer, self.rate_limiter.rate)

    async def _send(self, operation: str, parameters: Mapping[str, Any], permit: CallPermit) -> dict[str, Any]:
        started, name = monotonic(), _name(operation)
        try:
            with counted(name):
                answer = await self._connection.call(operation, parameters, permit)
                answer.pop("ResponseMetadata", None)
                if not _is_readable(operation, answer, parameters.get("UUID")):
                    raise errors.UnreadableAnswerError(operation=name)
                _check_items(name, answer)
                return answer
        except ClientError as error:
            if errors.understand(error).throttled:
                counters.throttled(*self._place)
            raise
        finally:
            logger.debug("AWS %s took %.0f ms", operation, 1000 * (monotonic() - started))


def _name(operation: str) -> str:
    """AWS's name of an operation, from boto3's."""
    return operation.title().replace("_", "")


def _uuid(parameters: Mapping[str, Any]) -> str:
    """The UUID of the mapping that a request is about; empty: there is none yet."""
    return str(parameters.get("UUID") or str(parameters.get("Resource") or "").rpartition(":")[2])


def _check_items(name: str, answer: Mapping[str, Any]) -> None:
    """Check the numbers of items and tags in an answer. Raises TooLargeAnswerError."""
    items = [*(answer.get("EventSourceMappings") or ()), *(answer.get("ResourceTagMappingList") or ())]
    if len(items) > answer_limits.MOST_ITEMS:
        raise errors.TooLargeAnswerError(operation=name, most=f"{answer_limits.MOST_ITEMS} items")
    for tags in [one.get("Tags") or () for one in (answer, *items)]:
        if len(tags) > answer_limits.MOST_TAGS:
            raise errors.TooLargeAnswerError(operation=name, most=f"{answer_limits.MOST_TAGS} tags of a mapping")
        pairs = tags.items() if is_object(tags) else [(tag.get("Key"), tag.get("Value")) for tag in tags]
        if any(len(str(key)) + len(str(value)) > answer_limits.MOST_OF_TAG for key, value in pairs):
            raise errors.TooLargeAnswerError(operation=name, most=f"{answer_limits.MOST_OF_TAG} characters in a tag")


def _is_readable(operation: str, answer: Mapping[str, Any], uuid: str | None) -> bool:
    """Whether an answer has the members that AWS always sends, and is about the mapping that the request names, if any.

    Operations on tags have no such members.
    ``aws/answer_shapes.py`` checks the types.
    """
    if operation == "get_resources":
        items, member = answer.get("ResourceTagMappingList"), "ResourceARN"
    elif operation == "list_event_source_mappings":
        items, member = answer.get("EventSourceMappings"), "UUID"
    else:
        items, member = [answer] if operation.endswith("event_source_mapping") else [], "UUID"
    asked = uuid.lower() if uuid is not None else None
    return items is not None and all(item.get(member) and asked in (None, item[member].lower()) for item in items)
