"""The limits of answers of AWS. An endpoint of a ProviderConfig, or a proxy, could send any answer.

A page has at most 100 items. A resource in a page of the tagging API has 50 tags of 128 and 256 characters, which UTF-8
encodes with at most 4 bytes each, so 100 resources have at most 7.7 MB. The largest mapping has 20 filters of 4,096
characters (Lambda API, Pattern; the number is from AWS's CloudFormation schema) and less than 10,000 bytes in its other
members. So a page of 10 mappings has at most 3.4 MB, and a page of 100 has at most 34 MB. Few pages of 100 mappings
have more than 1 MB. Therefore the operator requests a page that is too large again with 10 mappings. All other answers
have less than 0.2 MB.

Small values take much more memory as objects than as JSON (24 bytes for each byte of ``[[],[],...]``). Therefore large
answers may have a limited number of values. A mapping has less than 300 values: 20 filters, up to 29 access
configurations, topics and brokers.
"""

import sys
from collections.abc import Mapping, Sized

from esm_operator.aws.errors import TooLargeAnswerError, TooLongListError

#: Operations that answer pages.
PAGES = frozenset({"GetResources", "ListEventSourceMappings"})
#: Bytes of a page, and of all other answers, with their heads.
MOST_OF_PAGE, MOST_OF_OTHER = 8_000_000, 1_000_000
#: Values in an answer that has more than :data:`MOST_OF_OTHER` bytes.
MOST_VALUES = 100_000
#: Items of a page, and items of a page that is requested again because it was too large.
MOST_ITEMS, FEW_ITEMS = 100, 10
#: Tags of a mapping (50 of users, and those of AWS), and characters of a tag (key and value).
MOST_TAGS, MOST_OF_TAG = 100, 128 + 256
#: Bytes of an item of a list with many pages, on average. Most mappings have less than 1,500.
BYTES_OF_ITEM = 2_000
#: Bytes of memory of the tags of a mapping, on average, while the tagging API is read. Ten tags have about 2,500.
BYTES_OF_TAGS = 5_000
#: Bytes of memory of a mapping in the inventory with its tags and those of a tag sweep, on average. Most mappings with
#: ten tags, which a tag sweep reads, take less than 5,500.
MEMORY_OF_MAPPING = 6_000
#: Bytes of memory of an entry in a dictionary of Python, at most.
_ENTRY = 104


class ListLimit:
    """Counts the items of one list, and their bytes. A list that repeats items, or has empty pages, ends too."""

    def __init__(self, most: int, remedy: str = "") -> None:
        """
        Args:
            most: the maximum number of items. A page counts as at least 10.
            remedy: a sentence for the message of the error.
        """
        self._most = most
        self._remedy = f" {remedy}" if remedy else ""
        self._items = self._bytes = 0

    def count(self, page: Sized, size: int = 0, *, bytes_of_item: int = BYTES_OF_ITEM) -> None:
        """Count a page that is not the last one, and its bytes, if they are kept. Raises TooLongListError.

        All pages together may have ``bytes_of_item`` bytes for each item of the maximum.
        """
        self._items += max(len(page), FEW_ITEMS)
        self._bytes += size
        if self._items > self._most or self._bytes > self._most * bytes_of_item:
            raise self.exceeded()

    def exceeded(self) -> TooLongListError:
        """The error."""
        return TooLongListError(most=f"{self._most:,}", remedy=self._remedy)


def memory_of_tags(tags: Mapping[str, str]) -> int:
    """The bytes of memory of the tags of a mapping, at most. A character can take 4 bytes."""
    return _ENTRY + sum(_ENTRY + sys.getsizeof(key) + sys.getsizeof(value) for key, value in tags.items())


def check_size(operation: str, received: int) -> None:
    """Check the bytes of an answer to an operation. Raises TooLargeAnswerError."""
    most = MOST_OF_PAGE if operation in PAGES else MOST_OF_OTHER
    if received > most:
        raise TooLargeAnswerError(operation=operation, most=f"{most:,} bytes")


def check_values(operation: str, body: bytes) -> None:
    """Check the number of values in an answer in JSON. Raises TooLargeAnswerError."""
    if len(body) <= MOST_OF_OTHER:
        return
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # without quotes inside of strings
    count = plain.count(b'"') // 4
    if count <= MOST_VALUES:
        outside = plain.split(b'"')[::2]
        count = sum(part.count(b",") + part.count(b"[") + part.count(b"{") for part in outside)
    if count > MOST_VALUES:
        raise TooLargeAnswerError(operation=operation, most=f"{MOST_VALUES:,} values")
