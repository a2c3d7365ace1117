"""The operator needs each verb of the role in the chart, and logs a missing verb.

All other end-to-end tests run the operator with exactly this role, so the role is also sufficient.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests import role
from tests.bed import Bed
from tests.controlplane.client import path
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

NAMESPACE = role.NAME
SHIPPED = role.shipped()
#: A log line of level WARNING or higher, and not a line of a stack trace.
LINE = re.compile(r"^\S+ (WARNING|ERROR|CRITICAL) +(?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Grant:
    """One verb on one resource, from the roles of the chart."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    @property
    def account(self) -> str:
        """The name of the ServiceAccount, and of its roles, that lacks only this verb."""
        return f"without-{self.verb}-{self.resource.replace('/', '-')}"

    @property
    def refusal(self) -> str:
        """The message of the API server with status 403."""
        return f'cannot {self.verb} resource "{self.resource}"'


def _grants() -> list[Grant]:
    return [
        Grant(group, resource, verb)
        for shipped in SHIPPED
        for rule in shipped.rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


GRANTS = _grants()


def _without(grant: Grant) -> list[dict[str, Any]]:
    """A ServiceAccount with the roles of the chart, except for one verb."""
    name = grant.account
    objects = [role.account(name, NAMESPACE)]
    for number, shipped in enumerate(SHIPPED):
        left = replace(shipped, rules=list(_rules(shipped, grant)))
        objects += role.granted(left, f"{name}-{number}", name, NAMESPACE)
    return objects


def _rules(shipped: role.Role, grant: Grant) -> Generator[role.Rule]:
    for rule in shipped.rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                taken = grant.verb if (group, resource) == (grant.group, grant.resource) else ""
                verbs = [verb for verb in rule["verbs"] if verb != taken]
                if verbs:
                    yield {**rule, "apiGroups": [group], "resources": [resource], "verbs": verbs}


@pytest.mark.parametrize("grant", GRANTS, ids=str)
def test_each_verb_is_needed_and_a_missing_verb_is_logged(bed: Bed, grant: Grant) -> None:
    for one in _without(grant):
        bed.client.install(one)
        where = path(one["kind"], one["metadata"]["name"], one["metadata"].get("namespace", ""))
        bed.exits.callback(bed.client.delete, where)
    operator = bed.operator(
        "--sweep-interval=1", start=False, kubeconfig=bed.plane.kubeconfig_for(NAMESPACE, grant.account)
    )
    operator.launch()
    bed.apply(provider_config(bed.namespace), queue(providerConfigRef={"name": bed.namespace}))
    _tell_story_until(bed, lambda: grant.refusal in _read(operator.log), str(grant), operator.log)
    eventually(
        lambda: any(grant.refusal in line["text"] for line in LINE.finditer(_read(operator.log))),
        lambda: f"a line of the log with '{grant.refusal}':\n{_read(operator.log)[-5000:]}",
    )


def _read(log: Path) -> str:
    return log.read_text(errors="replace")


def _tell_story_until(bed: Bed, refused: Callable[[], bool], what: str, log: Path) -> None:
    """A scenario in which the operator uses all of its role."""
    parts = iter(_parts(bed))
    began = next(parts)

    def told() -> bool:
        nonlocal began
        while not refused() and began():
            began = next(parts, None) or (lambda: False)
        return refused() or (bed.get("orders") is None and bed.config(bed.namespace) is None)

    eventually(told, f"'{what}' is neither missed nor does the story reach its end")
    assert refused(), f"Nothing needs '{what}':\n{_read(log)[-5000:]}"


def _parts(bed: Bed) -> Generator[Callable[[], bool]]:
    """Run the scenario. Each part waits for its condition."""
    yield lambda: bed.condition("orders", "Ready").get("status") == "True" and bool(bed.mappings())
    uuid = bed.mappings()[0]["UUID"]
    for result, reason in (("PROBLEM: No", "ProcessingProblem"), ("OK", "ProcessingRecovered"), ("PROBLEM: No", "")):
        bed.control.edit_mapping(
            uuid, LastProcessingResult=result
        )  # the same Event twice increases the count of the existing one
        yield lambda reason=reason: not reason or reason in bed.events("orders")
    yield lambda: bed.condition("orders", "Processing").get("status") == "False"
    bed.control.delete_mapping(uuid)  # deleted by hand, so that the operator creates it again
    yield lambda: "CreatedAgain" in bed.events("orders")
    bed.delete_config(bed.namespace)
    yield lambda: _is_held(bed)
    bed.delete("orders")


def _is_held(bed: Bed) -> bool:
    """Whether the ProviderConfig is deleted, or reports that it is in use."""
    config = bed.config(bed.namespace)
    return config is None or "InUse" in str(config)
