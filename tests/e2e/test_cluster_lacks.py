"""What the cluster lacks is said in a sentence with the remedy, in the log and by the probe, until it is there."""

import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests import role
from tests.controlplane import ControlPlane
from tests.e2e.bed import eventually
from tests.e2e.conftest import ROOT
from tests.e2e.proxy import Proxy, kubeconfig_through
from tests.e2e.test_start import command
from tests.operator_process import OperatorProcess

CRDS = tuple(f"--filename={file}" for file in sorted((ROOT / "crds").glob("lambda.*.yaml")))
#: Nobody listens there: connections are refused.
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def bare() -> Generator[ControlPlane]:
    """A control plane on which nothing is installed but a ServiceAccount without rights."""
    with ControlPlane() as plane:
        plane.kubectl("create", "namespace", "esm-operator")
        plane.kubectl("create", "serviceaccount", "esm-operator", "--namespace=esm-operator")
        yield plane


def install(plane: ControlPlane) -> None:
    """All that the operator needs."""
    plane.kubectl("apply", "--filename=-", input=role.manifest())
    plane.kubectl("apply", *CRDS)
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all")


@contextmanager
def launched(kubeconfig: Path, log: Path, *arguments: str) -> Generator[OperatorProcess]:
    """An operator that is started, whether it gets ready or not."""
    operator = OperatorProcess(kubeconfig=kubeconfig, endpoint=NOWHERE, log=log, arguments=arguments)
    operator.launch()
    try:
        yield operator
    finally:
        operator.stop()


def probe(operator: OperatorProcess, path: str = "/readyz") -> tuple[int, str]:
    """What a probe answers: status and text; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(operator.url + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def wait_said(operator: OperatorProcess, *words: str, status: int = 503) -> None:
    """Wait until the probe and the log say it."""

    def is_said() -> bool:
        code, text = probe(operator)
        return code == status and all(word in text and word in operator.tail(500) for word in words)

    eventually(is_said, 40, f"{words} in {probe(operator)} and in the log")
    assert probe(operator, "/healthz")[0] == 200
    assert "Traceback" not in operator.log.read_text()


def test_rights_then_kinds_come_one_after_the_other(bare: ControlPlane, tmp_path: Path) -> None:
    with ExitStack() as exits:
        kubeconfig = bare.kubeconfig_for("esm-operator", "esm-operator")
        operator = exits.enter_context(launched(kubeconfig, tmp_path / "log"))
        wait_said(operator, "The operator lacks a right", "cannot list resource", "Give the operator's ServiceAccount")
        bare.kubectl("apply", "--filename=-", input=role.manifest())
        wait_said(operator, "does not serve eventsourcemappings.lambda.esm-operator.io/v1 and providerconfigs", "CRDs")
        bare.kubectl("apply", *CRDS)
        eventually(lambda: probe(operator)[0] == 200, 40, "it is ready")
        eventually(lambda: "leading" in probe(operator)[1], 40, "it leads")
        eventually(lambda: "AWS can't be reached" in probe(operator)[1], 40, "ready, and it says what AWS refuses")
        assert "AWS can't be reached" in operator.tail(500)


def test_one_of_the_kinds_goes_while_it_runs(bare: ControlPlane, tmp_path: Path) -> None:
    install(bare)
    operator = OperatorProcess(
        kubeconfig=bare.kubeconfig_for("esm-operator", "esm-operator"), endpoint=NOWHERE, log=tmp_path / "log"
    )
    with operator:
        bare.kubectl("delete", "crd", "eventsourcemappings.lambda.esm-operator.io")
        eventually(operator.has_ended, 60, "it ends, to be started anew")
        assert "does not serve eventsourcemappings.lambda.esm-operator.io/v1" in operator.tail(5)
        assert "Traceback" not in operator.log.read_text()
    with launched(bare.kubeconfig_for("esm-operator", "esm-operator"), tmp_path / "log-2") as again:
        wait_said(again, "does not serve eventsourcemappings.lambda.esm-operator.io/v1", "Install the CRDs")


def test_a_watch_that_is_not_answered(bare: ControlPlane, tmp_path: Path) -> None:
    """All else is answered: lists, and what the lease asks."""
    install(bare)
    with Proxy(*bare.address) as proxy, ExitStack() as exits:
        direct = bare.kubeconfig_for("esm-operator", "esm-operator")
        kubeconfig = kubeconfig_through(direct, proxy, tmp_path / "config")
        operator = exits.enter_context(launched(kubeconfig, tmp_path / "log"))
        eventually(lambda: "ready: leading" in probe(operator)[1], 40, "it leads")
        exits.callback(install, bare)
        bare.kubectl("apply", "--filename=-", input=without_watches())
        proxy.cut()
        told = ("has not answered the watch of", "403", "check the network to it, and the operator's roles")
        eventually(lambda: all(word in probe(operator)[1] for word in told), 60, "the probe says it")
        assert probe(operator)[0] == 503
        install(bare)
        eventually(lambda: probe(operator)[0] == 200, 40, "it is ready again")


def without_watches() -> str:
    """The operator's roles without the verb watch."""
    manifests = list(yaml.safe_load_all(role.manifest()))
    for one in manifests:
        for rule in one.get("rules") or ():
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
    return yaml.safe_dump_all(manifests)


def test_an_api_server_that_is_away(bare: ControlPlane, tmp_path: Path) -> None:
    install(bare)
    with Proxy(*bare.address) as proxy:
        direct = bare.kubeconfig_for("esm-operator", "esm-operator")
        proxy.refuse()
        with launched(kubeconfig_through(direct, proxy, tmp_path / "config"), tmp_path / "log") as operator:
            wait_said(operator, f"The API server https://127.0.0.1:{proxy.port} can't be reached", "Check the network")
            proxy.restore()
            eventually(lambda: probe(operator)[0] == 200, 40, "it is ready")


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
def test_an_api_server_that_refuses_or_is_not_trusted(
    bare: ControlPlane, tmp_path: Path, part: str, change: Callable[[dict[str, str]], object], words: tuple[str, ...]
) -> None:
    config = yaml.safe_load(bare.kubeconfig_for("esm-operator", "esm-operator").read_text())
    change(config[f"{part}s"][0][part])
    wrong = tmp_path / "config"
    wrong.write_text(yaml.safe_dump(config))
    with launched(wrong, tmp_path / "log") as operator:
        wait_said(operator, *words)


def test_orphans_of_a_cluster_without_the_kinds() -> None:
    with ControlPlane() as plane:
        ended = command("orphans", "--region=eu-west-1", KUBECONFIG=str(plane.kubeconfig))
    assert ended.returncode == 1
    assert "their CustomResourceDefinitions are not installed. Is KUBECONFIG that" in ended.stderr
