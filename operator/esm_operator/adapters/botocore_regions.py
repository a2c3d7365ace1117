"""The AWS regions that botocore knows, from the file that its endpoint rules use. No request is sent."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.loaders import create_loader


@cache
def known_regions() -> frozenset[str]:
    """The regions of all partitions. Pseudo-regions such as ``aws-global`` are not among them."""
    partitions: list[Mapping[str, Any]] = create_loader().load_data("partitions")["partitions"]
    return frozenset(
        region for one in partitions for region in one["regions"] if re.fullmatch(one["regionRegex"], region)
    )
