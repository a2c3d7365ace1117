"""The label ``account`` of the metrics: an alias, or the ID of the AWS account.

Without authentication everybody in the pod's network can read the metrics. So the label is an alias, which a person who
knows the ID can compute. The alias of one ID is also that of some 60,000 others, so it does not reveal the ID.
"""

import hashlib
import re

#: Hexadecimal digits of an alias.
LENGTH = 6
_ID = re.compile(r"[0-9]{12}")
_shown = False


def show_ids() -> None:
    """Use IDs from now on, because only authenticated clients can read the metrics."""
    global _shown
    _shown = True


def alias(account: str) -> str:
    """The alias of an account: the first digits of the SHA-256 hash of its ID."""
    return hashlib.sha256(account.encode()).hexdigest()[:LENGTH]


def label(account: str) -> str:
    """The value of the label. A server that is not AWS may return any text as the ID, which then has an alias."""
    return account if _shown and _ID.fullmatch(account) else alias(account)
