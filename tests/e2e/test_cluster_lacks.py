"""Missing rights and kinds in the cluster: the log reports them with the remedy, and the probe fails meanwhile."""

import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import role
from tests.aws import AwsServer
from tests.bed import KIND, Bed, install
from tests.bed.cluster import crds, create_namespace
from tests.controlplane import ControlPlane
from tests.controlplane.client import path
from tests.e2e.proxy import Proxy, kubeconfig_through
from tests.e2e.test_start import command
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

#: An address at which nobody listens, so connections are refused.
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def bare_plane() -> Generator[ControlPlane]:
    """A control plane with only a ServiceAccount without rights."""
    with ControlPlane() as plane:
        create_namespace(plane.client, role.NAME)
        plane.client.install(role.account())
        yield plane


@pytest.fixture
def bare(bare_plane: ControlPlane, aws_server: AwsServer, tmp_path: Path) -> Generator[Bed]:
    """A bed on this control plane, whose operator cannot connect to AWS."""
    aws_server.control.reset()
    kubeconfig = bare_plane.kubeconfig_for(role.NAME, role.NAME)
    with Bed(plane=bare_plane, aws=aws_server, kubeconfig=kubeconfig, namespace="default", folder=tmp_path) as bed:
        yield bed


def launched(bed: Bed, kubeconfig: Path | None = None, name: str = "operator") -> OperatorProcess:
    """A started operator. The test does not wait until it is ready."""
    operator = bed.operator(start=False, name=name, kubeconfig=kubeconfig, endpoint=NOWHERE)
    operator.launch()
    return operator


def probe(operator: OperatorProcess, path: str = "/readyz") -> tuple[int, str]:
    """The status and text of a probe. Status 0: nobody answers."""
    try:
        with urllib.request.urlopen(operator.url + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def wait_said(operator: OperatorProcess, *words: str, status: int = 503) -> None:
    """Wait until the log has this text, and the probe has the status. Everybody can read the answer of the probe."""

    def is_said() -> bool:
        return probe(operator)[0] == status and all(word in operator.tail(500) for word in words)

    eventually(is_said, lambda: f"{words} in the log, and {status} of {probe(operator)}")
    assert "The log shows what to do" in probe(operator)[1]
    assert probe(operator, "/healthz")[0] == 200
    assert "Traceback" not in operator.log.read_text()


def uninstall(plane: ControlPlane) -> None:
    """Remove the CRDs and roles of other tests in this module."""
    for one in (*crds(), *role.objects()):
        if one["kind"] not in ("Namespace", "ServiceAccount"):
            where = path(one["kind"], one["metadata"]["name"], one["metadata"].get("namespace", ""))
            plane.client.delete(where)
            eventually(lambda where=where: plane.client.get(where) is None, f"{where} is gone")


def test_missing_rights_and_kinds_are_reported_until_they_are_installed(bare: Bed) -> None:
    uninstall(bare.plane)
    operator = launched(bare)
    wait_said(operator, "The operator lacks a right", "cannot list resource", "Give the operator's ServiceAccount")
    bare.client.install(*role.objects())
    wait_said(operator, "does not serve eventsourcemappings.lambda.esm-operator.io/v1 and providerconfigs", "CRDs")
    bare.client.install(*crds())
    eventually(lambda: probe(operator)[0] == 200, "it is ready")
    eventually(lambda: "leading" in probe(operator)[1], "it leads")
    eventually(lambda: "Requests to AWS fail (" in probe(operator)[1], "it reports the failure")
    assert "The operator could not reach AWS" in operator.tail(500)


def test_a_kind_that_is_removed_at_run_time_is_reported(bare: Bed) -> None:
    install(bare.plane)
    operator = bare.operator(endpoint=NOWHERE)
    mappings = path("CustomResourceDefinition", KIND)
    bare.client.delete(mappings)
    eventually(lambda: bare.client.get(mappings) is None, "the CRD is gone")
    eventually(operator.has_ended, "it ends, to be started again")
    assert "does not serve eventsourcemappings.lambda.esm-operator.io/v1" in operator.tail(5)
    assert "Traceback" not in operator.log.read_text()
    again = launched(bare, name="again")
    wait_said(again, "does not serve eventsourcemappings.lambda.esm-operator.io/v1", "Install the CRDs")


def test_an_unanswered_watch_is_reported(bare: Bed, tmp_path: Path) -> None:
    """All other requests are answered, such as lists and those for the lease."""
    install(bare.plane)
    with Proxy(*bare.plane.address) as proxy, ExitStack() as exits:
        operator = launched(bare, kubeconfig_through(bare.kubeconfig, proxy, tmp_path / "config"))
        exits.callback(operator.stop)
        eventually(lambda: "ready: leading" in probe(operator)[1], "it leads")
        exits.callback(install, bare.plane)
        bare.client.install(*without_watches())
        proxy.cut()
        told = ("has not answered the watch of", "403", "Check the network to the API server, and the operator's roles")
        eventually(lambda: "does not answer a watch" in probe(operator)[1], "the probe reports it")
        assert probe(operator)[0] == 503
        eventually(lambda: all(word in operator.tail(500) for word in told), "the log has the details")
        install(bare.plane)
        eventually(lambda: probe(operator)[0] == 200, "it is ready again")


def without_watches() -> list[dict[str, Any]]:
    """The operator's roles without the verb watch."""
    manifests = role.objects()
    for one in manifests:
        for rule in one.get("rules") or ():
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
    return manifests


def test_an_unreachable_api_server_is_reported(bare: Bed, tmp_path: Path) -> None:
    install(bare.plane)
    with Proxy(*bare.plane.address) as proxy, ExitStack() as exits:
        proxy.refuse()
        operator = launched(bare, kubeconfig_through(bare.kubeconfig, proxy, tmp_path / "config"))
        exits.callback(operator.stop)
        wait_said(operator, f"The API server https://127.0.0.1:{proxy.port} can't be reached", "Check the network")
        proxy.restore()
        eventually(lambda: probe(operator)[0] == 200, "it is ready")


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("user", lambda user: user.update(token="wrong"), ("refuses the operator's credentials", "ServiceAccount")),
        (
            "cluster",
            lambda cluster: cluster.pop("certificate-authority-data"),
            ("can't be trusted", "certificate-authority"),
        ),
        (
            "cluster",
            lambda cluster: cluster.update({"certificate-authority-data": "bm9uZQ=="}),
            ("can't be used", "Check the certificates"),
        ),
    ],
)
def test_refused_credentials_and_an_untrusted_certificate_are_reported(
    bare: Bed, tmp_path: Path, part: str, change: Callable[[dict[str, str]], object], words: tuple[str, ...]
) -> None:
    config = yaml.safe_load(bare.kubeconfig.read_text())
    change(config[f"{part}s"][0][part])
    wrong = tmp_path / "config"
    wrong.write_text(yaml.safe_dump(config))
    wait_said(launched(bare, wrong), *words)


def test_the_command_orphans_reports_missing_kinds(bare_plane: ControlPlane) -> None:
    uninstall(bare_plane)
    ended = command("orphans", "--region=eu-west-1", KUBECONFIG=str(bare_plane.kubeconfig))
    assert ended.returncode == 1
    assert "Check that KUBECONFIG names the cluster" in ended.stderr
