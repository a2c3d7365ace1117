"""The action that AWS denied and the kind of policy that denied it, parsed from the sentence of the error.

The action is often not the operation that was called: Create with tags also needs lambda:TagResource, and a KMS key
needs actions such as kms:Decrypt. The forms are those of the IAM User Guide ("Troubleshoot access denied error
messages"). Some services leave out the policy, or the colon before the action (reported).
"""

import re
from dataclasses import dataclass

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
    "VPC endpoint policy": "the policy of the VPC endpoint that the operator connects through",
}
_POLICY = re.compile(rf"(explicit deny in|because no) (?:an? |the )?({'|'.join(_KINDS)})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denial:
    """A denied request. Parts that AWS leaves out are empty."""

    action: str
    """The IAM action, such as ``lambda:TagResource``."""
    policy: str
    """The kind of policy, a key of :data:`_KINDS`."""
    explicit: bool
    """Whether a Deny statement of that policy denied it, which no Allow statement overrides."""

    @property
    def remedy(self) -> str:
        """What to change, as sentences; empty: it suffices to allow the action to the identity."""
        place = _KINDS.get(self.policy, "")
        if self.action and self.explicit:
            return (
                f"Remove or narrow the Deny statement for {self.action} in {place}. An Allow statement does not "
                "override it."
            )
        if self.action and place and self.policy != "identity-based policy":
            return f"Allow {self.action} in {place}."
        if self.action.lower().startswith("kms:"):
            return f"Allow {self.action} to the identity that AWS names, in the key policy and in its IAM policies."
        return ""


def denial_of(text: str) -> Denial:
    """Parse a sentence of AWS."""
    action, named = _ACTION.search(text), _POLICY.search(text)
    kinds = {kind.lower(): kind for kind in _KINDS}
    return Denial(
        action=action[1] if action else "",
        policy=kinds[named[2].lower()] if named else "",
        explicit=named is not None and "deny" in named[1].lower(),
    )
