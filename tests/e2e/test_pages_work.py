"""The commands and manifests of the guides and of the pages about security have the described effect."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.bed import WRITES, Bed, install
from tests.bed.cluster import create_namespace
from tests.controlplane import ControlPlane
from tests.controlplane.client import ApiError, Object, path
from tests.e2e.commands import run_command
from tests.e2e.manifests import QUEUE, provider_config, queue, stream
from tests.e2e.shell import Shell
from tests.operator_process import ROOT
from tests.pages import calls, commands, manifests, typed
from tests.waiting import eventually

CLUSTER = "esm-operator.io/cluster"


@pytest.fixture
def shell(bed: Bed, tmp_path: Path) -> Shell:
    """Types the commands of the pages."""
    return Shell(bed, tmp_path)


def manifest(page: str, words: str) -> str:
    """The YAML of a page that has some words."""
    (text,) = {text for text in manifests(page) if words in text}
    return text


def test_a_cluster_is_renamed(bed: Bed, shell: Shell) -> None:
    operator = bed.operator("--cluster-name=blue", "--sweep-interval=1")
    bed.apply(queue("one"), stream("two"))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("one", "two")}
    operator.stop()
    bed.operator("--cluster-name=green", "--takeover-from-clusters=blue", "--sweep-interval=1")
    for name in uuids:
        bed.wait_condition(name, "Stalled", "True", "Conflict")
    shell.run("how-to/several-clusters.md", "Rename a cluster")
    for name in uuids:
        bed.wait_ready(name)
        bed.patch(name, {"adoption": None})
    bed.wait_swept(3)
    for name, uuid in uuids.items():
        assert bed.wait_ready(name)["status"]["uuid"] == uuid
        assert bed.mapping(name)["Tags"][CLUSTER] == "green"
    assert len(bed.mappings()) == 2


def test_all_resources_are_deleted_and_the_mappings_remain(bed: Bed, shell: Shell) -> None:
    bed.operator()
    bed.apply(queue("one", tags={"team": "shop"}), stream("two"))
    for name in ("one", "two"):
        bed.wait_ready(name)
    shell.run("how-to/uninstall.md", "Keep the mappings, delete everything else")
    for command in typed("how-to/uninstall.md", "Delete everything, including the mappings")[:2]:
        shell.type(command)
    assert bed.all() == []
    assert [(one["State"], one["Tags"]) for one in sorted(bed.mappings(), key=lambda one: one["FunctionArn"])] == [
        ("Enabled", {"team": "shop"}),
        ("Enabled", {}),
    ]


def test_an_accidental_deletion_is_stopped(bed: Bed, shell: Shell) -> None:
    page = "how-to/stop-deletions.md"
    bed.operator("--deletions-per-minute=1", "--cluster-name=blue")
    names = ["orders", *(f"orders-{number}" for number in range(3))]
    bed.apply(*(queue(name) for name in (*names, "bills", "clicks")))
    for name in (*names, "bills", "clicks"):
        bed.wait_ready(name)
    bed.annotate("bills", paused="true")
    for name in names[1:]:
        bed.delete(name)
    eventually(lambda: sum("DeletionsHeld" in bed.events(name) for name in names) == 2, what="all but one are held")
    eventually(lambda: len(bed.all()) == 5, what="the one that is let through is gone")  # else kubectl may miss it
    bed.delete("orders")

    (pause,) = typed(page, "1. Pause all resources")
    shell.type(pause, status=1)  # kubectl reports the resource that was paused before
    left = {one["metadata"]["name"] for one in bed.all()} - {"bills", "clicks"}
    assert "orders" in left
    for name in left:
        bed.wait_condition(name, "Ready", "False", "Paused")
    one, all_of_them = typed(page, "2. Keep the mappings")
    shell.type(one)
    bed.wait_gone("orders")
    shell.type(all_of_them)
    for name in left:
        bed.wait_gone(name)
    uuids = {one["UUID"] for one in bed.mappings()}
    assert len(uuids) == len(left) + 2 == 5

    bed.apply(*(queue(name) for name in left))
    for name in left:
        bed.wait_ready(name)
    assert _paused(bed, "clicks") == "accidental-deletion"
    bed.annotate("orders", paused=_paused(bed, "clicks"))
    bed.delete("clicks")  # after the second step, so that it has no annotation `orphan`
    bed.wait_condition("clicks", "Ready", "False", "Paused")
    _, orphans = shell.run(page, "3. Apply the manifests again")
    assert orphans == "", "there are no orphans"
    assert _paused(bed, "orders") == ""
    assert _paused(bed, "bills") == "true", "it was paused before"
    assert _paused(bed, "clicks") == "accidental-deletion", "it is being deleted"
    assert {one["UUID"] for one in bed.mappings()} == uuids


def _paused(bed: Bed, name: str) -> str:
    """The value of the annotation that pauses a resource. Empty: it has none."""
    annotations = (bed.get(name) or {})["metadata"]["annotations"]
    return annotations.get("lambda.esm-operator.io/paused", "")


def test_a_mapping_is_adopted(bed: Bed, shell: Shell) -> None:
    page = "how-to/adopt-a-mapping.md"
    made = bed.control.make_mapping(
        FunctionName="process-orders", EventSourceArn=QUEUE, BatchSize=7, region="eu-west-1"
    )
    bed.operator("--sweep-interval=1")
    bed.control.reset_counts()
    shell.run(page, "1. Export the manifest")
    _, _, described = shell.run(page, "2. Observe the mapping")
    assert "managementPolicy is Observe" in described or "Observed" in described
    (name,) = (one["metadata"]["name"] for one in bed.all())
    assert bed.condition(name, "Synced")["status"] == "True"
    assert not bed.calls().keys() & WRITES, "observing changes nothing in AWS"

    shell.run(page, "3. Adopt the mapping")
    eventually(lambda: "Adopted" in bed.events(name))
    assert bed.status(name)["uuid"] == made["UUID"]
    shell.run(page, "4. Remove the adoption")
    spec = bed.wait_ready(name)["spec"]
    assert not spec.keys() & {"adoption", "managementPolicy"}
    (mapping,) = bed.mappings()
    assert (mapping["UUID"], mapping["BatchSize"]) == (made["UUID"], 7)
    assert CLUSTER in mapping["Tags"]


def test_a_mapping_is_paused_and_resumed(bed: Bed, shell: Shell) -> None:
    page = "how-to/pause-a-mapping.md"
    bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")
    shell.run(page, "Pause a resource")
    bed.patch("orders", {"batchSize": 6})
    stalled = bed.wait_condition("orders", "Reconciling", "True", "Paused")
    assert "batchSize: 5 -> 6" in stalled["message"]
    assert bed.mapping("orders")["BatchSize"] == 5
    shell.run(page, "Resume a resource")
    bed.wait_ready("orders")
    assert bed.mapping("orders")["BatchSize"] == 6

    pause, resume = typed(page, "Pause all resources of a namespace")
    shell.type(pause)
    bed.patch("orders", {"batchSize": 7})
    bed.wait_condition("orders", "Reconciling", "True", "Paused")
    shell.type(resume)
    bed.wait_ready("orders")

    disable, enable = typed(page, "Stop processing")
    shell.type(disable)
    eventually(lambda: bed.condition("orders", "Ready").get("reason") == "Disabled", what="the mapping is disabled")
    assert bed.mapping("orders")["State"] == "Disabled"
    shell.type(enable)
    eventually(lambda: bed.condition("orders", "Ready").get("reason") == "Enabled", what="the mapping is enabled")


def test_an_account_is_added_and_removed(bed: Bed, shell: Shell) -> None:
    page = "how-to/add-an-account.md"
    bed.operator()
    shell.save("provider-config.yaml", page, "3. Create a ProviderConfig")
    shell.save("orders.yaml", page, "4. Use the ProviderConfig in a resource")
    create, label = typed(page, "3. Create a ProviderConfig")
    apply, wait = typed(page, "4. Use the ProviderConfig in a resource")
    shell.type(create)
    shell.type(apply)
    bed.wait_condition("orders", "Stalled", "True", "ProviderConfigForbidsNamespace")
    shell.type(label)
    shell.type(wait)
    assert bed.status("orders")["arn"].startswith("arn:aws:lambda:eu-west-1:222222222222:")
    shell.run(page, "Remove an account")
    assert bed.all() == []
    assert bed.config("shop-production") is None
    bed.label_namespace(**{"shop.example.com/stage": None})


def test_the_policies_for_another_account_are_printed(bed: Bed, shell: Shell) -> None:
    page = "how-to/add-an-account.md"
    for section in ("1. Create the role in the new account", "2. Allow the operator's role to assume the new role"):
        for command in typed(page, section):
            if command.startswith("esm-operator"):
                shell.type(command)
            else:  # of AWS: it reads what was printed
                (file,) = re.findall(r"--policy-document file://(\S+)", command) or re.findall(r"file://(\S+)", command)
                assert json.loads((shell.folder / file).read_text())["Statement"], command


def test_a_resource_is_deleted_without_an_operator(bed: Bed, shell: Shell) -> None:
    operator = bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    operator.stop()
    bed.delete("orders")
    assert bed.get("orders") is not None, "the finalizer keeps it"
    shell.run("how-to/uninstall.md", "Resources remain in Terminating")
    assert bed.get("orders") is None
    (mapping,) = bed.mappings()
    assert CLUSTER in mapping["Tags"]


def test_a_finalizer_of_a_removed_operator_is_removed(bed: Bed, shell: Shell) -> None:
    config = provider_config("shop-production")
    config["metadata"]["finalizers"] = ["lambda.esm-operator.io/gone"]
    bed.apply(config)
    where = path("ProviderConfig", "shop-production")
    bed.client.delete(where)
    assert bed.client.get(where) is not None
    shell.run("how-to/several-operators.md", "Remove one of several operators")
    assert bed.client.get(where) is None


def test_the_first_commands_of_troubleshooting(bed: Bed, shell: Shell) -> None:
    page = "how-to/troubleshooting.md"
    bed.operator("--sweep-interval=3600")
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")
    *reading, logs, reconcile = typed(page, "First commands")
    for command in reading:
        assert "orders" in shell.type(command)
    assert logs.startswith("kubectl --namespace esm-operator logs")
    bed.control.edit_mapping(bed.status("orders")["uuid"], BatchSize=9)
    shell.type(reconcile)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 5, what="the drift is corrected")
    shell.run(page, "The resource remains in Terminating")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert len(bed.mappings()) == 1


def test_commands_of_the_runbooks_that_read(bed: Bed) -> None:
    """Each ``kubectl get`` has an output format that kubectl accepts, and the operator has the permissions."""
    bed.apply(queue())
    seen = 0
    for command in commands():
        if "/runbooks/" not in command.place:
            continue
        for program, *words in calls(command):
            if program != "kubectl" or "NAMESPACE" in words or "lease" in words:  # placeholders, and no Lease exists
                continue
            if words[0] == "get":
                bed.plane.kubectl(*words)
                seen += 1
            elif words[0] == "auth":
                assert bed.plane.kubectl(*words).stdout.strip() == "yes", command
                seen += 1
    assert seen > 10


def test_a_resource_without_a_provider_config_is_refused(bed: Bed) -> None:
    bed.kubectl("apply", "--filename=-", input=manifest("explanation/tenants.md", "uses-default"))
    bed.operator()
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", "ProviderConfigForbidsNamespace")
    assert bed.mappings() == []
    bed.label_namespace(**{"esm-operator.example.com/uses-default": "true"})
    bed.wait_ready("orders")


def refusal(bed: Bed, wanted: Object) -> str:
    """The message with which the API server would refuse a resource; empty: it would accept it."""
    where = f"{path('EventSourceMapping', namespace=bed.namespace)}?dryRun=All"
    try:
        bed.client.request("POST", where, wanted)
    except ApiError as error:
        return error.message
    return ""


@pytest.fixture
def no_adoption(bed: Bed) -> Generator[None]:
    """The page's policy, in force."""
    text = manifest("explanation/tenants.md", "ValidatingAdmissionPolicy")
    bed.kubectl("apply", "--filename=-", input=text)
    try:
        yield
    finally:
        bed.kubectl("delete", "--filename=-", input=text)
        wanted = queue("free", adoption={"policy": "IfExists"})
        eventually(lambda: not refusal(bed, wanted), what="the policy is no longer in force")


@pytest.mark.usefixtures("no_adoption")
def test_adoption_is_forbidden_except_in_allowed_namespaces(bed: Bed) -> None:
    bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    bed.operator()
    wanted = queue(adoption={"policy": "IfExists"})

    def told() -> str:
        return refusal(bed, wanted)

    message = eventually(told, what="the policy is in force")
    assert "Only the platform team adopts" in message
    bed.apply(queue("other"))
    bed.wait_ready("other")
    bed.label_namespace(**{"esm-operator.example.com/may-adopt": "yes"})
    eventually(lambda: not told(), what="the namespace may adopt")
    bed.apply(wanted)
    bed.wait_ready("orders")
    bed.label_namespace(**{"esm-operator.example.com/may-adopt": None})
    eventually(lambda: "Only the platform team adopts" in told(), what="the policy is in force again")
    bed.patch("orders", {"batchSize": 3})
    bed.wait_ready("orders")
    bed.delete("orders")
    bed.wait_gone("orders")


@pytest.mark.long
def test_two_clusters_with_the_same_name(bed: Bed, tmp_path: Path) -> None:
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
        bed.compares_log = other.compares_log = False  # both change the mappings of one account
        other.apply(queue(batchSize=7))
        other.operator(*flags)
        eventually(lambda: "DriftCorrected" in bed.events("orders"), "the one corrects it")
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


def test_the_cron_job_is_valid_and_finds_no_orphans(bed: Bed) -> None:
    job = manifest("how-to/find-orphaned-mappings.md", "CronJob")
    bed.plane.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", input=job)
    (container,) = yaml.safe_load(job)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    kubeconfig = bed.plane.kubeconfig_for("esm-operator", "esm-operator")
    ended = run_command(bed, *container["args"], environment={"KUBECONFIG": str(kubeconfig)})
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr


@pytest.mark.parametrize("page", ["how-to/install.md", "how-to/backup-and-restore.md"])
def test_the_crds_are_applied(shell: Shell, page: str) -> None:
    section = {"how-to/install.md": "Use CRDs that exist"}.get(page, "Move to another cluster")
    (printed,) = shell.run(page, section)
    assert printed.count("serverside-applied") == 2


@pytest.mark.long
def test_the_command_is_installed_with_uv(tmp_path: Path) -> None:
    """As on the page, into folders of the test. uv takes packages from its cache or from its index."""
    install, call = typed("how-to/install-the-command.md", "With uv")
    binaries = tmp_path / "bin"
    ended = subprocess.run(
        ["bash", "-c", f"set -e; {install}; {call}"],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "UV_TOOL_DIR": str(tmp_path / "tools"),
            "UV_TOOL_BIN_DIR": str(binaries),
        },
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    if ended.returncode != 0 and "Failed to fetch" in ended.stderr:
        pytest.skip("uv cannot reach its index here")
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"esm-operator \d+\.\d+\.\d+\n", ended.stdout.splitlines(keepends=True)[-1])
