"""Log lines for people or machines.

Messages never hold credentials or tag values, except the values of tags that reveal which other tool manages a mapping.

Text from outside is visible in each line and has a limited length (:func:`_make_visible`). So a text cannot change a
terminal, or pass for a line of its own. The number of lines about the resources of a namespace is limited, except at
the level ``debug``.

The ``extra`` of a record (:func:`marks`) becomes members of a JSON line, or a prefix of a text line.
"""

import logging
import sys
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from esm_operator.adapters import library_logs
from esm_operator.api import foreign_text
from esm_operator.api.resource import Resource
from esm_operator.ratelimit.log_limiter import LogLimiter

#: Characters of a line. Change logs name all changed fields, with up to 200 characters of each value.
_LONGEST = 8_192
#: Lines of a traceback: the first, and the last, which have the error.
_FIRST_LINES, _LAST_LINES = 100, 100


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
    if level != "debug":
        handler.addFilter(LogLimiter())
    handler.addFilter(library_logs.without_traces)
    handler.addFilter(_make_visible)
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


def _make_visible(record: logging.LogRecord) -> bool:
    """A filter for handlers. It limits and escapes the texts of a record, of the operator and of the libraries.

    The lines of a traceback are indented, because the message of an exception can have lines that look like others.
    """
    record.msg, record.args = foreign_text.shown(record.getMessage(), _LONGEST), None
    if record.exc_info:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
    if record.exc_text:
        lines = record.exc_text.split("\n")
        lines = [*lines[:_FIRST_LINES], *lines[_FIRST_LINES:][-_LAST_LINES:]]
        record.exc_text = "\n".join(f"  {foreign_text.shown(line)}" for line in lines)
    for name, value in vars(record).items():
        if isinstance(value, str) and name not in ("msg", "exc_text"):
            setattr(record, name, foreign_text.shown(value))
    return True


def marks(resource: Resource) -> dict[str, str]:
    """The ``extra`` of a log line about a resource."""
    return {"namespace": resource.key.namespace, "resource": resource.key.name, "uuid": resource.uuid}
