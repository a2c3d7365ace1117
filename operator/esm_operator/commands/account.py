"""Reads mappings and tags of one account and region, for the commands.

The commands use the AWS client of the operator with their own rate limiter. The client repeats a request that fails for
a temporary reason, because a command has no work queue.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from itertools import count, islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from esm_operator import terminal
from esm_operator.aws import errors
from esm_operator.aws.answer_limits import ListLimit
from esm_operator.aws.connection import Connector
from esm_operator.aws.connections import Connections
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.ratelimit.waiters import RequestPriority
from esm_operator.status.rendering import answer_and_remedy

#: The most mappings in a list.
_MOST_LISTED = 1_000_000
#: The most requests in flight.
AT_ONCE = 8
#: The most attempts for a request.
_ATTEMPTS = 6
#: Seconds between two progress lines.
_PAUSE = 5.0
#: Failures to connect that occur before the request to STS.
_FAILED_BEFORE: Mapping[type[Exception], str] = {
    errors.InvalidEndpointError: "endpoint",
    NoCredentialsError: "credentials",
}


class ReadError(Exception):
    """AWS refused a request, or could not be reached. The text is a sentence that names the place and the action."""

    def __init__(self, action: str, place: str, error: Exception) -> None:
        failure = errors.understand(error)
        super().__init__(f"{place}: {action}: {answer_and_remedy(failure)}")
        self.denied = failure.reason == "AccessDenied"
        self.untaggable = failure.reason == "TagsNotSupported"
        self.gone = isinstance(error, ClientError) and errors.is_gone(error)


def connections(command: str, cluster: str = "") -> Connections:
    """The connections of a command. The command and the cluster appear in the logs of AWS."""
    made = Connector(AT_ONCE, attempts=_ATTEMPTS, user_agent=f"esm-operator-{command}", cluster=cluster)
    return Connections(made)


class Console:
    """Writes lines to standard error."""

    def __init__(self) -> None:
        self.failed = False
        self._progress = ReportFilter(_PAUSE)
        self._progress.admit("progress")  # a short command reports no progress

    def say(self, text: str) -> None:
        """Write a line."""
        terminal.say(text)

    def fail(self, text: str) -> None:
        """Write a line and record that the command has failed."""
        self.failed = True
        self.say(text)

    def report_progress(self, text: str) -> None:
        """Write a progress line, unless one was written in the last seconds."""
        if self._progress.admit("progress"):
            self.say(text)


class Account:
    """One account and region, read with the credentials of a target. All methods raise ReadError."""

    def __init__(self, target: Target, api: MappingsApi, console: Console, requests_per_second: float) -> None:
        self.target = target
        self.place = _place(target)
        self.number = api.account
        self._api = api
        self._console = console
        self._requests_per_second = requests_per_second

    @classmethod
    async def connect(
        cls, target: Target, made: Connections, requests_per_second: float, console: Console
    ) -> "Account":
        """Connect to a target. The rate is for requests to Lambda, and again for requests to the tagging API."""
        try:
            connection = await made.connect(target)
        except (ClientError, BotoCoreError) as error:
            action = _FAILED_BEFORE.get(type(error), "sts:GetCallerIdentity")
            raise ReadError(action, _place(target), error) from None
        limiter, tagging_limiter = RateLimiter(requests_per_second), RateLimiter(requests_per_second)
        return cls(target, MappingsApi(connection, limiter, tagging_limiter), console, requests_per_second)

    async def mappings(self, function: str = "", source: str = "") -> AsyncIterator[Mapping[str, Any]]:
        """All mappings that are not being deleted. If given, only those of one function or one event source ARN."""
        marker: str | None = ""
        listed, limit = 0, ListLimit(_MOST_LISTED)
        while marker is not None:
            with self._reading("lambda:ListEventSourceMappings"):
                page = await self._api.page(marker, function, source)
                limit.count(page.mappings)
            for mapping in page.mappings:
                if mapping.get("State") != "Deleting":
                    yield mapping
            listed += len(page.mappings)
            self._console.report_progress(f"{self.place}: listed {listed:,} mappings")
            marker = page.next or None

    async def mapping(self, uuid: str) -> Mapping[str, Any]:
        """One mapping with its filters. Lists leave out filters that are encrypted with a KMS key."""
        with self._reading("lambda:GetEventSourceMapping"):
            return await self._api.get(uuid, RequestPriority.SWEEP)

    async def tags_in_bulk(
        self,
        mappings: Collection[Mapping[str, Any]],
        having: Mapping[str, str],
        doubtful: Callable[[Mapping[str, str]], bool] = lambda _: False,
    ) -> dict[str, Mapping[str, str]]:
        """The tags by UUID, from the tagging API, or from :meth:`list_tags` if access to the tagging API is denied.

        Args:
            mappings: the mappings.
            having: the tagging API returns all mappings with these tags, also other mappings than these. An empty
                value stands for any value.
            doubtful: whether tags are confirmed with :meth:`list_tags`. The tagging API shows changes late, and leaves
                out mappings that had no tags when it looked.
        """
        found: dict[str, Mapping[str, str]] = {str(mapping["UUID"]): {} for mapping in mappings}
        try:
            with self._reading("tag:GetResources"):
                async for page in self._api.tagged(having, ListLimit(_MOST_LISTED)):
                    found |= page
        except ReadError as error:
            if not error.denied:
                raise
            self._console.say(f"{error} The command calls lambda:ListTags for each mapping instead.")
            return await self.list_tags(mappings)
        unsure = [mapping for mapping in mappings if doubtful(found[str(mapping["UUID"])])]
        if unsure:
            self._say_what_is_confirmed(len(unsure))
            for mapping in unsure:  # those that no longer exist are left out
                del found[str(mapping["UUID"])]
            found |= await self.list_tags(unsure)
        return found

    def _say_what_is_confirmed(self, number: int) -> None:
        minutes = number / self._requests_per_second / 60
        if minutes >= 1:
            self._console.say(
                f"{self.place}: The tagging API shows no owner for {number:,} mappings, and it shows new tags late. So "
                f"the command calls lambda:ListTags for each of them, which takes about {minutes:.0f} minutes."
            )

    async def list_tags(self, mappings: Collection[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
        """The tags of mappings by UUID, with a request for each. Mappings that no longer exist are left out."""
        found: dict[str, Mapping[str, str]] = {}
        done = count(1)

        async def read(mapping: Mapping[str, Any]) -> None:
            try:
                with self._reading("lambda:ListTags"):
                    arn = str(mapping["EventSourceMappingArn"])
                    found[str(mapping["UUID"])] = await self._api.list_tags(arn, RequestPriority.SWEEP)
            except ReadError as error:
                if not error.gone:
                    raise
            self._console.report_progress(
                f"{self.place}: read the tags of {next(done):,} of {len(mappings):,} mappings"
            )

        rest = iter(mappings)
        while batch := list(islice(rest, AT_ONCE)):
            await asyncio.gather(*map(read, batch))
        return found

    @contextmanager
    def _reading(self, action: str) -> Generator[None]:
        """Raise ReadError if a request fails."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise ReadError(action, self.place, error) from None


def _place(target: Target) -> str:
    return target.region + (f" as {target.access.role_arn}" if target.access.role_arn else "")
