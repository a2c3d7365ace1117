"""The AWS regions that botocore knows, from the file that its endpoint rules use. No request is sent.

botocore is not imported, because commands that need no AWS start faster without it.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@cache
def known_regions() -> frozenset[str]:
    """The regions of all partitions. Pseudo-regions such as ``aws-global`` are not among them."""
    found = find_spec("botocore")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("botocore")
    file = Path(found.origin).parent / "data" / "partitions.json"
    partitions: list[Mapping[str, Any]] = json.loads(file.read_text())["partitions"]
    return frozenset(
        region for one in partitions for region in one["regions"] if re.fullmatch(one["regionRegex"], region)
    )
