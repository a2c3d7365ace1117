"""Log lines for people or machines.

Messages never hold credentials or tag values, except the values of tags that reveal which other tool manages a mapping.

The ``extra`` of a record (:func:`marks`) becomes members of a JSON line, or a prefix of a text line.
"""

import logging
import sys
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from esm_operator.adapters import library_logs
from esm_operator.api.resource import Resource


class _TextFormatter(logging.Formatter):
    """``2026-01-01T12:00:00 INFO [default/orders 1b2c...] Created the mapping``"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(about)s%(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def format(self, record: logging.LogRecord) -> str:
        name, uuid = getattr(record, "resource", ""), getattr(record, "uuid", "")
        about = f"{getattr(record, 'namespace', '')}/{name} {uuid}".rstrip()
        record.about = f"[{about}] " if name else ""
        return super().format(record)


def configure(style: Literal["text", "json"], level: str) -> None:
    """Send all log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(library_logs.without_traces)
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
    for name, least in library_logs.LEVELS.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def marks(resource: Resource) -> dict[str, str]:
    """The ``extra`` of a log line about a resource."""
    return {"namespace": resource.key.namespace, "resource": resource.key.name, "uuid": resource.uuid}
