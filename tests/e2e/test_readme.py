"""The commands of the README are typed in order and as written, as a new user does.

Commands are the lines of ```console blocks that start with `$ `. A command that ends with a backslash continues in the
next line. Exported variables apply to later commands. `make control-plane` and `make aws` provide the cluster and the
AWS that the README assumes, and the test pastes the lines that they print. If a command does not end by itself, the
test waits until it is ready, types the next commands while it runs, and ends it with Ctrl-C. Between `helm install` and
`helm uninstall` the test runs the operator's pod as its Deployment describes, with the credentials that a cloud would
provide.
"""

import os
import re
import subprocess
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chart.pod import can_unshare, running
from tests.controlplane import assets
from tests.controlplane.client import KubernetesClient, path
from tests.controlplane.kubeconfig import Access
from tests.e2e.terminal import LIMIT, Terminal, assert_nothing_left

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
#: Commands that do not end by themselves, and their output when they are ready.
RUNS_ON = {
    r"make control-plane\b": "export KUBECONFIG=",
    r"make aws\b": "export AWS_DEFAULT_REGION=",
    r"make demo\b(?!.*DEMO_ONCE)": "Ctrl-C ends the demo",
    r"\S*esm-operator run\b": "begins to reconcile",
}
#: A command that would run this test again. It is not typed.
LOOKED_AT = re.compile(r"make test\b")
BLOCK = re.compile(r"^```(?:console|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")

pytestmark = pytest.mark.long


def commands(text: str) -> Iterator[str]:
    """All commands of a README, in order."""
    for block in BLOCK.findall(text):
        lines = iter(block.splitlines())
        for line in lines:
            if line.startswith("$ "):
                command = line[2:]
                while command.endswith("\\"):
                    command += "\n" + next(lines)
                yield command


class Stranger:
    """Types commands at terminals. One terminal is for all commands that end by themselves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment_file = folder / "environment"
        (folder / "tmp").mkdir()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                ("AWS_", "DEMO_", "ESM_OPERATOR_R", "ESM_OPERATOR_N", "KUBECONFIG", "MAKE", "MFLAGS", "ARGS", "PYTEST_")
            )
        } | {
            "TMPDIR": str(folder / "tmp"),
            "ESM_OPERATOR_PROBE_ADDRESS": "",
            "ESM_OPERATOR_METRICS_ADDRESS": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.environment |= {f"HELM_{name}_HOME": str(folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
        self._running: list[tuple[str, Terminal]] = []
        self._pod = ExitStack()

    def type(self, command: str) -> None:
        """Run a command in the way that its kind needs."""
        if LOOKED_AT.match(command):
            self._run(command.replace("make", "make --dry-run", 1))
        elif command.startswith("helm install"):
            self._run(command)
            self._start_pod()
        elif command.startswith("helm uninstall"):
            self._run(command)
            self._pod.close()
        elif ready := next((text for pattern, text in RUNS_ON.items() if re.match(pattern, command)), None):
            terminal = self.start(command, ready)
            if command.startswith("make demo"):
                terminal.press_ctrl_c()
                assert terminal.exit_status() == 0, terminal.seen
                self._running.pop()
        else:
            self._run(command)

    def start(self, command: str, ready: str) -> Terminal:
        """Start a command that does not end by itself, and wait until it is ready."""
        terminal = Terminal(["bash", "-c", command], self.environment)
        self._running.append((command, terminal))
        terminal.wait_for(ready, LIMIT)
        return terminal

    def paste(self, seen: str) -> None:
        """The export lines in an output."""
        for line in re.findall(r"^(export .*?)\r?$", seen, re.MULTILINE):
            self._run(line)

    def end(self) -> None:
        """Press Ctrl-C in all terminals, the last one first."""
        self._pod.close()
        while self._running:
            command, terminal = self._running.pop()
            terminal.press_ctrl_c()
            terminal.exit_status()
            assert "Traceback" not in terminal.seen, f"$ {command}\n{terminal.seen}"

    def _start_pod(self) -> None:
        """Run the pod of the Deployment, as a cluster does."""
        kubeconfig = Path(self.environment["KUBECONFIG"])
        (deployment,) = KubernetesClient(Access.read(kubeconfig)).items(path("Deployment"))
        credentials = {name: value for name, value in self.environment.items() if name.startswith("AWS_")}
        folder = self._folder / "pod"
        folder.mkdir()
        pod = self._pod.enter_context(running(kubeconfig, deployment, folder, credentials))
        pod.wait_until_ready()

    def _run(self, command: str) -> None:
        script = f"set -o pipefail\n{command}\nstatus=$?\nenv -0 >'{self._environment_file}'\nexit $status\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        pairs = self._environment_file.read_text().split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@pytest.fixture
def stranger(tmp_path: Path) -> Generator[Stranger]:
    """A typist with the cluster and the AWS of the README."""
    person = Stranger(tmp_path)
    with ExitStack() as exits:
        exits.callback(assert_nothing_left, dict(person.environment))
        exits.callback(person.end)
        plane = person.start("make control-plane", "export KUBECONFIG=")
        plane.wait_for("\n")
        found = re.search(r"Its kubectl is (\S+)/kubectl\.", plane.seen)
        assert found, plane.seen
        person.paste(plane.seen)
        person.paste(f'export PATH="{found[1]}:{assets.find("helm").parent}:$PATH"')
        person.paste(person.start("make aws", "export AWS_DEFAULT_REGION=us-east-1").seen)
        yield person


def test_commands_are_found() -> None:
    text = "```console\n$ one \\\n    two\nprinted\n```\n```yaml\n$ no\n```\n```console\n$ three\n```\n"
    assert list(commands(text)) == ["one \\\n    two", "three"]


@pytest.mark.skipif(not can_unshare(), reason="a process may not have mounts of its own here")
def test_all_commands_work_in_order(stranger: Stranger) -> None:
    found = list(commands(README.read_text()))
    assert "make demo" in found
    assert any(command.startswith("helm install") for command in found)
    assert "make test" in found
    for command in found:
        stranger.type(command)


def test_all_links_are_valid() -> None:
    gone = [link for link in LINK.findall(README.read_text()) if not (ROOT / link).exists()]
    assert gone == []
