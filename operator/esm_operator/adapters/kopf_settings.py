"""kopf's settings: it watches, calls handlers, and writes nothing.

kopf's state-changing handlers cost CPU and an annotation for each object at every restart. The operator has only
``on.event`` handlers, and turns off what the others would need.
"""

from typing import Any

import kopf

from esm_operator.api.resource import FINALIZER, GROUP, PLURAL

#: Objects in a chunk of a list.
CHUNK = 500


def configure(settings: kopf.OperatorSettings, *, selector: str = "") -> None:
    """Set kopf's settings. Called by the start-up handler, before kopf sends its first request.

    Args:
        settings: kopf's.
        selector: label selector of the EventSourceMappings that are listed and watched. Empty: all.
    """
    settings.persistence.finalizer = f"{FINALIZER}-unused"  # kopf removes this one from objects that carry it
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = CHUNK
    if selector:
        settings.watching.label_selectors[GROUP, PLURAL] = selector
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.005  # a worker that waits for more events of its object holds up other objects
    settings.queueing.exit_timeout = 0.5
    settings.networking.request_timeout = 30


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps kopf from copying each object to see what has changed, which no handler of ours asks for."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


class _NoProgress(kopf.ProgressStorage):
    """Keeps kopf from looking through each object for the progress of handlers that are called until they succeed."""

    def fetch(self, **_: Any) -> kopf.ProgressRecord | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""

    def purge(self, **_: Any) -> None:
        """Nothing is there."""

    def touch(self, **_: Any) -> None:
        """Nobody is to be woken."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
