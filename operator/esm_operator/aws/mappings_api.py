"""The requests about event source mappings of one target: what is sent to AWS, and what AWS answers.

Used by the operator, through :class:`~.client.MappingsClient`, and by the commands. Each request takes a token of the
rate limiter, and slows it down if AWS throttles.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws import errors
from esm_operator.aws.call import CallPermit
from esm_operator.aws.connection import Connection, count
from esm_operator.clock import monotonic
from esm_operator.fence import SHUT, Fence
from esm_operator.metrics import counters
from esm_operator.ratelimit.rate_limiter import RateLimiter, RequestPriority

logger = logging.getLogger(__name__)

#: How many mappings a page of ListEventSourceMappings has at most (AWS Lambda API, MaxItems).
PAGE = 100


class Precondition(Protocol):
    """What has to hold when a write is sent, which may be seconds after it was planned."""

    def check(self) -> None:
        """Call the write off by raising, if it does not hold any more."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list of mappings."""

    mappings: list[dict[str, Any]]
    next: str
    """The marker of the page behind it; empty: this is the last."""
    at: float
    """Monotonic time before it was asked for, in seconds."""


class MappingsApi:
    """Requests to one target. Each raises what boto3 raises, and NotLeadingError if it is a write that is fenced."""

    def __init__(
        self,
        connection: Connection,
        rate_limiter: RateLimiter,
        tagging_rate_limiter: RateLimiter,
        fence: Fence = SHUT,
    ) -> None:
        """
        Args:
            connection: to the target.
            rate_limiter: of requests to AWS Lambda.
            tagging_rate_limiter: of requests to the tagging API, which has a quota of its own.
            fence: of the lease, for writes. By default there are none.
        """
        self.account = connection.account
        self.rate_limiter = rate_limiter
        self._connection = connection
        self._tagging_rate_limiter = tagging_rate_limiter
        self._place = (connection.account, connection.region)
        self._permit = CallPermit(fence, rate_limiter.window)
        self._tagging_permit = CallPermit(SHUT)

    async def page(
        self,
        marker: str = "",
        function: str = "",
        source: str = "",
        priority: RequestPriority = RequestPriority.SWEEP,
    ) -> Page:
        """One page of ListEventSourceMappings: at most 100 mappings, whatever is asked for.

        Args:
            marker: where the page before it ended; empty: the first page.
            function: list those of one function only (a name or ARN, perhaps qualified); empty: all.
            source: list those of one event source ARN only; empty: all.
            priority: which requests come first.
        """
        wanted = {"Marker": marker} if marker else {}
        wanted |= {"FunctionName": function} if function else {"MaxItems": PAGE}
        wanted |= {"EventSourceArn": source} if source else {}
        at = monotonic()
        answer = await self.call("list_event_source_mappings", wanted, priority)
        return Page(answer.get("EventSourceMappings") or [], str(answer.get("NextMarker") or ""), at)

    async def get(self, uuid: str, priority: RequestPriority = RequestPriority.EDIT) -> dict[str, Any]:
        """GetEventSourceMapping. Only its answer has filters that are encrypted by a key."""
        return await self.call("get_event_source_mapping", {"UUID": uuid}, priority)

    async def list_tags(self, arn: str, priority: RequestPriority = RequestPriority.EDIT) -> dict[str, str]:
        """ListTags of one mapping."""
        answer = await self.call("list_tags", {"Resource": arn}, priority)
        return answer.get("Tags") or {}

    async def tagged(self, tags: Mapping[str, str]) -> AsyncIterator[dict[str, dict[str, str]]]:
        """The pages of the tagging API's GetResources: all tags of mappings, by UUID.

        It learns of tags late, and leaves out what never had any.

        Args:
            tags: tags that the mappings have; none: of all mappings.
        """
        wanted: dict[str, Any] = {"ResourceTypeFilters": ["lambda:event-source-mapping"], "ResourcesPerPage": 100}
        if tags:
            wanted["TagFilters"] = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        while True:
            await self._tagging_rate_limiter.take(RequestPriority.TAG_SWEEP)
            page = await self._send("get_resources", wanted, self._tagging_permit)
            yield {_uuid(one): _tags(one) for one in page.get("ResourceTagMappingList") or ()}
            if not page.get("PaginationToken"):
                return
            wanted["PaginationToken"] = page["PaginationToken"]

    async def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        priority: RequestPriority,
        precondition: Precondition | None = None,
    ) -> dict[str, Any]:
        """Send one request to AWS Lambda when it is its turn.

        Args:
            operation: boto3's name of it, such as ``create_event_source_mapping``.
            parameters: the request's.
            priority: which requests come first.
            precondition: checked when it is the request's turn.
        """
        asked = monotonic()
        await self.rate_limiter.take(priority)
        counters.granted(*self._place, priority, monotonic() - asked)
        if precondition is not None:
            precondition.check()
        sent = monotonic()
        try:
            return await self._send(operation, parameters, self._permit)
        except (ClientError, BotoCoreError) as error:
            failure = errors.understand(error)
            if failure.throttled:
                self.rate_limiter.throttled(sent, failure.retry_after)
            raise

    async def _send(self, operation: str, parameters: Mapping[str, Any], permit: CallPermit) -> dict[str, Any]:
        started, name = monotonic(), _api_name(operation)
        try:
            answer = await self._connection.call(operation, parameters, permit)
            answer.pop("ResponseMetadata", None)
            if not _is_readable(operation, answer):
                raise errors.UnreadableAnswerError(operation=name)
        except Exception as error:
            raised = errors.readable(error, name)
            if isinstance(raised, ClientError | BotoCoreError) and count(name, started, raised):
                counters.AWS_THROTTLES.labels(*self._place).inc()
            raise raised from None
        finally:
            logger.debug("AWS %s took %.0f ms", operation, 1000 * (monotonic() - started))
        count(name, started)
        return answer


#: What AWS always answers: the list that it is in, and the member; an empty name where there is no list.
_ALWAYS: Mapping[str, tuple[str, str]] = {
    "create_event_source_mapping": ("", "UUID"),
    "update_event_source_mapping": ("", "UUID"),
    "delete_event_source_mapping": ("", "UUID"),
    "get_event_source_mapping": ("", "UUID"),
    "list_event_source_mappings": ("EventSourceMappings", "UUID"),
    "get_resources": ("ResourceTagMappingList", "ResourceARN"),
}


def _is_readable(operation: str, answer: Mapping[str, Any]) -> bool:
    """Whether an answer has what AWS always answers."""
    if operation not in _ALWAYS:
        return True
    place, member = _ALWAYS[operation]
    items = answer.get(place) if place else [answer]
    return items is not None and all(item.get(member) for item in items)


def _api_name(operation: str) -> str:
    """``get_event_source_mapping`` as AWS calls it: ``GetEventSourceMapping``."""
    return operation.title().replace("_", "")


def _uuid(resource: Mapping[str, Any]) -> str:
    """The UUID of a mapping as the tagging API answers it."""
    return str(resource["ResourceARN"]).rpartition(":")[2]


def _tags(resource: Mapping[str, Any]) -> dict[str, str]:
    return {str(tag["Key"]): str(tag["Value"]) for tag in resource.get("Tags") or ()}
