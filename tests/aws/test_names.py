"""All spellings of function names, and partitions of regions."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer
from .arns import parse_function, partition_of

ARN = "arn:aws:lambda:us-east-1:123456789012:function:handler"


@pytest.mark.parametrize(
    ("text", "arn", "identity"),
    [
        ("handler", ARN, f"{ARN}:$LATEST"),
        ("handler:$LATEST", f"{ARN}:$LATEST", f"{ARN}:$LATEST"),
        ("handler:1", f"{ARN}:1", f"{ARN}:1"),
        ("handler:live", f"{ARN}:live", f"{ARN}:live"),
        ("123456789012:function:handler", ARN, f"{ARN}:$LATEST"),
        ("123456789012:function:handler:live", f"{ARN}:live", f"{ARN}:live"),
        ("function:handler", ARN, f"{ARN}:$LATEST"),
        (ARN, ARN, f"{ARN}:$LATEST"),
        (f"{ARN}:1", f"{ARN}:1", f"{ARN}:1"),
    ],
)
def test_all_spellings_of_a_function_name_are_parsed(text: str, arn: str, identity: str) -> None:
    function = parse_function(text, "123456789012", "us-east-1")
    assert (function.arn, function.identity) == (arn, identity)


PARTITIONS = {
    "eu-west-1": "aws",
    "cn-north-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
    "eusc-de-east-1": "aws-eusc",
}


@pytest.mark.parametrize(("region", "partition"), PARTITIONS.items())
def test_a_region_has_its_partition(aws: AwsServer, region: str, partition: str) -> None:
    assert partition_of(region) == partition
    client: Any = aws.client("lambda", region=region)
    queue = f"arn:{partition}:sqs:{region}:123456789012:orders"
    made = client.create_event_source_mapping(FunctionName="handler", EventSourceArn=queue)
    assert made["FunctionArn"] == f"arn:{partition}:lambda:{region}:123456789012:function:handler"
    assert made["EventSourceMappingArn"].startswith(f"arn:{partition}:lambda:{region}:")
    client.tag_resource(Resource=made["EventSourceMappingArn"], Tags={"a": "b"})
