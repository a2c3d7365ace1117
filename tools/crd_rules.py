"""Puts the rules into the schema of a spec, so that they cost the API server little.

The API server evaluates every rule at every write of an object, also of its status. An access to a field of the spec
costs it about a hundred times as much as the rest of a rule, because it copies the schemas of all fields of the spec
(``Properties`` in ``pkg/apiserver/schema/cel/model/adaptor.go`` of k8s.io/apiextensions-apiserver). So:

- A rule that needs only the value of its field, or of the structure around it, is in the schema of that part. It is not
  evaluated if the part is absent, and it accesses no field of the spec.
- The other rules about the value of a field are one rule. It ends early if the field is absent. Its message is that of
  the first broken rule, and its reason is theirs, or FieldValueInvalid if they differ.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from esm_operator.api import rules
from esm_operator.api.expressions import quoted, when
from esm_operator.api.reference_kinds import VALUE_PATHS
from esm_operator.api.rule import Reason, Rule, groups

Schema = dict[str, Any]


def attach(spec: Schema, table: Iterable[Rule]) -> None:
    """Add rules to the schema of a spec. Those that the schema has as ``enum`` are left out."""
    for group in groups(rule for rule in table if rule not in rules.ENUM_RULES):
        node = group[0].node
        _schema_of(spec, node).setdefault("x-kubernetes-validations", []).append(_validation(group, node))


def _validation(group: Sequence[Rule], node: str) -> Schema:
    first, *others = group
    tests = " && ".join(f"({rule.test})" for rule in group) if others else first.test
    rule = first.within(node) if node else when(first.given, _read_once(first.given, tests)) if first.given else tests
    text = {"message": first.message} if first.message and not others else {"messageExpression": _first_broken(group)}
    path = first.field.removeprefix(node).removeprefix(".")
    place = {"fieldPath": f".{path}"} if path else {}
    reasons = {rule.reason for rule in group}
    return {"rule": rule, **text, **place, "reason": (first.reason if len(reasons) == 1 else Reason.INVALID).value}


def _read_once(path: str, tests: str) -> str:
    """Tests that read a field once, as the only item of a list. CEL in a CRD has no other local variables.

    A reference is read several times. The API server does not know the lengths of texts in an object that is the item
    of a list, and would refuse the rule.
    """
    reads = rf"\bself\.{re.escape(path)}(?!\w)"
    if len(re.findall(reads, tests)) < 2 or path in VALUE_PATHS:
        return tests
    return f"[self.{path}].all(value, {re.sub(reads, 'value', tests)})"


def _first_broken(group: Sequence[Rule]) -> str:
    """The CEL expression of the message of the first broken rule."""
    first, *others = group
    message = first.message_expression or quoted(first.message)
    return f"!({first.test}) ? ({message}) : ({_first_broken(others)})" if others else message


def _schema_of(spec: Schema, path: str) -> Schema:
    for name in filter(None, path.split(".")):
        spec = spec["properties"][name]
    return spec
