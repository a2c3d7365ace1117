"""The action that AWS denied and the kind of policy that denied it, parsed from the sentence of the error.

The action is often not the operation that was called: Create with tags also needs lambda:TagResource, and a KMS key
needs actions such as kms:Decrypt. The forms are those of the IAM User Guide ("Troubleshoot access denied error
messages"). Some services leave out the policy, or the colon before the action (reported).
"""

import re
from typing import NamedTuple

_ACTION = re.compile(r"not authorized to perform:?\s+([A-Za-z0-9-]+:[A-Za-z0-9]+)", re.IGNORECASE)
_KINDS = {
    "identity-based policy": "the IAM policies of the identity that AWS names",
    "resource-based policy": (
        "the policy of the resource that AWS names (for a KMS key: the key policy; for a role: its trust policy)"
    ),
    "role trust policy": "the trust policy of the role",
    "service control policy": "the service control policies of the account (AWS Organizations)",
    "resource control policy": "the resource control policies of the account (AWS Organizations)",
    "permissions boundary": "the permissions boundary of the identity that AWS names",
    "session policy": "the session policy of the identity that AWS names",
    "vpc endpoint policy": "the policy of the VPC endpoint that the operator connects through",
}
_POLICY = re.compile(rf"(explicit deny in|because no) (?:an? |the )?({'|'.join(_KINDS)})", re.IGNORECASE)


class Denial(NamedTuple):
    """A denied request."""

    action: str
    """The IAM action, such as ``lambda:TagResource``; empty: AWS does not name it."""
    remedy: str
    """What to change; empty: it suffices to allow the action to the identity."""


def denial_of(text: str) -> Denial:
    """Parse a sentence of AWS."""
    found, named = _ACTION.search(text), _POLICY.search(text)
    if found is None:
        return Denial("", "")
    action, kind = found[1], named[2].lower() if named else ""
    place = _KINDS.get(kind, "")
    if named and "deny" in named[1].lower():
        remedy = (
            f"Remove or narrow the Deny statement for {action} in {place}. An Allow statement does not override it."
        )
    elif place and kind != "identity-based policy":
        remedy = f"Allow {action} in {place}."
    elif action.lower().startswith("kms:"):
        remedy = f"Allow {action} to the identity that AWS names, in the key policy and in its IAM policies."
    else:
        remedy = ""
    return Denial(action, remedy)
