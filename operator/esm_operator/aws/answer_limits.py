"""The limits of answers of AWS. An endpoint of a ProviderConfig, or a proxy, could send any answer.

A page has at most 100 items. The largest mapping has 10 filters of 4,096 characters (Lambda API, Pattern; AWS raises
the number of filters from 5 to 10 on request), which UTF-8 encodes with at most 4 bytes each, and less than 10,000
bytes in its other members. So 100 mappings have at most 17.4 MB. A resource in a page of the tagging API has 50 tags of
128 and 256 characters, so 100 resources have at most 7.7 MB, and all other answers have less than 0.2 MB.

Small values take much more memory as objects than as JSON (24 bytes for each byte of ``[[],[],...]``). Therefore large
answers may have a limited number of values. A mapping has less than 300 values: 10 filters, up to 22 access
configurations, topics and brokers.
"""

from esm_operator.aws.errors import TooLargeAnswerError

#: Operations that answer pages.
PAGES = frozenset({"GetResources", "ListEventSourceMappings"})
#: Bytes of a page, and of all other answers, with their heads.
MOST_OF_PAGE, MOST_OF_OTHER = 20_000_000, 1_000_000
#: Values in an answer that has more than :data:`MOST_OF_OTHER` bytes.
MOST_VALUES = 100_000
#: Items of a page.
MOST_ITEMS = 100
#: Tags of a mapping: 50 of users, and those of AWS.
MOST_TAGS = 100


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
