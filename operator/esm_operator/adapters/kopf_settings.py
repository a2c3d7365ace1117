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
    """Set kopf's settings, in the start-up handler. The label selector is that of EventSourceMappings."""
    settings.persistence.finalizer = f"{FINALIZER}-unused"  # kopf removes this finalizer from all objects
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = CHUNK
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
