"""Tags that reveal another manager of a mapping: the tool that created the mapping, and may change it again.

CloudFormation sets its tags itself. Terraform sets none, so its users tag by convention. ACK and Crossplane tag the
resources that they manage. A resource operator of this project that lost some of its owner tags is listed too.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Manager(NamedTuple):
    """A manager of a mapping."""

    name: str
    """The name; empty: no tag reveals a manager."""
    tags: Mapping[str, str]
    """The tags that reveal it."""


class _Rule(NamedTuple):
    name: str
    key: str
    """A pattern for the key of a tag."""
    value: str = ""
    """A pattern for the value; empty: any."""


_MANAGED_BY = r"(managed|created|provisioned|deployed)[-_ :/]?(by|with)|provisioner|iac|iac[-_ ]?tool"
#: The first rule that a tag matches decides. Upper and lower case are the same.
RULES = (
    _Rule("CloudFormation", r"aws:cloudformation:.*"),
    _Rule("ACK", r"services\.k8s\.aws/.*"),
    _Rule("Crossplane", r"crossplane-(kind|name|providerconfig)|crossplane\.io/.*"),
    _Rule("an esm-operator", r"esm-operator\.io/.*"),
    _Rule("Terraform", r"(.*[-_:/ ])?(terraform|opentofu|tofu)([-_:/ ].*)?"),
    _Rule("Terraform", _MANAGED_BY, r".*(terraform|opentofu|tofu).*"),
    _Rule("CloudFormation", _MANAGED_BY, r".*(cloudformation|\bcdk\b|\bsam\b).*"),
    _Rule("ACK", _MANAGED_BY, r".*\back\b.*"),
    _Rule("Crossplane", _MANAGED_BY, r".*crossplane.*"),
    _Rule("another tool", _MANAGED_BY),
)


def manager_of(tags: Mapping[str, str]) -> Manager:
    """The manager that the tags of a mapping reveal."""
    found = {key: rule.name for key, value in sorted(tags.items()) if (rule := _rule_of(key, value)) is not None}
    names = [rule.name for rule in RULES if rule.name in found.values()]
    if not names:
        return Manager("", {})
    return Manager(names[0], {key: tags[key] for key, name in found.items() if name == names[0]})


def _rule_of(key: str, value: str) -> _Rule | None:
    for rule in RULES:
        if re.fullmatch(rule.key, key, re.IGNORECASE) and re.fullmatch(rule.value or ".*", value, re.I | re.DOTALL):
            return rule
    return None
