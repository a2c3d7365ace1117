"""A role with the policy of one cluster changes no mapping of another cluster, whatever it tags first."""

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest
from botocore.exceptions import ClientError

from esm_operator import cli
from tests.aws import AwsServer
from tests.bed import Bed
from tests.e2e.manifests import QUEUE, queue
from tests.waiting import eventually

HERE = "eu-west-1"
CLUSTER = "esm-operator.io/cluster"
GREEN = {CLUSTER: "green", "esm-operator.io/namespace": "shop", "esm-operator.io/name": "bills"}


def printed(*arguments: str) -> dict[str, Any]:
    """The policy that `esm-operator iam-policy` prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        cli.run(["iam-policy", *arguments])
    return json.loads(out.getvalue())


@pytest.fixture
def green_mapping(aws_server: AwsServer) -> dict[str, Any]:
    """A mapping of the cluster green, in an account where clients have the policy of the cluster blue."""
    aws_server.control.reset()
    aws_server.control.set_policy(printed("--cluster-name=blue"))
    return aws_server.control.make_mapping(FunctionName="bills", EventSourceArn=QUEUE, region=HERE, Tags=GREEN)


DEEDS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "tag, then delete": [
        ("tag_resource", {"Resource": "{arn}", "Tags": {CLUSTER: "blue"}}),
        ("delete_event_source_mapping", {"UUID": "{uuid}"}),
    ],
    "tag, then update": [
        ("tag_resource", {"Resource": "{arn}", "Tags": {**GREEN, CLUSTER: "blue"}}),
        ("update_event_source_mapping", {"UUID": "{uuid}", "Enabled": False}),
    ],
    "untag, then tag, then delete": [
        ("untag_resource", {"Resource": "{arn}", "TagKeys": [CLUSTER]}),
        ("tag_resource", {"Resource": "{arn}", "Tags": {CLUSTER: "blue"}}),
        ("delete_event_source_mapping", {"UUID": "{uuid}"}),
    ],
    "tag only": [("tag_resource", {"Resource": "{arn}", "Tags": {"team": "blue"}})],
    "untag only": [("untag_resource", {"Resource": "{arn}", "TagKeys": ["esm-operator.io/name"]})],
    "delete": [("delete_event_source_mapping", {"UUID": "{uuid}"})],
}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_role_of_blue_can_do_nothing_to_a_mapping_of_green(
    deed: str, aws_server: AwsServer, green_mapping: dict[str, Any]
) -> None:
    lambda_ = aws_server.client("lambda", region=HERE)
    values = {"{arn}": green_mapping["EventSourceMappingArn"], "{uuid}": green_mapping["UUID"]}
    refusals: list[str] = []
    for operation, parameters in DEEDS[deed]:
        given = {name: values.get(str(value), value) for name, value in parameters.items()}
        try:
            getattr(lambda_, operation)(**given)
        except ClientError as error:
            refusals.append(error.response.get("Error", {}).get("Code", ""))
    assert refusals == ["AccessDeniedException"] * len(DEEDS[deed])
    assert aws_server.control.mappings() == [green_mapping]


def test_the_role_of_blue_cannot_give_its_mapping_away(aws_server: AwsServer, green_mapping: dict[str, Any]) -> None:
    """To release it is possible, because deletionPolicy Retain does. Then each cluster may claim it."""
    own = {**GREEN, CLUSTER: "blue"}
    made = aws_server.control.make_mapping(FunctionName="own", EventSourceArn=QUEUE, region=HERE, Tags=own)
    lambda_ = aws_server.client("lambda", region=HERE)
    with pytest.raises(ClientError, match="not authorized to perform: lambda:TagResource"):
        lambda_.tag_resource(Resource=made["EventSourceMappingArn"], Tags={CLUSTER: "green"})
    assert made in aws_server.control.mappings()
    assert green_mapping in aws_server.control.mappings()


def test_an_operator_works_with_the_policy_of_its_cluster_and_takes_nothing_from_another(bed: Bed) -> None:
    """It creates, edits, adopts, releases and deletes. The mapping of green stays, although a resource asks for it."""
    green = bed.control.make_mapping(FunctionName="bills", EventSourceArn=f"{QUEUE}-bills", region=HERE, Tags=GREEN)
    found = bed.control.make_mapping(FunctionName="found", EventSourceArn=f"{QUEUE}-found", region=HERE)
    bed.control.set_policy(printed("--cluster-name=blue"))
    bed.operator("--cluster-name=blue", "--sweep-interval=1", "--tag-sweep-interval=1")
    bed.apply(
        queue(tags={"team": "shop", "old": "yes"}),
        queue("found", eventSourceARN=f"{QUEUE}-found", adoption={"policy": "IfExists"}),
        queue("kept", deletionPolicy="Retain"),
        queue(
            "bills",
            eventSourceARN=f"{QUEUE}-bills",
            adoption={"policy": "Required", "uuid": green["UUID"], "takeOverFrom": "green/shop/bills"},
        ),
    )
    for name in ("orders", "found", "kept"):
        bed.wait_ready(name)
    assert bed.status("found")["uuid"] == found["UUID"]
    bed.patch("orders", {"batchSize": 6, "tags": {"team": "bank", "old": None}})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 6 and "old" not in bed.mapping("orders")["Tags"])
    bed.wait_ready("orders")
    eventually(lambda: bed.condition("bills", "Stalled").get("status") == "True", what="the take-over is refused")
    bed.delete_all()
    eventually(lambda: not bed.all(), what="all resources are gone")
    left = {one["FunctionArn"].rpartition(":")[2]: one for one in bed.mappings()}
    assert left.keys() == {"bills", "kept"}
    assert left["bills"] == green
    assert left["kept"]["Tags"] == {}
