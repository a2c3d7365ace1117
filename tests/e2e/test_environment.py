"""The effect of the environment of the process."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.e2e.proxy import HttpProxy
from tests.operator_process import ROOT, base_environment
from tests.service_variables import SERVICE_VARIABLES


def test_a_netrc_does_not_stand_in_for_the_kubeconfig(bed: Bed, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    proxies = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1,localhost"}
    bed.operator("--sweep-interval=1", environment={"NETRC": str(netrc), **proxies})
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")


@pytest.mark.parametrize("named_by", ["environment", "kubeconfig"])
def test_everything_goes_through_the_proxy(bed: Bed, operator_kubeconfig: Path, tmp_path: Path, named_by: str) -> None:
    """Where the kubeconfig leads to nobody answers."""
    config = yaml.safe_load(operator_kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    cluster["server"] = "https://127.0.0.1:1"
    with HttpProxy(str(server.hostname), server.port or 443) as proxy:
        kubeconfig = tmp_path / "kubeconfig"
        environment = {"KUBECONFIG": str(kubeconfig)}
        if named_by == "kubeconfig":
            cluster["proxy-url"] = proxy.url
        else:
            environment["HTTPS_PROXY"] = proxy.url
        kubeconfig.write_text(yaml.safe_dump(config))
        operator = bed.operator("--sweep-interval=1", environment=environment)
        bed.apply(queue(batchSize=5))
        bed.wait_ready("orders")
        operator.stop()


def test_a_proxy_that_speaks_tls_is_passed_by(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1", environment={"HTTPS_PROXY": "https://127.0.0.1:1"})
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")
    assert "only http:// is possible" in operator.log.read_text()


def test_running_takes_no_memory_for_what_only_commands_need() -> None:
    """The library that evaluates CEL brings a console with it; what is refused without CEL does without it."""
    script = """
import datetime, sys
import esm_operator.run
from esm_operator.api.offline import offline_problems
from esm_operator.api.spec import MappingSpec

bad = {"eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders", "filterCriteria": {"filters": [{"pattern": "["}]}}
print([problem.message for problem in offline_problems(MappingSpec.parse(bad), datetime.datetime.now(datetime.UTC))])
print([name for name in ("cel", "rich") if name in sys.modules])
"""
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        check=True,
    )
    said, modules = loaded.stdout.splitlines()
    assert "Pattern 1 in filterCriteria.filters is not valid JSON" in said
    assert modules == "[]"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (
            "ESM_OPERATOR_DELETIONS_PER_MINUT",
            "Did you mean ESM_OPERATOR_DELETIONS_PER_MINUTE? Rename the variable or remove it.",
        ),
        ("ESM_OPERATOR_NAMESPACE", "Did you mean ESM_OPERATOR_NAMESPACES? Rename the variable or remove it."),
    ],
)
def test_an_unknown_variable_ends_the_operator_before_it_works(bed: Bed, name: str, remedy: str) -> None:
    with pytest.raises(RuntimeError, match="The operator ended with 2") as ended:
        bed.operator(environment={name: "1"})
    assert f"esm-operator: The environment variable {name} is unknown. {remedy}" in str(ended.value)
    assert not bed.calls()


def test_the_variables_of_a_service_called_esm_operator_do_not_end_it(bed: Bed) -> None:
    """Kubernetes sets them in the pods of the Service's namespace, unless enableServiceLinks is false."""
    bed.operator("--sweep-interval=1", environment=SERVICE_VARIABLES)
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")


@pytest.mark.parametrize(
    ("command", "code"),
    [(("export", "--region=eu-west-1"), 2), (("orphans",), 2), (("crds",), 0), (("iam-policy",), 0)],
)
def test_commands_that_read_the_environment_refuse_unknown_variables(
    bed: Bed, operator_kubeconfig: Path, command: tuple[str, ...], code: int
) -> None:
    """They know the variables of ``run`` too, because they run in its pod."""
    surroundings = base_environment(operator_kubeconfig, bed.aws.endpoint) | {"ESM_OPERATOR_DELETIONS_PER_MINUTE": "9"}
    ended = subprocess.run(
        [sys.executable, "-m", "esm_operator", *command],
        env=surroundings | {"PYTHONPATH": str(ROOT / "operator"), "ESM_OPERATOR_SHARD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert ("ESM_OPERATOR_SHARD is unknown" in ended.stderr) is (code == 2)
    assert "DELETIONS" not in ended.stderr
