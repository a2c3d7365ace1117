"""Whether the API server answers the lists and watches of kopf.

kopf retries without reporting it, for a minute, for ever, or until it ends the process. The probe reports it meanwhile.
kopf sends its requests with a session that the operator makes, and the session's traces show which are not answered.
Asked by the operator, for the probe.
"""

from collections.abc import Callable, Collection
from types import SimpleNamespace

import aiohttp

from esm_operator.clock import monotonic


class WatchHealth:
    """What is not answered. For one event loop."""

    def __init__(self, paths: Collection[str], clock: Callable[[], float] = monotonic) -> None:
        """
        Args:
            paths: of the kinds that are watched; the API server's URL may have one before them.
            clock: seconds.
        """
        self._paths = tuple(paths)
        self._clock = clock
        self._since: dict[str, float] = {}
        """When those that are not answered were first asked for."""
        self._why: dict[str, str] = {}

    def trace(self) -> aiohttp.TraceConfig:
        """For the session whose requests count."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._asked)
        trace.on_request_end.append(self._answered)
        trace.on_request_exception.append(self._failed)
        return trace

    def lacking(self, patience: float) -> str:
        """What is not answered, as a sentence; empty: nothing.

        Args:
            patience: seconds after which it counts.
        """
        if not self._since:
            return ""
        path = min(self._since, key=lambda path: self._since[path])
        unanswered = self._clock() - self._since[path]
        if unanswered < patience:
            return ""
        return (
            f"The API server has not answered the watch of {path} for {unanswered:.0f} s "
            f"({self._why.get(path, 'no answer')}). It is tried again; check the network to "
            "it, and the operator's roles."
        )

    async def _asked(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        if request.url.path.endswith(self._paths):
            self._since.setdefault(request.url.path, self._clock())

    async def _answered(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams
    ) -> None:
        path, answer = request.url.path, request.response
        if answer.status < 400:
            self._since.pop(path, None)
            self._why.pop(path, None)
        elif path in self._since:
            self._why[path] = f"{answer.status} {answer.reason}"

    async def _failed(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if request.url.path in self._since:
            self._why[request.url.path] = str(request.exception) or type(request.exception).__name__
