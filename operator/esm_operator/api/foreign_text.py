"""Text from outside: answers of AWS and of the API server, tags, and names that users have chosen.

Such text can have control characters that change a terminal, bidirectional characters that reorder a line, line
separators that end a comment, and any length. :func:`visible` replaces the characters, and :func:`cut` limits the
length. Both return their own results unchanged, so a text may pass several borders.

| text | function | where |
|---|---|---|
| messages: conditions, Events, log lines, terminals | both | ``status/``, ``cluster/``, ``logs.py``, ``commands/`` |
| texts of AWS in the status: reasons of states, processing results, errors of KMS | both | ``api/recorded_status.py`` |
| data: values and tags that are compared, sent to AWS or exported | none | the YAML writer and JSON escape it |

Limits are numbers of characters (Unicode code points). ``maxLength`` in a CRD counts the same (apiextensions-apiserver
validates with ``utf8.RuneCount``), and so does ``len`` of Python.
"""

from itertools import accumulate

#: A message: of a condition (the CRD accepts 32,768), or in the log.
MESSAGE = 4_096
#: A text of AWS or of the API server, in a message or in the status.
ANSWER = 2_048
#: A message of an Event (core/v1 has no limit; events.k8s.io accepts 1,024).
EVENT = 1_024
#: A value of a field, in a difference.
VALUE = 200
#: More than the length of a mark of :func:`cut`.
_MARK = 40


def visible(text: str) -> str:
    """The text with a visible escape, such as ``\\u202e``, for each character that is not printable.

    These are control and format characters, among them all that change the direction of text, separators other than
    the space, half surrogate pairs, and code points without a character (``str.isprintable``).
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def cut(text: str, most: int) -> str:
    """The text, or its beginning and the number of characters that are left out. It has at most ``most`` characters."""
    if len(text) <= most:
        return text
    return _cut_after(text, _room(most))


def shown(text: str, most: int = MESSAGE) -> str:
    """The visible text, with at most ``most`` characters.

    Only the beginning is escaped, because a text can have a million characters. The mark counts characters of the text,
    not of its escapes.
    """
    beginning = visible(text[:most])
    if len(text) <= most and len(beginning) <= most:
        return beginning
    room = _room(most)
    lengths = accumulate(len(visible(one)) for one in text[:room])
    return visible(_cut_after(text, sum(length <= room for length in lengths)))


def _room(most: int) -> int:
    """The characters of a text that is cut, without the mark."""
    return max(0, most - _MARK)


def _cut_after(text: str, kept: int) -> str:
    return f"{text[:kept]}... ({len(text) - kept:,} more characters)"
