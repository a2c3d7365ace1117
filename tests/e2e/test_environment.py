"""What the environment of the process says, and what it does not."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.e2e.proxy import HttpProxy
from tests.operator_process import ROOT


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
import esm_operator.cli
from esm_operator.api.offline import offline_problems
from esm_operator.api.spec import MappingSpec

bad = {"eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders", "tags": {"!": ""}}
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
    assert "The tag ! has characters that AWS does not take (Amazon SQS)" in said
    assert modules == "[]"
