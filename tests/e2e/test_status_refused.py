"""An admission policy refuses all writes to the status: one mapping is created, and the log reports the refusal."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.bed import Bed
from tests.controlplane.client import ApiError, path
from tests.e2e.manifests import queue
from tests.waiting import eventually

MESSAGE = "Statuses are frozen today."


@contextmanager
def statuses_refused(bed: Bed) -> Generator[None]:
    """A policy of the cluster refuses the status writes in the namespace of the bed."""
    rule = {
        "apiGroups": ["lambda.esm-operator.io"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["eventsourcemappings/status"],
    }
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": bed.namespace}}}
    specs = (
        {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "object.metadata.name == 'trial'", "message": MESSAGE}],
        },
        {"policyName": bed.namespace, "validationActions": ["Deny"], "matchResources": here},
    )
    group = "admissionregistration.k8s.io/v1"
    for kind, spec in zip(kinds, specs, strict=True):
        bed.client.install({"apiVersion": group, "kind": kind, "metadata": {"name": bed.namespace}, "spec": spec})
    try:
        yield
    finally:
        for kind in kinds:
            bed.client.delete(path(kind, bed.namespace))


def is_refused(bed: Bed, name: str) -> bool:
    """Whether the policy works now."""
    where = f"{path('EventSourceMapping', name, bed.namespace)}/status?dryRun=All"
    try:
        bed.client.merge(where, {"status": {"stateTransitionReason": "tried"}})
    except ApiError as error:
        return MESSAGE in error.message
    return False


@pytest.mark.long
def test_refused_statuses_are_written_when_the_policy_is_removed(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue("known", batchSize=5), queue("deleted"))
    known = bed.wait_ready("known")["status"]["uuid"]
    bed.wait_ready("deleted")
    with statuses_refused(bed):
        eventually(lambda: is_refused(bed, "known"), "the policy works")
        bed.apply(queue("made"))
        bed.patch("known", {"batchSize": 6})
        bed.control.edit_mapping(bed.mapping("deleted")["UUID"], BatchSize=9)
        bed.delete("deleted")
        eventually(lambda: "made" in bed.functions(), "the mapping is created")
        eventually(lambda: MESSAGE in operator.log.read_text(), "the refusal is logged")
        bed.wait_gone("deleted")
        refused, swept = is_refused(bed, "known"), bed.calls()["ListEventSourceMappings"]
        eventually(lambda: bed.calls()["ListEventSourceMappings"] >= swept + 20, "sweeps")
        assert refused
        lines = [line for line in operator.log.read_text().splitlines() if MESSAGE in line]
        assert len(lines) <= 10, "one line a minute for each cause"
        assert bed.calls()["CreateEventSourceMapping"] == 3
    eventually(lambda: not is_refused(bed, "known"), "the policy is gone")
    bed.wait_ready("made")
    assert bed.wait_ready("known")["status"]["uuid"] == known
    assert bed.mapping("known")["BatchSize"] == 6
    assert bed.functions() == {"known": 1, "made": 1}
    assert bed.calls()["CreateEventSourceMapping"] == 3
