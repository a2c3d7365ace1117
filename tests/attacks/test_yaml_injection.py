"""A user who can tag mappings puts a ClusterRoleBinding into the manifests that an administrator exports."""

import json

import pytest
import yaml

from esm_operator.api import manifests
from tests.bed import Bed
from tests.e2e.commands import run_command
from tests.e2e.manifests import HERE

#: A tag value that ends its line and adds a document.
BINDING = (
    "x{end}---{end}apiVersion: rbac.authorization.k8s.io/v1{end}kind: ClusterRoleBinding{end}metadata: {{name: a}}{end}"
    "roleRef: {{kind: ClusterRole, name: cluster-admin}}{end}subjects: [{{kind: User, name: a}}]{end}--- #"
)
OWNER = {"cluster": "blue", "namespace": "shop", "name": "orders", "uid": "1"}


#: The tags that are injected, each into a mapping of its own.
TAGS = ("esm-operator.io/cluster", "aws:cloudformation:stack-name", "team")


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\n", "\r"], ids=ascii)
def test_a_tag_does_not_become_a_document(bed: Bed, end: str) -> None:
    text = BINDING.format(end=end)
    owner = {f"esm-operator.io/{name}": value for name, value in OWNER.items()}
    for number, tag in enumerate(TAGS):
        tags = {**owner, tag: text, f"aws:{text}": "1"}
        source = f"arn:aws:sqs:{HERE}:orders-{number}"
        bed.control.make_mapping(FunctionName="orders", EventSourceArn=source, region="eu-west-1", Tags=tags)
    exported = run_command(bed, "export", "--owned", environment={})
    assert [one["kind"] for one in yaml.safe_load_all(exported.stdout)] == ["EventSourceMapping"] * len(TAGS)
    assert [one.value["kind"] for one in manifests.documents(exported.stdout)] == ["EventSourceMapping"] * len(TAGS)
    kubeconfig = {"KUBECONFIG": str(bed.kubeconfig)}
    found = run_command(bed, "orphans", "--cluster-name=blue", environment=kubeconfig)
    as_json = run_command(bed, "orphans", "--cluster-name=blue", "--output=json", environment=kubeconfig)
    of_any = run_command(bed, "orphans", environment=kubeconfig)
    for command in (exported, found, as_json, of_any):
        assert all(map(str.isprintable, (command.stdout + command.stderr).split("\n")))
    assert len(json.loads(as_json.stdout)) == len(TAGS) - 1
