"""Parses ARNs, function names and regions.

A function name has seven spellings. All code of the server parses names here, so that it compares values instead of
different spellings of the same name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

import botocore.session
from botocore.exceptions import UnknownRegionError

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
LATEST = "$LATEST"

_FUNCTION_NAME = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_.]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_SESSION = botocore.session.get_session()


@cache
def partition_of(region: str) -> str:
    """The partition of a region. botocore has all partitions, with patterns for future regions."""
    try:
        return _SESSION.get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function as one request names it."""

    partition: str
    region: str
    account: str
    name: str
    qualifier: str | None

    @property
    def unqualified_arn(self) -> str:
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def arn(self) -> str:
        """The ARN as AWS returns it: with the qualifier of the request, also `$LATEST` (recorded)."""
        return f"{self.unqualified_arn}:{self.qualifier}" if self.qualifier else self.unqualified_arn

    @property
    def identity(self) -> str:
        """Name and qualifier for comparisons. No qualifier means `$LATEST`."""
        return f"{self.unqualified_arn}:{self.qualifier or LATEST}"


@lru_cache(maxsize=65536)
def parse_function(text: str, account: str, region: str) -> Function:
    """Parse any spelling of a function name. The account and region of the request are the defaults."""
    match = _FUNCTION_NAME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a function name: {text}")
    region = match["region"] or region
    return Function(
        partition=match["partition"] or partition_of(region),
        region=region,
        account=match["account"] or account,
        name=match["name"],
        qualifier=match["qualifier"],
    )


@dataclass(frozen=True, slots=True)
class Arn:
    """The six parts of an ARN."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn:
    _, partition, service, region, account, resource = text.split(":", 5)
    return Arn(partition, service, region, account, resource)


def mapping_arn(account: str, region: str, uuid: str) -> str:
    return f"arn:{partition_of(region)}:lambda:{region}:{account}:event-source-mapping:{uuid}"
