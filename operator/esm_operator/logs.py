"""Log lines for people or machines, with the resource that they are about.

Code logs with ``extra={"namespace": ..., "resource": ..., "uuid": ...}``; here these become members of a
JSON line, or a prefix of a text line. Messages never hold credentials or tag values.
"""

import logging
import sys
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from esm_operator.api.resource import Resource

#: Loggers of libraries that are too talkative below the level named.
_QUIET = {
    "kopf": logging.WARNING,
    "botocore": logging.WARNING,
    "botocore.credentials": logging.CRITICAL,  # with a traceback; the operator says it in a sentence
    "urllib3": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
}


#: What is no failure of a request.
_BUGS = (AttributeError, AssertionError, ImportError, LookupError, NameError, RuntimeError, TypeError, ValueError)


class _TextFormatter(logging.Formatter):
    """``2026-01-01T12:00:00 INFO [default/orders 1b2c...] Created the mapping``"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(about)s%(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def format(self, record: logging.LogRecord) -> str:
        name = getattr(record, "resource", "")
        about = f"{getattr(record, 'namespace', '')}/{name}" if name else ""
        uuid = getattr(record, "uuid", "")
        record.about = f"[{' '.join(part for part in (about, uuid) if part)}] " if about else ""
        return super().format(record)


def _without_traces(record: logging.LogRecord) -> bool:
    """Take kopf's stack traces away where a request to the API server failed: its line says which, and why."""
    error = record.exc_info[1] if record.exc_info else None
    if record.name.startswith("kopf") and not isinstance(error, _BUGS):
        record.exc_info = record.exc_text = None
    return True


def configure(style: Literal["text", "json"], level: str) -> None:
    """Send all log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_traces)
    if style == "json":
        handler.setFormatter(
            JsonFormatter(
                "{asctime}{levelname}{name}{message}",
                style="{",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "resource": "name"},
                datefmt="%Y-%m-%dT%H:%M:%S%z",
            )
        )
    else:
        handler.setFormatter(_TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def marks(resource: Resource) -> dict[str, str]:
    """What a log line about a resource carries, as its ``extra``."""
    return {"namespace": resource.key.namespace, "resource": resource.key.name, "uuid": resource.uuid}
