"""The policies that `esm-operator iam-policy` prints are sufficient, and the operator needs each of their actions."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.aws import FaultKind
from tests.bed import SWEEPS, WRITES, Bed
from tests.e2e.manifests import QUEUE, provider_config, queue
from tests.operator_process import ROOT
from tests.waiting import COMMAND_LIMIT, eventually

ROLE = "arn:aws:iam::222222222222:role/esm-operator"
#: All operations that an operator calls.
OPERATIONS = WRITES | SWEEPS | {"GetEventSourceMapping", "ListTags", "AssumeRole"}
#: This operation needs no permission (AWS STS API Reference).
FREE = {"GetCallerIdentity"}


def allowed(*arguments: str) -> set[str]:
    """The operations that a policy allows, without their services."""
    ended = subprocess.run(
        [sys.executable, "-m", "esm_operator", "iam-policy", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT,
        check=True,
    )
    statements: Sequence[dict[str, Any]] = json.loads(ended.stdout)["Statement"]
    actions = [one["Action"] for one in statements]
    return {one.partition(":")[2] for some in actions for one in ([some] if isinstance(some, str) else some)}


def deny_all_but(bed: Bed, operations: set[str]) -> None:
    """Let AWS refuse all operations that a policy does not allow."""
    for operation in OPERATIONS - operations - FREE:
        bed.control.fault(FaultKind.ACCESS_DENIED, operation)


def called(bed: Bed) -> set[str]:
    return set(bed.calls()) - FREE


def test_each_action_of_the_policy_is_called_and_no_other(bed: Bed) -> None:
    policy = allowed(f"--assume-roles={ROLE}")
    deny_all_but(bed, policy)
    made = bed.control.make_mapping(FunctionName="found", EventSourceArn=f"{QUEUE}-found", region="eu-west-1")
    bed.operator("--sweep-interval=1", "--tag-sweep-interval=2")
    other = f"{QUEUE}-other".replace("123456789012", "222222222222")
    bed.apply(
        provider_config("other", roleARN=ROLE),
        queue(batchSize=5, tags={"team": "shop", "old": "yes"}),
        queue("found", eventSourceARN=f"{QUEUE}-found", adoption={"policy": "IfExists"}),
        queue("elsewhere", eventSourceARN=other, providerConfigRef={"name": "other"}),
    )
    for name in ("orders", "found", "elsewhere"):
        bed.wait_ready(name)
    assert bed.status("found")["uuid"] == made["UUID"]
    bed.patch("orders", {"batchSize": 6, "tags": {"team": "bank", "old": None}})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 6 and bed.mapping("orders")["Tags"].get("team") == "bank")
    bed.wait_ready("orders")
    eventually(lambda: "GetResources" in bed.calls(), what="a tag sweep")
    bed.annotate("orders", reconcile_at="now")
    eventually(lambda: "GetEventSourceMapping" in bed.calls(), what="a read of one mapping")
    for name in ("orders", "found", "elsewhere"):
        bed.delete(name)
    for name in ("orders", "found", "elsewhere"):
        bed.wait_gone(name)
    assert bed.mappings() == []
    assert called(bed) == policy


def test_without_owner_tags_no_tag_action_is_needed(bed: Bed) -> None:
    policy = allowed("--ownership=resource-only")
    bed.control.set(tags_supported=False)
    deny_all_but(bed, policy)
    found = bed.control.make_mapping(FunctionName="found", EventSourceArn=f"{QUEUE}-found", region="eu-west-1")
    bed.operator("--ownership=resource-only", "--sweep-interval=1", "--tag-sweep-interval=1")
    bed.apply(queue(batchSize=5), queue("found", eventSourceARN=f"{QUEUE}-found", adoption={"policy": "IfExists"}))
    for name in ("orders", "found"):
        bed.wait_ready(name)
    assert bed.status("found")["uuid"] == found["UUID"]
    bed.patch("orders", {"batchSize": 6})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 6)
    bed.wait_ready("orders")
    bed.annotate("orders", reconcile_at="now")
    eventually(lambda: "GetEventSourceMapping" in bed.calls(), what="a look at one mapping")
    for name in ("orders", "found"):
        bed.delete(name)
    for name in ("orders", "found"):
        bed.wait_gone(name)
    assert bed.mappings() == []
    assert called(bed) == policy


def test_without_the_tagging_api_tags_are_still_corrected(bed: Bed) -> None:
    policy = allowed("--no-tagging-api")
    deny_all_but(bed, policy)
    bed.operator("--sweep-interval=1", "--tag-sweep-interval=1")
    bed.apply(queue(tags={"team": "shop"}))
    bed.wait_ready("orders")
    mapping = bed.mapping("orders")
    bed.control.edit_mapping(mapping["UUID"], Tags={**mapping["Tags"], "team": "bank"})
    eventually(lambda: bed.mapping("orders")["Tags"]["team"] == "shop", what="the tags are corrected")
    assert called(bed) - policy == {"GetResources"}, "one request is sent, and refused"


def test_a_read_only_policy_is_enough_to_observe(bed: Bed) -> None:
    policy = allowed("--read-only")
    deny_all_but(bed, policy)
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1", BatchSize=5)
    bed.operator("--sweep-interval=1", "--tag-sweep-interval=1")
    bed.apply(queue(managementPolicy="Observe"))
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    eventually(lambda: "GetResources" in bed.calls(), what="a tag sweep")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert called(bed) <= policy
    assert [one["UUID"] for one in bed.mappings()] == [made["UUID"]]
