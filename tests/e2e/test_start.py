"""What keeps the operator from starting is reported in one sentence."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.operator_process import ROOT
from tests.waiting import COMMAND_LIMIT


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``esm-operator`` with these arguments, in an environment that has nothing else."""
    return subprocess.run(
        [sys.executable, "-m", "esm_operator", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "operator"), **environment},
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT,
        check=False,
    )


def run(*arguments: str, kubeconfig: Path | str, **environment: str) -> subprocess.CompletedProcess[str]:
    return command("run", *arguments, KUBECONFIG=str(kubeconfig), **environment)


@pytest.mark.parametrize("flag", ["--probe-address", "--metrics-address"])
def test_an_address_that_is_taken(operator_kubeconfig: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = {"ESM_OPERATOR_PROBE_ADDRESS": "127.0.0.1:0", "ESM_OPERATOR_METRICS_ADDRESS": "127.0.0.1:0"}
        ended = run(f"{flag}={address}", kubeconfig=operator_kubeconfig, **free)
    assert ended.returncode == 1
    assert f"{flag} {address} cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_cluster(tmp_path: Path) -> None:
    ended = run(kubeconfig=tmp_path / "none")
    assert ended.returncode == 1
    assert "No Kubernetes cluster is configured" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    for argument in (
        "--endpoint-url=nowhere",
        "--default-tags=aws:x=1",
        "--default-tags=AWS:x=1",
        "--default-tags=a#b=1",
        "--default-tags=a=1*",
        "--requests-per-second=0",
        "--region=Ireland",
        "--cluster-name=a/b",
        "--namespaces=Bad_ns",
    ):
        ended = run(argument, kubeconfig=tmp_path / "none")
        assert ended.returncode == 2
        assert argument.partition("=")[0] in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_certificate_that_cannot_be_used(operator_kubeconfig: Path, tmp_path: Path) -> None:
    free = {"ESM_OPERATOR_PROBE_ADDRESS": "", "ESM_OPERATOR_METRICS_ADDRESS": ""}
    for name, text in (("missing", None), ("other", "no certificate")):
        file = tmp_path / name
        if text is not None:
            file.write_text(text)
        flags = (f"--metrics-certificate-file={file}", f"--metrics-key-file={file}")
        ended = run(*flags, kubeconfig=operator_kubeconfig, **free)
        assert ended.returncode == 1
        assert f"--metrics-certificate-file {file} and --metrics-key-file {file} cannot be used" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_no_command() -> None:
    ended = command()
    assert ended.returncode == 2
    assert ended.stderr == ("esm-operator: A command is missing. Run `esm-operator --help` for the list of commands.\n")


def test_an_environment_that_names_no_region_of_aws(operator_kubeconfig: Path) -> None:
    ended = run(kubeconfig=operator_kubeconfig, AWS_REGION="Ireland")
    assert ended.returncode == 1
    assert "AWS_REGION (or AWS_DEFAULT_REGION): `Ireland` is not an AWS region such as eu-west-1." in ended.stderr
    assert "Traceback" not in ended.stderr
