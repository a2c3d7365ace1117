"""kopf's settings: it watches, calls handlers, and writes nothing.

kopf's state-changing handlers cost CPU and an annotation for each object at every restart. The operator has only
``on.event`` handlers, and turns off what the others would need.
"""

import logging
from typing import Any

import kopf

from esm_operator.api.resource import FINALIZER, GROUP, PLURAL
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: Objects in a chunk of a list.
CHUNK = 500
#: Seconds between two log lines about answers that are too large.
_QUIET = 60.0


class ChunkSize:
    """The number of objects in a chunk of kopf's lists. A chunk that is too large halves it for the next list."""

    def __init__(self) -> None:
        self._settings: kopf.OperatorSettings | None = None
        self._reports = ReportFilter(_QUIET)

    def apply_to(self, settings: kopf.OperatorSettings) -> None:
        """Set the number, and change these settings later."""
        settings.watching.chunk_size = CHUNK
        self._settings = settings

    def halve(self, reason: str) -> None:
        """Halve the number, and log why."""
        if self._settings is not None:
            self._settings.watching.chunk_size = max(1, (self._settings.watching.chunk_size or CHUNK) // 2)
        if self._reports.admit("chunk", reason):
            logger.error(
                "The operator did not read an answer of the API server to a list or a watch, because %s. It retries "
                "with fewer objects in an answer. Look for unusually large EventSourceMappings.",
                reason,
            )


def configure(settings: kopf.OperatorSettings, *, selector: str = "", chunk_size: ChunkSize | None = None) -> None:
    """Set kopf's settings, in the start-up handler. The label selector is that of EventSourceMappings."""
    settings.persistence.finalizer = f"{FINALIZER}-unused"  # kopf removes this finalizer from all objects
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    (chunk_size or ChunkSize()).apply_to(settings)
    if selector:
        settings.watching.label_selectors[GROUP, PLURAL] = selector
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.005  # a worker that waits for more events of its object delays other objects
    settings.queueing.exit_timeout = 0.5
    settings.networking.request_timeout = 30


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps kopf from copying each object to find its changes, which no handler needs."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None: ...

    def store(self, **_: Any) -> None: ...


class _NoProgress(kopf.ProgressStorage):
    """Keeps kopf from searching each object for the progress of handlers that are called until they succeed."""

    def fetch(self, **_: Any) -> kopf.ProgressRecord | None: ...

    def store(self, **_: Any) -> None: ...

    def purge(self, **_: Any) -> None: ...

    def touch(self, **_: Any) -> None: ...

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
