"""What the pages about operations and security say to type or to apply does what they say."""

import os
import subprocess
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.bed import Bed, install
from tests.bed.cluster import create_namespace
from tests.controlplane import ControlPlane
from tests.controlplane.client import ApiError, path
from tests.e2e.commands import run_command
from tests.e2e.manifests import QUEUE, queue, stream
from tests.pages import blocks, commands
from tests.waiting import eventually

CLUSTER = "esm-operator.io/cluster"


def run(bed: Bed, page: str, words: str) -> str:
    """Type the command of a page that has some words, literally; what it prints."""
    (text,) = {command.text for command in commands() if command.place.startswith(page) and words in command.text}
    ended = subprocess.run(
        ["bash", "-c", text],
        env={
            "PATH": f"{bed.plane.kubectl_path.parent}:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
            "KUBECONFIG": str(bed.plane.kubeconfig),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, f"{text}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def manifest(page: str, words: str) -> str:
    """The YAML of a page that has some words."""
    (text,) = {block.text for block in blocks("yaml") if block.page == page and words in block.text}
    return text


def test_a_cluster_gets_another_name(bed: Bed) -> None:
    operator = bed.operator("--cluster-name=blue", "--sweep-interval=1")
    bed.apply(queue("one"), stream("two"))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("one", "two")}
    operator.stop()
    bed.operator("--cluster-name=green", "--sweep-interval=1")
    for name in uuids:
        bed.wait_condition(name, "Stalled", "True", "Conflict")
    run(bed, "docs/how-to/operations.md", "takeOverFrom")
    for name in uuids:
        bed.wait_ready(name)
        bed.patch(name, {"adoption": None})
    bed.wait_swept(3)
    for name, uuid in uuids.items():
        assert bed.wait_ready(name)["status"]["uuid"] == uuid
        assert bed.mapping(name)["Tags"][CLUSTER] == "green"
    assert len(bed.mappings()) == 2


def test_everything_goes_but_the_mappings(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("one", tags={"team": "shop"}), stream("two"))
    for name in ("one", "two"):
        bed.wait_ready(name)
    run(bed, "docs/how-to/operations.md", '{"deletionPolicy": "Retain"}')
    run(bed, "docs/how-to/operations.md", "kubectl delete esm --all --all-namespaces")
    assert bed.all() == []
    assert [(one["State"], one["Tags"]) for one in sorted(bed.mappings(), key=lambda one: one["FunctionArn"])] == [
        ("Enabled", {"team": "shop"}),
        ("Enabled", {}),
    ]


def test_all_deletions_are_stopped(bed: Bed) -> None:
    bed.operator("--deletions-per-minute=1")
    names = [f"orders-{number}" for number in range(4)]
    bed.apply(*(queue(name) for name in names))
    for name in names:
        bed.wait_ready(name)
    for name in names:
        bed.delete(name)
    eventually(lambda: sum("DeletionsHeld" in bed.events(name) for name in names) == 3, what="all but one are held")
    eventually(lambda: len(bed.all()) == 3, what="the one that is let through is gone")  # else kubectl may miss it
    run(bed, "docs/how-to/operations.md", "kubectl annotate esm --all --all-namespaces")
    left = {one["metadata"]["name"] for one in bed.all()}
    for name in left:
        bed.wait_condition(name, "Ready", "False", "Paused")
        bed.annotate(name, orphan="true")
    for name in left:
        bed.wait_gone(name)
    assert len(bed.mappings()) == 3


def test_who_names_no_provider_config_gets_nothing(bed: Bed) -> None:
    bed.kubectl("apply", "--filename=-", input=manifest("docs/explanation/security.md", "uses-default"))
    bed.operator()
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", "ProviderConfigForbidsNamespace")
    assert bed.mappings() == []
    bed.label_namespace(**{"esm-operator.example.com/uses-default": "true"})
    bed.wait_ready("orders")


@pytest.fixture
def no_adoption(bed: Bed) -> Generator[None]:
    """The page's policy, in force."""
    text = manifest("docs/explanation/security.md", "ValidatingAdmissionPolicy")
    bed.kubectl("apply", "--filename=-", input=text)
    try:
        yield
    finally:
        bed.kubectl("delete", "--filename=-", input=text)


@pytest.mark.usefixtures("no_adoption")
def test_adoption_is_forbidden_but_where_it_is_allowed(bed: Bed) -> None:
    bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    bed.operator()
    wanted = queue(adoption={"policy": "IfExists"})

    def told() -> str:
        where = f"{path('EventSourceMapping', namespace=bed.namespace)}?dryRun=All"
        try:
            bed.client.request("POST", where, wanted)
        except ApiError as error:
            return error.message
        return ""

    message = eventually(told, what="the policy is in force")
    assert "taken over by the platform team" in message
    bed.apply(queue("other"))
    bed.wait_ready("other")
    bed.label_namespace(**{"esm-operator.example.com/may-adopt": "yes"})
    eventually(lambda: not told(), what="the namespace may adopt")
    bed.apply(wanted)
    bed.wait_ready("orders")
    bed.label_namespace(**{"esm-operator.example.com/may-adopt": None})
    eventually(lambda: "taken over by the platform team" in told(), what="the policy is in force again")
    bed.patch("orders", {"batchSize": 3})
    bed.wait_ready("orders")
    bed.delete("orders")
    bed.wait_gone("orders")


@pytest.mark.long
def test_two_clusters_under_one_name(bed: Bed, tmp_path: Path) -> None:
    flags = ("--cluster-name=blue", "--sweep-interval=1", "--tag-sweep-interval=2")
    bed.operator(*flags)
    bed.apply(queue(batchSize=5))
    first = bed.wait_ready("orders")
    with ExitStack() as exits:
        plane = exits.enter_context(ControlPlane())
        install(plane)
        create_namespace(plane.client, bed.namespace)
        other = exits.enter_context(
            Bed(plane=plane, aws=bed.aws, kubeconfig=plane.kubeconfig, namespace=bed.namespace, folder=tmp_path)
        )
        other.apply(queue(batchSize=7))
        other.operator(*flags)
        eventually(lambda: "DriftCorrected" in bed.events("orders"), "the one puts it right")
        eventually(
            lambda: "ChangeNotKept" in (bed.events("orders").keys() | other.events("orders").keys()),
            "one of them sees that it is not kept",
        )
        uuid = first["status"]["uuid"]
        assert [one["UUID"] for one in bed.mappings()] == [uuid], "nothing is doubled"
        assert other.status("orders")["uuid"] == uuid

        other.delete("orders")
        other.wait_gone("orders")
        eventually(lambda: "CreatedAgain" in bed.events("orders"), "the other one makes it again")
    eventually(lambda: [one["BatchSize"] for one in bed.mappings()] == [5], "all is right again")
    bed.wait_ready("orders")
    (mapping,) = bed.mappings()
    assert mapping["Tags"]["esm-operator.io/uid"] == first["metadata"]["uid"]


def test_the_job_that_looks_for_orphans_is_taken_and_asks_what_there_is(bed: Bed) -> None:
    job = manifest("docs/how-to/operations.md", "CronJob")
    bed.plane.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", input=job)
    (container,) = yaml.safe_load(job)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    kubeconfig = bed.plane.kubeconfig_for("esm-operator", "esm-operator")
    ended = run_command(bed, *container["args"], environment={"KUBECONFIG": str(kubeconfig)})
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
