"""``iam-policy --provider-config`` derives its conditions from what a ProviderConfig allows."""

import json
from pathlib import Path
from typing import Any

import pytest

from esm_operator import cli
from tests.e2e.manifests import provider_config


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(*manifests: dict[str, Any]) -> str:
        file = tmp_path / "config.yaml"
        file.write_text("---\n".join(json.dumps(one) + "\n" for one in manifests))
        return f"--provider-config={file}"

    return write


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    cli.run(["iam-policy", *arguments])
    return {one["Sid"]: one for one in json.loads(capsys.readouterr().out)["Statement"]}


def test_functions_regions_and_account_are_those_of_the_provider_config(
    write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config = provider_config(
        "shop",
        roleARN="arn:aws:iam::222222222222:role/esm-operator",
        allowedRegions=["eu-west-1"],
        allowedFunctions=["${namespace}_*", "arn:aws:lambda:*:*:function:shared"],
        allowedEventSources=["arn:aws:sqs:*:*:*"],
    )
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    policy = printed(capsys, write(other, config))
    condition = policy["CreateMappings"]["Condition"]
    assert condition["ArnLike"]["lambda:FunctionArn"] == [
        "arn:aws:lambda:eu-west-1:222222222222:function:*_*",
        "arn:aws:lambda:*:*:function:shared",
        "arn:aws:lambda:*:*:function:shared:*",
    ]
    assert condition["StringEquals"]["aws:RequestedRegion"] == "eu-west-1"
    assert policy["ChangeMappings"]["Resource"] == "arn:aws:lambda:eu-west-1:222222222222:event-source-mapping:*"


@pytest.mark.parametrize(
    ("pattern", "functions"),
    [
        ("b*:$LATEST", ["b*:$LATEST", "b*"]),
        ("b:$LATEST", ["b:$LATEST", "b"]),
        ("b:*", ["b:*", "b"]),
        ("arn:aws:lambda:*:*:function:b:$LATEST", ["b:$LATEST", "b"]),
        ("b:live", ["b:live"]),
    ],
)
def test_the_policy_allows_a_function_without_version_that_the_operator_allows(
    pattern: str, functions: list[str], write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator takes a function without a version for its version $LATEST. IAM does not."""
    policy = printed(capsys, write(provider_config("shop", allowedFunctions=[pattern])))
    found = policy["CreateMappings"]["Condition"]["ArnLike"]["lambda:FunctionArn"]
    arns = [f"arn:aws:lambda:*:*:function:{function}" for function in functions]
    assert found == (arns if len(arns) > 1 else arns[0])


@pytest.mark.parametrize("lists", [{}, {"allowedFunctions": ["*", "orders"]}])
def test_a_provider_config_that_allows_all_functions_makes_no_condition(
    lists: dict[str, Any], write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = printed(capsys, write(provider_config("shop", **lists)))
    assert "Condition" not in policy["CreateMappings"]


def test_a_read_only_policy_has_the_regions_only(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config = provider_config("shop", allowedFunctions=[], allowedRegions=["eu-west-1"])
    policy = printed(capsys, "--read-only", write(config))
    assert policy["ReadMappings"]["Resource"] == "arn:aws:lambda:eu-west-1:*:event-source-mapping:*"


@pytest.mark.parametrize(
    ("manifests", "arguments", "sentence"),
    [
        ([], [], "has 0 objects of the kind ProviderConfig"),
        ([provider_config("a"), provider_config("b")], [], "has 2 objects of the kind ProviderConfig"),
        ([provider_config("a", allowedFunctions=[])], [], "Use --read-only"),
        ([provider_config("a", allowedFunctions=["${name}"])], [], "allowedFunctions must have only patterns"),
        (
            [provider_config("a", allowedRegions=["xx-dead-1"])],
            [],
            "spec.allowedRegions: xx-dead-1 is not an AWS region such as eu-west-1",
        ),
        ([provider_config("a", allowedFunctions=["a"])], ["--functions=b"], "--functions cannot be set too"),
        ([provider_config("a")], ["--trust=pod-identity"], "--provider-config is only for permissions policies"),
        ([provider_config("a")], ["--no-own-account", "--assume-roles=arn:aws:iam::222222222222:role/a"], "own role"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    manifests: list[dict[str, Any]],
    arguments: list[str],
    sentence: str,
    write: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    with pytest.raises(SystemExit) as ended:
        cli.run(["iam-policy", write(other, *manifests), *arguments])
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert sentence in told.err
