"""Compact read-only JSON objects: the text of ten thousand objects is kept, and parsed when it is read.

As dictionaries a resource and its mapping take some 17 KB, as text 3 KB. Parsing takes microseconds, and recently read
objects stay parsed. Kept by the cache of resources and by the inventory.

The text is UTF-8, in which a character takes at most 4 bytes, as in etcd. As an escape of JSON it can take 12.

Half surrogate pairs become U+FFFD, as the API server stores them. A status that has one would always differ from the
stored one.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, TypeGuard, TypeVar, cast

from pydantic_core import from_json

#: How many objects stay parsed, and what is derived from them: more than are worked on at the same time.
AT_HAND = 512
#: Bytes from which an object is large, and how many large objects stay parsed. Tenants choose the sizes.
LARGE, LARGE_AT_HAND = 16_384, 4

Packed = TypeVar("Packed", str, bytes, "FrozenJSON")
Parsed = TypeVar("Parsed")


def at_hand(parse: Callable[[Packed], Parsed]) -> Callable[[Packed], Parsed]:
    """Decorate a pure function so that its last results stay in memory, but few of those of large arguments."""
    small, large = lru_cache(AT_HAND)(parse), lru_cache(LARGE_AT_HAND)(parse)

    @wraps(parse)
    def parse_once(packed: Packed) -> Parsed:
        size = packed.size if isinstance(packed, FrozenJSON) else len(packed)
        return large(packed) if size > LARGE else small(packed)

    return parse_once


class FrozenJSON(Mapping[str, Any]):
    """A JSON object that is read like a dictionary. Do not change what it returns.

    Args:
        document: what JSON can hold, and times, which become text (RFC 3339).
    """

    __slots__ = ("_text",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._text = _utf8(_ENCODER.encode(document))

    @property
    def size(self) -> int:
        """The bytes of the text."""
        return len(self._text)

    @property
    def unpacked(self) -> Mapping[str, Any]:
        """The whole object, for callers that read much of it."""
        return _unpack(self._text)

    def __getitem__(self, name: str) -> Any:
        return _unpack(self._text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_unpack(self._text))

    def __len__(self) -> int:
        return len(_unpack(self._text))

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, FrozenJSON) else _unpack(self._text) == other

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"FrozenJSON({_unpack(self._text)!r})"


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a part of a JSON document is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a part of a JSON document is an array."""
    return isinstance(value, list)


def parsed(text: str | bytes) -> Any:
    """What JSON holds. Raises ValueError."""
    try:
        return from_json(text)  # three times as fast as Python's own, which also accepts half a surrogate pair
    except ValueError:
        return json.loads(text)


def rfc3339(moment: datetime) -> str:
    """``2026-01-31T12:00:00Z``."""
    return moment.isoformat().replace("+00:00", "Z")


_HALF = re.compile("[\ud800-\udfff]")


@at_hand
def _unpack(text: bytes) -> dict[str, Any]:
    return parsed(text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError(f"{type(value).__name__} is nothing that JSON holds")


#: One encoder, without the check for circular references, takes two thirds of the time of ``json.dumps``.
_ENCODER = json.JSONEncoder(
    separators=(",", ":"), sort_keys=True, check_circular=False, ensure_ascii=False, default=_plain
)


def shared(texts: Mapping[str, str]) -> dict[str, str]:
    """A copy whose keys and values share memory with equal ones elsewhere."""
    return {sys.intern(whole(str(key))): sys.intern(whole(str(value))) for key, value in texts.items()}


def whole(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair."""
    return _HALF.sub("\ufffd", text)


def _utf8(text: str) -> bytes:
    """The text in UTF-8, with U+FFFD for each half of a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # two halves become one character
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
