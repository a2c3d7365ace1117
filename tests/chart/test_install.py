"""Releases on a real API server: installed, upgraded, uninstalled; and the operator run as the Deployment says."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws import AwsServer, Settings
from tests.chart.conftest import make_namespace
from tests.chart.helm import CHART, NAMESPACE, NEEDED, ROOT, Helm, HelmError, merged, the
from tests.chart.pod import Kubectl, Pod, can_unshare, pod_of, running
from tests.chart.test_render import copied
from tests.controlplane import ControlPlane, KubectlError
from tests.e2e.bed import eventually
from tests.e2e.manifests import queue

CRD = "eventsourcemappings.lambda.esm-operator.io"
QUEUE = ROOT / "examples" / "04-sqs-queue.yaml"
#: On which namespaces the operator's pod is to run: only restricted pods.
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

needs_mounts = pytest.mark.skipif(not can_unshare(), reason="a process may not have mounts of its own here")


@pytest.fixture
def plane(fresh_plane: ControlPlane) -> ControlPlane:
    make_namespace(fresh_plane, NAMESPACE, RESTRICTED)
    return fresh_plane


@pytest.fixture
def helm(plane: ControlPlane, helm_for: Callable[[ControlPlane], Helm]) -> Helm:
    return helm_for(plane)


def get(plane: ControlPlane, *what: str) -> dict[str, Any]:
    return json.loads(plane.kubectl("get", *what, f"--namespace={NAMESPACE}", "--output=json").stdout)


def deployment(plane: ControlPlane) -> dict[str, Any]:
    return get(plane, "deployment", "esm-operator")


def established(plane: ControlPlane) -> None:
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=50s")


def wait_until_it_says(pod: Pod, text: str) -> None:
    eventually(lambda: text in pod.log.read_text(errors="replace"), 60, f"its log says {text}:\n{pod.tail()}")


# The release


def test_what_an_uninstall_leaves_and_a_second_install_finds(plane: ControlPlane, helm: Helm) -> None:
    assert "keeps the event source mappings of the cluster blue" in helm.install(NEEDED)
    established(plane)
    plane.kubectl("apply", "--filename", QUEUE)

    said = helm.uninstall()
    assert CRD in said, "Helm says what it keeps"
    assert get(plane, "deployments,serviceaccounts,services,roles,rolebindings,poddisruptionbudgets")["items"] == [
        one for one in get(plane, "serviceaccounts")["items"] if one["metadata"]["name"] == "default"
    ]
    left = plane.kubectl("get", "clusterroles,clusterrolebindings", "--output=name").stdout
    assert "esm-operator" not in left
    assert plane.kubectl("get", "esm", "--all-namespaces", "--output=name").stdout.split(), "every mapping is there"

    helm.install(NEEDED)
    assert plane.kubectl("get", "esm", "--all-namespaces", "--output=name").stdout.split()


def test_without_keep_an_uninstall_takes_the_crds(plane: ControlPlane, helm: Helm) -> None:
    helm.install(merged(NEEDED, {"crds": {"keep": False}}))
    established(plane)
    helm.uninstall()
    # The API server waits a minute at most for the objects of a CRD to go, and then begins anew.
    eventually(lambda: "lambda.esm-operator.io" not in plane.kubectl("get", "crds", "--output=name").stdout, 200)


def test_an_upgrade_brings_new_fields_of_the_crds(plane: ControlPlane, helm: Helm, tmp_path: Path) -> None:
    before = copied(tmp_path)
    file = next((before / "files" / "crds").glob("*mappings.yaml"))
    old = yaml.safe_load(file.read_text())
    spec = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["metricsConfig"]
    rules = spec["x-kubernetes-validations"]
    spec["x-kubernetes-validations"] = [rule for rule in rules if "metricsConfig" not in json.dumps(rule)]
    file.write_text(yaml.safe_dump(old))
    helm.install(NEEDED, before)
    established(plane)
    plane.kubectl("apply", "--filename", QUEUE)
    kept = plane.kubectl("get", "esm", "--output=jsonpath={.items[*].metadata.uid}").stdout
    assert not keeps_metrics(plane), "the API server drops what the old CRD does not know"

    helm.upgrade(NEEDED)
    eventually(lambda: keeps_metrics(plane), 30)
    assert plane.kubectl("get", "esm", "--output=jsonpath={.items[*].metadata.uid}").stdout == kept


def keeps_metrics(plane: ControlPlane) -> bool:
    """Whether the field that is new is stored."""
    name = plane.kubectl("get", "esm", "--output=name").stdout.strip()
    patch = json.dumps({"spec": {"metricsConfig": {"metrics": ["EventCount"]}}})
    plane.kubectl("patch", name, "--type=merge", f"--patch={patch}")
    return "metricsConfig" in json.loads(plane.kubectl("get", name, "--output=json").stdout)["spec"]


def test_crds_that_are_there_from_elsewhere_are_taken_over_when_told(plane: ControlPlane, helm: Helm) -> None:
    plane.kubectl("apply", "--server-side", "--kustomize", ROOT / "crds")
    with pytest.raises(HelmError, match="invalid ownership metadata"):
        helm.install(NEEDED)
    helm.install(NEEDED, "--take-ownership")
    labels = get(plane, "crd", CRD)["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_crds_that_are_there_from_elsewhere_are_left_alone_when_told(plane: ControlPlane, helm: Helm) -> None:
    plane.kubectl("apply", "--server-side", "--kustomize", ROOT / "crds")
    established(plane)
    helm.install(merged(NEEDED, {"crds": {"install": False}, "providerConfigs": {"default": {"region": "eu-west-1"}}}))
    helm.uninstall()
    assert plane.kubectl("get", "crd", CRD, "--output=name").stdout


@pytest.mark.parametrize("keep", [True, False])
def test_provider_configs_come_with_the_first_install(plane: ControlPlane, helm: Helm, keep: bool) -> None:
    """They go with their value, or with the release, only if that is wanted: resources may use them."""

    def configs() -> dict[str, Any]:
        return {one["metadata"]["name"]: one for one in get(plane, "providerconfigs")["items"]}

    given = merged(NEEDED, {"crds": {"keep": keep}})
    one = {"providerConfigs": {"default": {"region": "eu-west-1"}}}
    helm.install(merged(given, one))
    assert configs()["default"]["spec"] == {"region": "eu-west-1"}
    uid = configs()["default"]["metadata"]["uid"]

    two = {"providerConfigs": {"default": {"region": "eu-central-1"}, "shop": {"region": "us-east-1"}}}
    helm.upgrade(merged(given, two))
    assert configs()["default"]["metadata"]["uid"] == uid, "the same one, for resources may use it"
    assert configs()["default"]["spec"] == {"region": "eu-central-1"}
    assert "shop" in configs()

    helm.upgrade(merged(given, one))
    if not keep:
        eventually(lambda: configs().keys() == {"default"})
        return
    assert configs().keys() == {"default", "shop"}
    helm.uninstall()
    assert configs()["default"]["metadata"]["uid"] == uid
    assert "deletionTimestamp" not in configs()["default"]["metadata"]
    helm.install(merged(given, one))
    assert configs()["default"]["metadata"]["uid"] == uid


# The pod


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({}, ""),
        ({"podSecurityContext": {"runAsNonRoot": None}}, "runAsNonRoot != true"),
        ({"podSecurityContext": {"runAsUser": 0}}, "runAsUser=0"),
        ({"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}}, "seccompProfile"),
        ({"securityContext": {"allowPrivilegeEscalation": True}}, "allowPrivilegeEscalation != false"),
        ({"securityContext": {"capabilities": {"drop": []}}}, "unrestricted capabilities"),
        ({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "unrestricted capabilities"),
    ],
    ids=lambda one: json.dumps(one) if isinstance(one, dict) else "",
)
def test_pod_security_restricted_admits_only_the_pod_as_it_is(
    plane_for_pods: ControlPlane, values: dict[str, Any], refused: str
) -> None:
    helm = Helm(Path(plane_for_pods.kubeconfig).parent / "helm")
    made = pod_of(the(helm.template(merged(NEEDED, values)), "Deployment"), "operator")
    arguments = ("create", "--dry-run=server", "--filename=-")
    if not refused:
        assert "created" in plane_for_pods.kubectl(*arguments, input=json.dumps(made)).stdout
        return
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted') as said:
        plane_for_pods.kubectl(*arguments, input=json.dumps(made))
    assert refused in str(said.value)


@pytest.fixture(scope="module")
def plane_for_pods() -> Generator[ControlPlane]:
    with ControlPlane() as running_plane:
        make_namespace(running_plane, NAMESPACE, RESTRICTED)
        running_plane.kubectl("create", "serviceaccount", "esm-operator", f"--namespace={NAMESPACE}")
        yield running_plane


@pytest.fixture
def aws() -> Generator[AwsServer]:
    with AwsServer(Settings(pace=0.3, quota=0, tagging_quota=0)) as server:
        server.client("sts").get_caller_identity()  # its first answer can take longer than the operator waits
        yield server


def values_for(aws: AwsServer, **more: Any) -> dict[str, Any]:
    """An installation with credentials from a Secret."""
    given = {
        "region": "eu-west-1",
        "endpointURL": aws.endpoint,
        "envFrom": [{"secretRef": {"name": "aws-credentials"}}],
        "extraEnv": [{"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}],
    }
    return merged(NEEDED, given, more)


def credentials(plane: ControlPlane) -> None:
    literals = ("--from-literal=AWS_ACCESS_KEY_ID=testing", "--from-literal=AWS_SECRET_ACCESS_KEY=testing")
    plane.kubectl("create", "secret", "generic", "aws-credentials", f"--namespace={NAMESPACE}", *literals)


@needs_mounts
def test_the_operator_works_as_the_deployment_says(
    plane: ControlPlane, helm: Helm, aws: AwsServer, tmp_path: Path
) -> None:
    credentials(plane)
    helm.install(values_for(aws))
    established(plane)
    with running(Kubectl(plane.kubectl_path, plane.kubeconfig), deployment(plane), tmp_path) as pod:
        pod.wait_until_ready()
        plane.kubectl("apply", "--filename", QUEUE)
        plane.kubectl("wait", "--for=condition=Ready", "esm", "--all", "--timeout=50s")
        lease = get(plane, "lease", "esm-operator")["spec"]["holderIdentity"]
        assert lease == f"{pod.name}_{pod.object['metadata']['uid']}"
        (mapping,) = aws.control.mappings()
        assert mapping["Tags"]["esm-operator.io/cluster"] == "blue"
        for line in map(json.loads, pod.log.read_text().splitlines()):
            waits = line["message"].startswith("Not started yet: ")  # a busy API server does not serve new CRDs yet
            assert waits or line["level"].lower() not in ("warning", "error", "critical"), line

        # It goes on with what is there after an upgrade, and after an uninstall nothing is lost.
        plane.kubectl("delete", "--filename", QUEUE, "--timeout=50s")
        assert aws.control.mappings() == []
    assert get(plane, "lease", "esm-operator")["spec"].get("holderIdentity") is None, "it is given back at the end"


@needs_mounts
def test_the_operator_works_in_its_namespaces_only(
    plane: ControlPlane, helm: Helm, aws: AwsServer, tmp_path: Path
) -> None:
    credentials(plane)
    for name in ("team-a", "team-b", "team-c"):
        make_namespace(plane, name)
    scope = {"scope": "namespaces", "namespaces": ["team-a", "team-b"]}
    helm.install(values_for(aws, **scope))
    established(plane)
    with running(Kubectl(plane.kubectl_path, plane.kubeconfig), deployment(plane), tmp_path) as pod:
        pod.wait_until_ready()
        for name in ("team-c", "team-a", "team-b"):
            plane.kubectl("apply", "--filename=-", f"--namespace={name}", input=json.dumps(queue(name)))
        for name in ("team-a", "team-b"):
            plane.kubectl("wait", "--for=condition=Ready", "esm", "--all", f"--namespace={name}", "--timeout=50s")
        assert len(aws.control.mappings()) == 2
        (foreign,) = json.loads(plane.kubectl("get", "esm", "--namespace=team-c", "--output=json").stdout)["items"]
        assert foreign["status"] == {"observedGeneration": -1}

        # It may not know the labels of namespaces, so it lets nobody in by them.
        config = {
            "apiVersion": "lambda.esm-operator.io/v1",
            "kind": "ProviderConfig",
            "metadata": {"name": "default"},
            "spec": {"namespaceSelector": {"matchExpressions": [{"key": "barred", "operator": "DoesNotExist"}]}},
        }
        plane.kubectl("apply", "--filename=-", input=json.dumps(config))
        plane.kubectl("wait", "--for=condition=Stalled", "esm", "--all", "--namespace=team-a", "--timeout=50s")
        shown = plane.kubectl("get", "esm", "--namespace=team-a", "--output=json").stdout
        assert "--no-watch-namespaces" in shown
        assert "forbidden" not in pod.log.read_text()


@needs_mounts
def test_an_upgrade_is_a_handover(plane: ControlPlane, helm: Helm, aws: AwsServer, tmp_path: Path) -> None:
    """The old pod gives the lease back, the new one goes on: nothing is done twice."""
    credentials(plane)
    kubectl = Kubectl(plane.kubectl_path, plane.kubeconfig)
    helm.install(values_for(aws))
    established(plane)
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with running(kubectl, deployment(plane), tmp_path / "old") as pod:
        pod.wait_until_ready()
        plane.kubectl("apply", "--filename", QUEUE)
        plane.kubectl("wait", "--for=condition=Ready", "esm", "--all", "--timeout=50s")
    helm.upgrade(values_for(aws, sweepInterval=1, logFormat="text"))
    with running(kubectl, deployment(plane), tmp_path / "new") as pod:
        pod.wait_until_ready()
        wait_until_it_says(pod, "work begins")
        before = aws.control.counts().calls.get("ListEventSourceMappings", 0)
        eventually(lambda: aws.control.counts().calls.get("ListEventSourceMappings", 0) >= before + 3)
        assert aws.control.counts().calls["CreateEventSourceMapping"] == 1
        assert len(aws.control.mappings()) == 1


def test_the_chart_is_packaged_with_all_that_it_needs(helm: Helm, plane: ControlPlane, tmp_path: Path) -> None:
    helm("package", CHART, "--destination", tmp_path)
    (archive,) = tmp_path.glob("esm-operator-*.tgz")
    values = yaml.safe_dump(dict(NEEDED))
    packaged = helm("template", "x", archive, "--values=-", input=values)
    assert packaged == helm("template", "x", CHART, "--values=-", input=values)
