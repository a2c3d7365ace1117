"""The IAM policies allow what the operator does, and no more: asked as IAM would be asked, in every scope."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esm_operator import cli
from esm_operator.commands import iam_permissions
from esm_operator.commands.iam_permissions import ACTIONS, Document, Scope, permissions
from tests.aws import iam

HERE, THERE = "eu-west-1", "us-east-1"
ACCOUNT, OTHER_ACCOUNT = "123456789012", "222222222222"
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/esm-operator"
KEY = f"arn:aws:kms:{HERE}:{ACCOUNT}:key/1"
CLUSTER = "esm-operator.io/cluster"
WRITES = {
    "lambda:CreateEventSourceMapping",
    "lambda:UpdateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    "lambda:TagResource",
    "lambda:UntagResource",
}
READS = {
    "lambda:GetEventSourceMapping",
    "lambda:ListEventSourceMappings",
    "lambda:ListTags",
    "tag:GetResources",
}


def allows(
    document: Document,
    action: str,
    *,
    region: str = HERE,
    account: str = ACCOUNT,
    function: str = "orders",
    tags: Mapping[str, str] | None = None,
    new_tags: Mapping[str, str] | None = None,
    tag_keys: Sequence[str] = (),
    resource: str = "",
) -> bool:
    """What IAM answers to a request of the operator; keys that an action does not know are not in the request."""
    kind = iam.ACTIONS[action].resource if action in iam.ACTIONS else ""
    arn = resource or (f"arn:aws:lambda:{region}:{account}:{kind}:11111111-1111" if kind else "*")
    context = iam.context_of(
        action,
        region=region,
        function=f"arn:aws:lambda:{region}:{account}:function:{function}",
        tags=tags,
        new_tags=new_tags,
        tag_keys=tag_keys,
    )
    return iam.allows(document, action, arn, context)


def _list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def actions(document: Document) -> set[str]:
    return {action for statement in document["Statement"] for action in _list(statement["Action"])}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Document:
    cli.run(["iam-policy", *arguments])
    return json.loads(capsys.readouterr().out)


# What is in it


def test_the_table_has_the_calls_of_the_operator_and_the_facts_of_the_reference() -> None:
    table = {one.name: one for one in ACTIONS}
    assert table.keys() == WRITES | READS == iam.ACTIONS.keys()
    assert {name for name, one in table.items() if one.writes} == WRITES
    for name, one in table.items():
        fact = iam.ACTIONS[name]
        assert one.by_mapping == bool(fact.resource), name
        assert not one.by_function or iam.FUNCTION_ARN in fact.keys, name
        assert not one.by_tag or one.by_tag in fact.keys, name


def test_actions_of_one_statement_are_restricted_alike() -> None:
    for one, other in product(ACTIONS, repeat=2):
        if one.sid == other.sid:
            ways = [(action.by_mapping, action.by_function, action.by_tag, action.writes) for action in (one, other)]
            assert ways[0] == ways[1], (one.name, other.name)


def test_cloudformation_needs_nothing_else_for_mappings() -> None:
    """AWS's own handlers for mappings need no action that the policy lacks, nor any key's but with a key."""
    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Lambda::EventSourceMapping")
    handlers: Mapping[str, Mapping[str, Sequence[str]]] = schema.schema["handlers"]
    theirs = {action for handler in handlers.values() for action in handler["permissions"]}
    ours = actions(permissions(Scope(kms_keys=[KEY])))
    assert theirs <= ours
    assert {action for action in theirs if action.startswith("kms:")} == set(iam_permissions.KMS_WRITES)
    reading = {action for action in handlers["read"]["permissions"] if action.startswith("kms:")}
    assert reading == set(iam_permissions.KMS_READS)
    assert not any(action.startswith("kms:") for action in actions(permissions(Scope())))


# What it allows

#: A machine that is busy is no failure.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRUTH = st.booleans()
SCOPES = st.builds(
    Scope,
    ownership=st.sampled_from(["tags", "resource-only"]),
    account=st.sampled_from(["", ACCOUNT]),
    regions=st.sampled_from([(), (HERE,), (HERE, "eu-central-1")]),
    functions=st.sampled_from([(), ("orders",), ("order*", "bills")]),
    cluster_name=st.sampled_from(["", "blue"]),
    kms_keys=st.sampled_from([(), (KEY,)]),
    assume_roles=st.sampled_from([(), (ROLE,)]),
    read_only=TRUTH,
    tagging_api=TRUTH,
    session_tags=TRUTH,
)


def ask(
    document: Document, action: str, *, region: str = HERE, account: str = ACCOUNT, function: str = "orders"
) -> bool:
    """With the tags that a mapping of the cluster blue has, and gets when it is made."""
    tags = {CLUSTER: "blue"}
    if action == "lambda:UntagResource":
        return allows(document, action, region=region, account=account, function=function, tags=tags, tag_keys=["team"])
    return allows(document, action, region=region, account=account, function=function, tags=tags, new_tags=tags)


@UNHURRIED
@given(SCOPES.filter(lambda scope: scope.ownership == "tags" or not scope.cluster_name))
def test_all_that_the_scope_needs_is_allowed(scope: Scope) -> None:
    document = permissions(scope)
    for action in ACTIONS:
        wanted = not (action.writes and scope.read_only) and (
            scope.tagging_api or action.name != iam_permissions.TAGGING
        )
        wanted = wanted and (scope.ownership == "tags" or not re.search("[Tt]ag", action.name))
        assert ask(document, action.name) == wanted, action.name
    assert actions(document) <= WRITES | READS | {*iam_permissions.KMS_WRITES, "sts:AssumeRole", "sts:TagSession"}


@UNHURRIED
@given(SCOPES)
def test_nothing_is_allowed_elsewhere(scope: Scope) -> None:
    document = permissions(scope)
    for action in ACTIONS:
        if scope.regions:
            assert not ask(document, action.name, region=THERE), action.name
        if scope.account and action.by_mapping:
            assert not ask(document, action.name, account=OTHER_ACCOUNT), action.name
        if scope.functions and action.by_function:
            assert not ask(document, action.name, function="secrets"), action.name
            assert ask(document, action.name, function="orders:live") != scope.read_only, action.name


UPDATE, DELETE = "lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping"
CREATE, TAG, UNTAG = "lambda:CreateEventSourceMapping", "lambda:TagResource", "lambda:UntagResource"
#: The tags of a mapping by its owner. A mapping of no cluster may have other tags.
OWNERS: Mapping[str, Mapping[str, str]] = {
    "nobody": {},
    "nobody, with tags": {"team": "blue", "esm-operator.io/name": "orders"},
    "blue": {CLUSTER: "blue", "team": "shop"},
    "green": {CLUSTER: "green", "team": "shop"},
    "red": {CLUSTER: "red"},
}
_NOBODYS = {"nobody", "nobody, with tags"}
#: Each deed to a mapping: its action, its tags or keys, and the owners of the mappings to which blue may do it. In the
#: last column, also with --takeover-from-clusters green.
DEEDS: tuple[tuple[str, str, Mapping[str, str] | Sequence[str], set[str], set[str]], ...] = (
    ("read it", "lambda:GetEventSourceMapping", (), {*OWNERS}, {*OWNERS}),
    ("read its tags", "lambda:ListTags", (), {*OWNERS}, {*OWNERS}),
    ("update it", UPDATE, (), {"blue"}, {"blue"}),
    ("delete it", DELETE, (), {"blue"}, {"blue"}),
    ("claim it", TAG, {CLUSTER: "blue", "team": "shop"}, {*_NOBODYS, "blue"}, {*_NOBODYS, "blue", "green"}),
    ("give it to green", TAG, {CLUSTER: "green"}, set(), set()),
    ("tag it", TAG, {"team": "bank"}, {"blue"}, {"blue"}),
    ("tag it with another owner", TAG, {"esm-operator.io/name": "bills"}, {"blue"}, {"blue"}),
    ("remove a tag", UNTAG, ["team"], {"blue"}, {"blue"}),
    ("release it", UNTAG, [CLUSTER, "esm-operator.io/name"], {"blue"}, {"blue"}),
)


@UNHURRIED
@given(scope=SCOPES, others=st.sampled_from([[], ["green"]]))
def test_a_cluster_does_to_a_mapping_only_what_its_owner_allows(scope: Scope, others: list[str]) -> None:
    """In every scope, for every pair of a deed and the owner of the mapping."""
    changes = {"cluster_name": "blue", "ownership": "tags", "takeover_from_clusters": others}
    document = permissions(scope.model_copy(update=changes))
    for deed, action, given_tags, allowed, with_takeover in DEEDS:
        for owner, tags in OWNERS.items():
            new_tags = given_tags if isinstance(given_tags, Mapping) else None
            keys = () if isinstance(given_tags, Mapping) else given_tags
            answer = allows(document, action, tags=tags, new_tags=new_tags, tag_keys=keys)
            expected = owner in (with_takeover if others else allowed)
            assert answer == (expected and not (action in WRITES and scope.read_only)), (deed, owner)


@UNHURRIED
@given(SCOPES.map(lambda scope: scope.model_copy(update={"cluster_name": "blue", "ownership": "tags"})))
def test_a_cluster_creates_only_mappings_of_its_own(scope: Scope) -> None:
    """A Create with tags needs TagResource too. IAM may take the new tags for those of the mapping, or not."""
    document = permissions(scope)
    for name, tags in OWNERS.items():
        expected = name == "blue" and not scope.read_only
        assert allows(document, CREATE, new_tags=tags) == expected
        assert allows(document, TAG, new_tags=tags) == expected
        assert allows(document, TAG, tags=tags, new_tags=tags) == expected


@UNHURRIED
@given(SCOPES.map(lambda scope: scope.model_copy(update={"assume_roles": [ROLE]})))
def test_roles_may_be_assumed(scope: Scope) -> None:
    document = permissions(scope)
    assert allows(document, "sts:AssumeRole", resource=ROLE)
    assert not allows(document, "sts:AssumeRole", resource=ROLE + "-2")
    assert allows(document, "sts:TagSession", resource=ROLE) == scope.session_tags


@UNHURRIED
@given(SCOPES)
def test_it_fits_into_a_managed_policy(scope: Scope) -> None:
    assert len(json.dumps(permissions(scope))) < iam_permissions.MOST_CHARACTERS


# The command


def test_the_partition_is_that_of_the_regions(capsys: pytest.CaptureFixture[str]) -> None:
    assert "arn:aws-cn:lambda:cn-north-1:*:" in json.dumps(printed(capsys, "--regions=cn-north-1"))
    assert "arn:aws-us-gov:lambda:*:*:" in json.dumps(printed(capsys, "--partition=aws-us-gov"))


def test_only_other_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    document = printed(capsys, "--no-own-account", f"--assume-roles={ROLE},{ROLE}-2")
    assert actions(document) == {"sts:AssumeRole"}
    assert allows(document, "sts:AssumeRole", resource=f"{ROLE}-2")


def test_trust_by_irsa_admits_one_service_account(capsys: pytest.CaptureFixture[str]) -> None:
    provider = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"
    url = printed(capsys, "--trust=irsa", f"--oidc-provider=https://{provider}", f"--account={ACCOUNT}")
    assert url == printed(capsys, "--trust=irsa", f"--oidc-provider={arn}")
    (statement,) = url["Statement"]
    assert statement["Principal"] == {"Federated": arn}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"]["StringEquals"] == {
        f"{provider}:aud": "sts.amazonaws.com",
        f"{provider}:sub": "system:serviceaccount:esm-operator:esm-operator",
    }
    other = printed(capsys, "--trust=irsa", f"--oidc-provider={arn}", "--namespace=aws", "--service-account=esm")
    assert other["Statement"][0]["Condition"]["StringEquals"][f"{provider}:sub"] == "system:serviceaccount:aws:esm"


def test_trust_by_irsa_in_china(capsys: pytest.CaptureFixture[str]) -> None:
    provider = "oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC"
    document = printed(capsys, "--trust=irsa", f"--oidc-provider={provider}", f"--account={ACCOUNT}")
    assert document["Statement"][0]["Principal"]["Federated"].startswith("arn:aws-cn:iam::")


def test_trust_by_pod_identity_admits_one_service_account(capsys: pytest.CaptureFixture[str]) -> None:
    arn = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/blue"
    document = printed(capsys, "--trust=pod-identity", f"--eks-cluster-arn={arn}", f"--account={ACCOUNT}")
    (statement,) = document["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert set(statement["Action"]) == {"sts:AssumeRole", "sts:TagSession"}
    assert statement["Condition"]["StringEquals"] == {
        "aws:RequestTag/kubernetes-namespace": "esm-operator",
        "aws:RequestTag/kubernetes-service-account": "esm-operator",
        "aws:RequestTag/eks-cluster-arn": arn,
        "aws:SourceAccount": ACCOUNT,
    }


def test_trust_of_another_account_asks_for_the_external_id(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--trust=role", f"--trusted-roles={ROLE}", "--external-id=blue-1")
    (assume,) = printed(capsys, *arguments)["Statement"]
    assert assume["Principal"] == {"AWS": ROLE}
    assert assume["Action"] == "sts:AssumeRole"
    assert assume["Condition"] == {"StringEquals": {"sts:ExternalId": "blue-1"}}
    again, tag = printed(capsys, *arguments, "--session-tags")["Statement"]
    assert again == assume
    assert tag["Action"] == "sts:TagSession"
    assert "Condition" not in tag


REFUSED = [
    (["--account=12"], "--account: 12 is not the ID of an AWS account, which has 12 digits"),
    (["--regions=eu-west-1,moon"], "--regions: moon is not an AWS region such as eu-west-1"),
    (["--functions=a/b"], "--functions: a/b is not the name or ARN of a function"),
    (["--kms-keys=arn:aws:kms:eu-west-1:123456789012:alias/x"], "is not the ARN of a KMS key"),
    (["--assume-roles=esm-operator"], "--assume-roles: esm-operator is not the ARN of an IAM role such as"),
    (["--partition=azure"], "--partition: azure is not a partition such as aws"),
    (["--cluster-name=a/b"], "--cluster-name: a/b is not a cluster name"),
    (["--cluster-name=${aws:username}"], "is not a cluster name"),
    (["--trust=role", "--trusted-roles=*"], "--trusted-roles: * is not the ARN of an IAM role"),
    (["--trust=role", f"--trusted-roles={ROLE}", "--external-id=a"], "--external-id: a is not an external id"),
    (["--trust=irsa", "--oidc-provider=nonsense"], "aws eks describe-cluster"),
    (
        ["--trust=irsa", "--oidc-provider=oidc.eks.moon.amazonaws.com/id/A"],
        "--oidc-provider: moon is not an AWS region",
    ),
    (["--trust=pod-identity", "--eks-cluster-arn=blue"], "--eks-cluster-arn: blue is not the ARN of an EKS cluster"),
    (["--trust=pod-identity", "--namespace=No"], "--namespace: No is not a namespace"),
    (["--trust=other"], "--trust: must be irsa, pod-identity or role, not `other`."),
    (
        ["--regions=cn-north-1,eu-west-1"],
        "--regions and --partition are in several partitions (aws, aws-cn). Print one policy",
    ),
    (["--regions=cn-north-1", "--partition=aws"], "are in several partitions (aws, aws-cn)"),
    (["--no-own-account"], "--no-own-account needs --assume-roles. Otherwise the policy allows nothing."),
    (["--no-own-account", f"--assume-roles={ROLE}", "--read-only"], "--read-only restricts the operator's own role"),
    (["--read-only", "--functions=orders"], "--functions restricts changes, and --read-only allows none."),
    (["--read-only", "--cluster-name=blue"], "--cluster-name restricts changes, and --read-only allows none."),
    (
        ["--ownership=resource-only", "--cluster-name=blue"],
        "--cluster-name restricts changes by tags. With --ownership resource-only, mappings have no owner tags.",
    ),
    (["--trust=role", "--ownership=resource-only"], "--ownership is only for permissions policies, not for --trust."),
    (["--session-tags"], "--session-tags needs --assume-roles."),
    (["--takeover-from-clusters=green"], "--takeover-from-clusters needs --cluster-name."),
    (
        ["--takeover-from-clusters=green,blue", "--cluster-name=blue"],
        "--takeover-from-clusters contains the cluster of --cluster-name. Name only other clusters.",
    ),
    (["--takeover-from-clusters=a/b", "--cluster-name=blue"], "--takeover-from-clusters: a/b is not a cluster name"),
    (["--trust=irsa"], "--trust irsa needs --oidc-provider. `aws eks describe-cluster"),
    (["--trust=irsa", "--oidc-provider=oidc.eks.eu-west-1.amazonaws.com/id/A"], "--trust irsa needs --account"),
    (["--trust=role"], "--trust role needs --trusted-roles, the ARN of the operator's own role."),
    (["--trust=role", "--read-only"], "--read-only is only for permissions policies, not for --trust."),
    (["--trust=role", "--no-tagging-api"], "--no-tagging-api is only for permissions policies, not for --trust."),
    (["--external-id=abc"], "--external-id is only for --trust role."),
    (["--namespace=shop"], "--namespace is only for --trust irsa and pod-identity."),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED, ids=[" ".join(arguments) for arguments, _ in REFUSED])
def test_what_makes_no_sense_is_refused_with_a_sentence(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["esm-operator", "iam-policy", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.out == ""
    assert told.err.startswith("esm-operator: --")
    assert sentence in told.err
    assert len(told.err.splitlines()) == 1
    assert "ESM_OPERATOR_" not in told.err, "it has no environment variables"


def test_a_policy_that_iam_would_not_take_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    names = ",".join(f"a-function-with-a-long-name-{number}" for number in range(60))
    cli.run(["iam-policy", f"--functions={names}"])
    assert re.search(r"The policy has \d+ characters. IAM accepts at most 6144", capsys.readouterr().err)


def test_as_it_is_installed() -> None:
    """The command that users have prints JSON and nothing else."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("esm-operator"), "iam-policy"],
        env={"AWS_REGION": "moon", "ESM_OPERATOR_CLUSTER_NAME": "other"},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert json.loads(ended.stdout) == permissions(Scope())
    assert ended.stderr == ""


def test_who_reads_only_the_beginning_sees_no_traceback() -> None:
    """As `esm-operator iam-policy | head -3` does."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "esm_operator", "iam-policy"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")
