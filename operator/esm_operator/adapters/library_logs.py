"""What kopf, aiohttp, botocore and urllib3 log: the names of their loggers, and which of their lines are too long."""

import logging
from collections.abc import Mapping

#: The lowest level at which loggers of libraries may log.
LEVELS: Mapping[str, int] = {
    "kopf": logging.WARNING,
    "botocore": logging.WARNING,
    "botocore.credentials": logging.CRITICAL,  # with a traceback. The operator logs a sentence
    "urllib3": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
}

#: What is no failure of a request.
_BUGS = (AttributeError, AssertionError, ImportError, LookupError, NameError, RuntimeError, TypeError, ValueError)


def without_traces(record: logging.LogRecord) -> bool:
    """A filter for handlers. It removes kopf's stack trace of a failed request, whose line names request and error."""
    error = record.exc_info[1] if record.exc_info else None
    if record.name.startswith("kopf") and not isinstance(error, _BUGS):
        record.exc_info = record.exc_text = None
    return True
