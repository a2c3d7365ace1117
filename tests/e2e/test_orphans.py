"""``esm-operator orphans``: finds what nothing stands for, and nothing else; only reads."""

import json
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from esm_operator.metrics.accounts import alias
from tests import role
from tests.aws import FaultKind
from tests.bed import WRITES, Bed
from tests.controlplane.client import path
from tests.e2e.commands import run_command
from tests.e2e.manifests import HERE, provider_config, queue
from tests.e2e.scraped import reader
from tests.waiting import eventually

NONE, FAILED, SOME = 0, 1, 3
CLUSTER = "esm-operator.io/cluster"
MANY = {"FunctionName": "f{n}", "EventSourceArn": f"arn:aws:sqs:{HERE}:q{{n}}", "region": "eu-west-1"}


def orphans(
    bed: Bed, *arguments: str, kubeconfig: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command for the cluster ``default``, unless the arguments name another one."""
    return unnamed(
        bed,
        *arguments,
        kubeconfig=kubeconfig,
        environment={"ESM_OPERATOR_CLUSTER_NAME": "default", **(environment or {})},
    )


def unnamed(
    bed: Bed, *arguments: str, kubeconfig: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command without the name of the cluster."""
    cluster = {"HOME": str(bed.plane.kubeconfig.parent), "KUBECONFIG": str(kubeconfig or bed.plane.kubeconfig)}
    return run_command(bed, "orphans", *arguments, environment={**cluster, **(environment or {})})


def uuids(ended: subprocess.CompletedProcess[str]) -> set[str]:
    """The UUIDs in the output of ``--output json``."""
    assert ended.stdout, ended.stderr
    return {one["uuid"] for one in json.loads(ended.stdout)}


def tags(bed: Bed, name: str, cluster: str = "default") -> dict[str, str]:
    return {
        CLUSTER: cluster,
        "esm-operator.io/namespace": bed.namespace,
        "esm-operator.io/name": name,
        "esm-operator.io/uid": "u",
    }


def made(bed: Bed, name: str, region: str = "eu-west-1", **members: Any) -> str:
    """A mapping that was made before, by whomever its tags name."""
    source = f"arn:aws:sqs:{HERE}:{name}".replace("eu-west-1", region)
    mapping = bed.control.make_mapping(FunctionName=name, EventSourceArn=source, region=region, **members)
    return str(mapping["UUID"])


def test_one_is_left_behind_and_taken_up_again(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue("orders"), queue("bills"))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.wait_ready("bills")
    operator.stop()
    bed.remove_finalizers("orders")
    bed.delete("orders")
    bed.wait_gone("orders")
    made(bed, "untagged")
    made(bed, "green", Tags=tags(bed, "orders", cluster="green"))
    bed.control.reset_counts()

    ended = orphans(bed)
    assert ended.returncode == SOME, ended.stderr
    head, row, *_ = ended.stdout.splitlines()
    assert head.split() == ["UUID", "REGION", "STATE", "FUNCTION", "SOURCE", "OWNER", "WHY"]
    assert row.split(maxsplit=6) == [
        *(uuid, "eu-west-1", "Enabled", "orders", f"arn:aws:sqs:{HERE}:orders"),
        *(f"default/{bed.namespace}/orders", "there is no such resource"),
    ]
    assert f"aws lambda delete-event-source-mapping --region eu-west-1 --uuid {uuid}\n" in ended.stdout
    assert "1 orphan of cluster default among 4 mappings in eu-west-1." in ended.stderr
    asked = set(bed.calls())
    assert asked == {"GetCallerIdentity", "ListEventSourceMappings", "GetResources", "ListTags"}
    assert not asked & WRITES

    line = re.search(r"^adoption: .*$", ended.stdout, re.MULTILINE)
    assert line is not None
    bed.apply(
        queue("again", functionName="orders", eventSourceARN=f"arn:aws:sqs:{HERE}:orders", **yaml.safe_load(line[0]))
    )
    operator.start()
    assert bed.wait_ready("again")["status"]["uuid"] == uuid
    ended = orphans(bed)
    assert (ended.returncode, ended.stdout) == (NONE, ""), ended.stdout + ended.stderr
    assert "No orphans of cluster default among 4 mappings in eu-west-1." in ended.stderr


def test_the_name_of_the_cluster_is_that_of_the_running_operator(bed: Bed) -> None:
    bed.operator("--cluster-name=blue")
    bed.apply(queue("orders"))
    bed.wait_ready("orders")
    left = made(bed, "left", Tags=tags(bed, "left", cluster="blue"))
    made(bed, "green", Tags=tags(bed, "green", cluster="green"))
    ended = unnamed(bed, "--output=json")
    assert uuids(ended) == {left}
    assert ended.returncode == SOME
    assert "1 orphan of cluster blue among 3 mappings in eu-west-1." in ended.stderr
    assert "Other clusters have mappings there: green (1)." in ended.stderr


def test_without_a_name_the_names_in_aws_are_listed(bed: Bed) -> None:
    bed.control.make_mappings(60, **MANY, Tags=tags(bed, "r{n}", cluster="green"))
    made(bed, "blue", Tags=tags(bed, "blue", cluster="blue"))
    ended = unnamed(bed)
    assert (ended.returncode, ended.stdout) == (FAILED, "")
    assert "The name of this cluster is unknown, because no resource of this cluster has owner tags" in ended.stderr
    assert "Set --cluster-name" in ended.stderr
    assert "Names of clusters in the tags of mappings: blue (1), green (60)." in ended.stderr

    ended = orphans(bed)
    assert (ended.returncode, ended.stdout) == (NONE, "")
    assert "No orphans of cluster default among 61 mappings in eu-west-1." in ended.stderr
    assert "Other clusters have mappings there: blue (1), green (60)." in ended.stderr
    assert "no unused mapping has the name default" in ended.stderr


def test_one_that_a_resource_does_not_stand_for(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    ready = bed.wait_ready("orders")["status"]["uuid"]
    second = made(bed, "second", Tags=tags(bed, "orders"))
    (found,) = json.loads(orphans(bed, "--output=json").stdout)
    assert (found["uuid"], found["why"]) == (second, f"the resource uses another mapping, {ready}")


@pytest.mark.parametrize("thorough", [False, True])
def test_several_pages(bed: Bed, thorough: bool) -> None:
    ours = bed.control.make_mappings(230, **MANY, Tags=tags(bed, "r{n}"))
    bed.control.make_mappings(120, **MANY, Tags=tags(bed, "r{n}", cluster="green"))
    bed.control.make_mappings(50, **MANY)
    ended = orphans(bed, "--output=json", "--requests-per-second=1000", "--thorough" if thorough else "--no-thorough")
    assert uuids(ended) == set(ours)
    assert ended.returncode == SOME
    assert bed.calls()["ListEventSourceMappings"] == 4
    assert bed.calls().get("GetResources", 0) == (0 if thorough else 4)
    assert bed.calls()["ListTags"] == (400 + 230 if thorough else 230)


def test_it_keeps_to_its_rate(bed: Bed) -> None:
    rate, burst = 8, 5
    bed.control.make_mappings(60, **MANY, Tags=tags(bed, "r{n}"))
    began = time.monotonic()
    ended = orphans(bed, "--output=json", f"--requests-per-second={rate}")
    passed = time.monotonic() - began
    assert len(uuids(ended)) == 60
    sent = sum(bed.calls()[operation] for operation in ("ListEventSourceMappings", "ListTags"))
    assert sent <= burst + rate * passed
    assert "read the tags of" in ended.stderr


def test_what_the_tagging_api_does_not_know_yet(bed: Bed) -> None:
    bed.control.set(tagging_lag=3600)
    try:
        late = made(bed, "late", Tags=tags(bed, "late"))
        assert orphans(bed).returncode == NONE
        ended = orphans(bed, "--thorough", "--output=json")
    finally:
        bed.control.set(tagging_lag=0)
    assert uuids(ended) == {late}


def test_what_the_tagging_api_still_knows(bed: Bed) -> None:
    """It nominates; the tags themselves decide."""
    untagged = made(bed, "orders", Tags=tags(bed, "orders"))
    bed.control.set(tagging_lag=3600)
    try:
        bed.control.edit_mapping(untagged, Tags={})
        ended = orphans(bed)
    finally:
        bed.control.set(tagging_lag=0)
    assert ended.returncode == NONE, ended.stdout


def test_without_permission_to_ask_the_tagging_api(bed: Bed) -> None:
    left = made(bed, "orders", Tags=tags(bed, "orders"))
    made(bed, "untagged")
    bed.control.fault(FaultKind.ACCESS_DENIED, "GetResources")
    ended = orphans(bed, "--output=json")
    assert uuids(ended) == {left}
    assert ended.returncode == SOME
    assert "tag:GetResources" in ended.stderr
    assert "The command calls lambda:ListTags for each mapping instead." in ended.stderr


def test_regions_that_a_provider_config_or_a_flag_names(bed: Bed) -> None:
    bed.apply(provider_config("shop", allowedRegions=["us-west-2", "us-east-2"]))
    west = made(bed, "west", region="us-west-2", Tags=tags(bed, "west"))
    south = made(bed, "south", region="ap-south-1", Tags=tags(bed, "south"))
    assert uuids(orphans(bed, "--output=json")) == {west}
    ended = orphans(bed, "--output=json", "--regions=ap-south-1")
    assert uuids(ended) == {west, south}
    assert "in ap-south-1, eu-west-1, us-east-2, us-west-2." in ended.stderr


def test_another_name_of_the_cluster_and_other_namespaces(bed: Bed) -> None:
    blue = made(bed, "blue", Tags=tags(bed, "blue", cluster="blue"))
    green = made(bed, "green", Tags=tags(bed, "green", cluster="green"))
    assert uuids(orphans(bed, "--output=json", "--cluster-name=blue")) == {blue}
    assert uuids(orphans(bed, "--output=json", environment={"ESM_OPERATOR_CLUSTER_NAME": "green"})) == {green}
    assert orphans(bed, "--cluster-name=blue", "--namespaces=default").returncode == NONE


def test_a_region_that_refuses_is_reported_in_addition_to_the_results(bed: Bed) -> None:
    left = made(bed, "orders", Tags=tags(bed, "orders"))
    bed.control.fault(FaultKind.ACCESS_DENIED, "ListEventSourceMappings", match={"region": "us-west-2"})
    ended = orphans(bed, "--output=json", "--regions=us-west-2")
    assert uuids(ended) == {left}
    assert ended.returncode == FAILED
    assert "us-west-2: lambda:ListEventSourceMappings: AWS answered" in ended.stderr
    assert "The search is incomplete." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_credentials(bed: Bed) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    ended = orphans(bed, environment=keys)
    assert ended.returncode == FAILED
    assert "AWS credentials" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_cluster(bed: Bed, tmp_path: Path) -> None:
    ended = orphans(bed, kubeconfig=tmp_path / "none")
    assert ended.returncode == FAILED
    assert "No Kubernetes cluster is configured" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_least_role_in_the_cluster(bed: Bed) -> None:
    left = made(bed, "orders", Tags=tags(bed, "orders"))
    bed.client.install(role.account("reader", bed.namespace))
    kubeconfig = bed.plane.kubeconfig_for(bed.namespace, "reader")
    ended = orphans(bed, kubeconfig=kubeconfig)
    assert ended.returncode == FAILED
    assert "cannot list resource" in ended.stderr
    assert "Traceback" not in ended.stderr

    rule = {
        "apiGroups": ["lambda.esm-operator.io"],
        "resources": ["eventsourcemappings", "providerconfigs"],
        "verbs": ["list"],
    }
    for one in role.granted(role.Role([rule]), bed.namespace, "reader", bed.namespace):
        bed.client.install(one)
        bed.exits.callback(bed.client.delete, path(one["kind"], bed.namespace))
    ended = orphans(bed, "--output=json", kubeconfig=kubeconfig)
    assert uuids(ended) == {left}, ended.stderr


@pytest.mark.parametrize("tagging_api", [True, False])
def test_the_operator_counts_them(bed: Bed, tagging_api: bool) -> None:
    """The mapping of a resource that exists does not count, nor one of another cluster."""
    if not tagging_api:
        bed.control.fault(FaultKind.ACCESS_DENIED, "GetResources")
    left, other = made(bed, "left"), made(bed, "other", Tags=tags(bed, "other", "green"))
    bed.control.edit_mapping(left, Tags=tags(bed, "left"))
    operator = bed.operator("--sweep-interval=1", "--tag-sweep-interval=1")
    read = reader(operator)
    bed.apply(queue("orders"))
    bed.wait_ready("orders")
    count = {"account": alias("123456789012"), "region": "eu-west-1"}
    eventually(lambda: read("orphaned_mappings", **count) == 1)
    named = next(line for line in operator.log.read_text().splitlines() if "have no resource" in line)
    assert left in named
    assert other not in named
    bed.control.delete_mapping(left)
    eventually(lambda: read("orphaned_mappings", **count) == 0)
