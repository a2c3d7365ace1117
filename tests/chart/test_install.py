"""Releases on a real API server: installed, upgraded, uninstalled; and the operator run as in the Deployment."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import role
from tests.aws import AwsServer
from tests.bed import Resources, is_ready
from tests.bed.cluster import wait_until_served
from tests.chart.conftest import make_namespace
from tests.chart.helm import CHART, NAMESPACE, NEEDED, ROOT, Helm, HelmError, merged, the
from tests.chart.pod import Pod, can_unshare, pod_of, running
from tests.chart.test_render import copied
from tests.controlplane import ControlPlane, KubectlError
from tests.controlplane.client import path
from tests.e2e.manifests import queue
from tests.waiting import eventually

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


def get(plane: ControlPlane, kind: str, name: str) -> dict[str, Any]:
    """An object, in the release's namespace if it has one."""
    return plane.client.get(path(kind, name, NAMESPACE)) or {}


def names(plane: ControlPlane, *kinds: str, namespace: str = NAMESPACE) -> list[str]:
    """The names of all objects of some kinds, in a namespace if they have one."""
    return [one["metadata"]["name"] for kind in kinds for one in plane.client.items(path(kind, namespace=namespace))]


def deployment(plane: ControlPlane) -> dict[str, Any]:
    return get(plane, "Deployment", "esm-operator")


def resources(plane: ControlPlane, namespace: str = "default") -> Resources:
    return Resources(plane.client, namespace)


def wait_all_ready(of: Resources) -> None:
    eventually(lambda: all(map(is_ready, of.all())), lambda: f"all are ready: {of.all()}")


def wait_until_it_says(pod: Pod, text: str) -> None:
    eventually(lambda: text in pod.log.read_text(errors="replace"), f"its log has {text}:\n{pod.tail()}")


# The release


def test_what_an_uninstall_leaves_and_a_second_install_finds(plane: ControlPlane, helm: Helm) -> None:
    assert "manages the event source mappings of the cluster blue" in helm.install(NEEDED)
    wait_until_served(plane.client)
    plane.kubectl("apply", "--filename", QUEUE)

    said = helm.uninstall()
    assert CRD in said, "Helm lists the kept objects"
    kinds = ("Deployment", "ServiceAccount", "Service", "Role", "RoleBinding", "PodDisruptionBudget")
    assert names(plane, *kinds) == ["default"], "the account that no chart has made"
    assert not [one for one in names(plane, "ClusterRole", "ClusterRoleBinding") if "esm-operator" in one]
    assert names(plane, "EventSourceMapping", namespace=""), "every mapping is there"

    helm.install(NEEDED)
    assert names(plane, "EventSourceMapping", namespace="")


def test_without_keep_an_uninstall_takes_the_crds(plane: ControlPlane, helm: Helm) -> None:
    helm.install(merged(NEEDED, {"crds": {"keep": False}}))
    wait_until_served(plane.client)
    helm.uninstall()
    # The API server waits a minute at most for the objects of a CRD to go, and then begins again.
    eventually(lambda: not [one for one in names(plane, "CustomResourceDefinition") if "lambda.esm" in one], limit=300)


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
    wait_until_served(plane.client)
    plane.kubectl("apply", "--filename", QUEUE)
    kept = [one["metadata"]["uid"] for one in resources(plane).all()]
    assert not keeps_metrics(plane), "the API server drops what the old CRD does not know"

    helm.upgrade(NEEDED)
    eventually(lambda: keeps_metrics(plane))
    assert [one["metadata"]["uid"] for one in resources(plane).all()] == kept


def keeps_metrics(plane: ControlPlane) -> bool:
    """Whether the field that is new is stored."""
    (name,) = resources(plane).versions()
    resources(plane).patch(name, {"metricsConfig": {"metrics": ["EventCount"]}})
    return "metricsConfig" in (resources(plane).get(name) or {})["spec"]


def test_crds_from_elsewhere_are_taken_over_if_the_value_asks_for_it(plane: ControlPlane, helm: Helm) -> None:
    plane.kubectl("apply", "--server-side", "--filename", ROOT / "crds")
    with pytest.raises(HelmError, match="invalid ownership metadata"):
        helm.install(NEEDED)
    helm.install(NEEDED, "--take-ownership")
    labels = get(plane, "CustomResourceDefinition", CRD)["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_crds_from_elsewhere_are_left_alone_if_the_value_asks_for_it(plane: ControlPlane, helm: Helm) -> None:
    plane.kubectl("apply", "--server-side", "--filename", ROOT / "crds")
    wait_until_served(plane.client)
    helm.install(merged(NEEDED, {"crds": {"install": False}, "providerConfigs": {"default": {"region": "eu-west-1"}}}))
    helm.uninstall()
    assert get(plane, "CustomResourceDefinition", CRD)


@pytest.mark.parametrize("keep", [True, False])
def test_provider_configs_come_with_the_first_install(plane: ControlPlane, helm: Helm, keep: bool) -> None:
    """They go with their value, or with the release, only if that is wanted: resources may use them."""

    def configs() -> dict[str, Any]:
        return {one["metadata"]["name"]: one for one in plane.client.items(path("ProviderConfig"))}

    given = merged(NEEDED, {"crds": {"keep": keep}})
    one = {"providerConfigs": {"default": {"region": "eu-west-1"}}}
    helm.install(merged(given, one))
    assert configs()["default"]["spec"] == {"region": "eu-west-1"}
    uid = configs()["default"]["metadata"]["uid"]

    two = {"providerConfigs": {"default": {"region": "eu-central-1"}, "shop": {"region": "us-east-1"}}}
    helm.upgrade(merged(given, two))
    assert configs()["default"]["metadata"]["uid"] == uid, "the same one, because resources may use it"
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


@pytest.fixture
def plane_for_pods(chart_plane: ControlPlane) -> Generator[ControlPlane]:
    make_namespace(chart_plane, NAMESPACE, RESTRICTED)
    chart_plane.client.install(role.account())
    yield chart_plane
    chart_plane.client.delete(path("ServiceAccount", role.NAME, NAMESPACE))


@pytest.fixture
def aws(aws_server: AwsServer) -> AwsServer:
    aws_server.control.reset()
    aws_server.control.set(pace=0.3)
    return aws_server


def values_for(aws: AwsServer, **more: Any) -> dict[str, Any]:
    """An installation with credentials from a Secret."""
    given = {
        "region": "eu-west-1",
        "operatorCredentials": "WithoutProviderConfig",
        "endpointURL": aws.endpoint,
        "envFrom": [{"secretRef": {"name": "aws-credentials"}}],
        "extraEnv": [{"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}],
    }
    return merged(NEEDED, given, more)


def credentials(plane: ControlPlane) -> None:
    plane.client.install(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws-credentials", "namespace": NAMESPACE},
            "stringData": {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"},
        }
    )


@needs_mounts
def test_the_operator_works_as_in_the_deployment(
    plane: ControlPlane, helm: Helm, aws: AwsServer, tmp_path: Path
) -> None:
    credentials(plane)
    helm.install(values_for(aws))
    wait_until_served(plane.client)
    with running(plane.kubeconfig, deployment(plane), tmp_path) as pod:
        pod.wait_until_ready()
        plane.kubectl("apply", "--filename", QUEUE)
        wait_all_ready(resources(plane))
        lease = get(plane, "Lease", "esm-operator")["spec"]["holderIdentity"]
        assert lease == f"{pod.name}_{pod.object['metadata']['uid']}"
        (mapping,) = aws.control.mappings()
        assert mapping["Tags"]["esm-operator.io/cluster"] == "blue"
        for line in map(json.loads, pod.log.read_text().splitlines()):
            # a busy API server does not serve new CRDs yet
            waits = line["message"].startswith("The operator has not started yet. ")
            assert waits or line["level"].lower() not in ("warning", "error", "critical"), line

        # It continues with the existing mappings after an upgrade, and after an uninstall nothing is lost.
        plane.kubectl("delete", "--filename", QUEUE, "--timeout=200s")
        assert aws.control.mappings() == []
    assert get(plane, "Lease", "esm-operator")["spec"].get("holderIdentity") is None, "it is given back at the end"


@needs_mounts
def test_the_operator_works_in_its_namespaces_only(
    plane: ControlPlane, helm: Helm, aws: AwsServer, tmp_path: Path
) -> None:
    credentials(plane)
    for name in ("team-a", "team-b", "team-c"):
        make_namespace(plane, name)
    scope = {"scope": "namespaces", "namespaces": ["team-a", "team-b"]}
    helm.install(values_for(aws, **scope))
    wait_until_served(plane.client)
    with running(plane.kubeconfig, deployment(plane), tmp_path) as pod:
        pod.wait_until_ready()
        for name in ("team-c", "team-a", "team-b"):
            resources(plane, name).apply(queue(name))
        for name in ("team-a", "team-b"):
            wait_all_ready(resources(plane, name))
        assert len(aws.control.mappings()) == 2
        (foreign,) = resources(plane, "team-c").all()
        assert foreign["status"] == {"observedGeneration": -1}

        # It may not know the labels of namespaces, so it lets nobody in by them.
        config = {
            "apiVersion": "lambda.esm-operator.io/v1",
            "kind": "ProviderConfig",
            "metadata": {"name": "default"},
            "spec": {"namespaceSelector": {"matchExpressions": [{"key": "barred", "operator": "DoesNotExist"}]}},
        }
        plane.client.install(config)
        barred = resources(plane, "team-a")
        eventually(lambda: barred.condition("team-a", "Stalled").get("status") == "True")
        assert "--no-watch-namespace-labels" in str(barred.get("team-a"))
        assert "forbidden" not in pod.log.read_text()


@needs_mounts
def test_an_upgrade_is_a_handover(plane: ControlPlane, helm: Helm, aws: AwsServer, tmp_path: Path) -> None:
    """The old pod gives the lease back, the new one continues: nothing is done twice."""
    credentials(plane)
    helm.install(values_for(aws))
    wait_until_served(plane.client)
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with running(plane.kubeconfig, deployment(plane), tmp_path / "old") as pod:
        pod.wait_until_ready()
        plane.kubectl("apply", "--filename", QUEUE)
        wait_all_ready(resources(plane))
    helm.upgrade(values_for(aws, sweepInterval=1, logFormat="text"))
    with running(plane.kubeconfig, deployment(plane), tmp_path / "new") as pod:
        pod.wait_until_ready()
        wait_until_it_says(pod, "begins to reconcile")
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
