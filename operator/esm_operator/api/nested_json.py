"""JSON that is nested too deeply: the text without the deep parts.

Kubernetes stores objects with thousands of levels, and Python reads fewer. Such an object must not hide the others in a
list, so the transport to the API server reads the list without the deep parts.
"""

import re

#: The levels that are kept. Objects of honest users have fewer, and the parser has twice as many without this module.
MOST_LEVELS = 100
#: A string or a bracket. A string may lack its end, so that the search never returns to an earlier place.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[][{}]', re.DOTALL)


def without_deep_parts(text: bytes) -> bytes:
    """The text with ``null`` in place of each object and list below :data:`MOST_LEVELS`. It takes linear time."""
    kept, rest, level = bytearray(), 0, 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"[{":
            level += 1
            if level == MOST_LEVELS + 1:
                kept += text[rest : token.start()]
        elif first in b"]}":
            if level == MOST_LEVELS + 1:
                kept += b"null"
                rest = token.end()
            level -= 1
    return bytes(kept if level > MOST_LEVELS else kept + text[rest:])
