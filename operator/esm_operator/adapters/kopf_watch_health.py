"""Whether the API server answers the lists and watches of kopf.

kopf retries a list or a watch without a report, for a minute, for ever, or until it ends the process. Meanwhile the
probe reports it. The traces of the session that the operator makes for kopf show which requests have no answer.
"""

from collections.abc import Collection

import aiohttp

from esm_operator.clock import monotonic


class WatchHealth:
    """The watches without an answer. For one event loop."""

    def __init__(self, paths: Collection[str]) -> None:
        """``paths`` are those of the watched kinds. A request may have the path of the API server's URL before them."""
        self._paths = tuple(paths)
        self._since: dict[str, float] = {}
        """By path: when an unanswered request was first made."""
        self._why: dict[str, str] = {}

    def trace(self) -> aiohttp.TraceConfig:
        """A trace for the session that kopf uses."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._started)
        trace.on_request_end.append(self._answered)
        trace.on_request_exception.append(self._failed)
        return trace

    def describe_unanswered(self, patience: float) -> str:
        """A sentence about the watch that has had no answer for longer than so many seconds. Empty: there is none."""
        if not self._since:
            return ""
        since, path = min((since, path) for path, since in self._since.items())
        unanswered = monotonic() - since
        if unanswered < patience:
            return ""
        why = self._why.get(path, "no answer")
        return (
            f"The API server has not answered the watch of {path} for {unanswered:.0f} s ({why}). The operator "
            "retries. Check the network to the API server, and the operator's roles."
        )

    async def _started(self, _: object, __: object, request: aiohttp.TraceRequestStartParams) -> None:
        if request.url.path.endswith(self._paths):
            self._since.setdefault(request.url.path, monotonic())

    async def _answered(self, _: object, __: object, request: aiohttp.TraceRequestEndParams) -> None:
        path, answer = request.url.path, request.response
        if answer.status < 400:
            self._since.pop(path, None)
            self._why.pop(path, None)
        elif path in self._since:
            self._why[path] = f"{answer.status} {answer.reason}"

    async def _failed(self, _: object, __: object, request: aiohttp.TraceRequestExceptionParams) -> None:
        if request.url.path in self._since:
            self._why[request.url.path] = str(request.exception) or type(request.exception).__name__
