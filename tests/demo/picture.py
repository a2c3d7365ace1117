"""`python -m tests.demo.picture`, or `make picture`: draws docs/tutorial/session.svg from a real session at a terminal.

The session runs in the demo's cluster, with its AWS server and the operator as a process. Each command is typed in a
shell, and the picture has what the command printed.
"""

import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from tests.aws import AwsServer, Settings
from tests.demo import ack
from tests.demo.cluster import Kubectl
from tests.demo.own_cluster import own_cluster
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "tutorial" / "session.svg"
WIDTH = 104
TITLE = "esm-operator"
EXAMPLE = "examples/04-sqs-queue.yaml"
NAME, FUNCTION = "sqs-queue", "order-processor"
#: rich's frame without the fonts that it loads from another host.
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>A session at a terminal</title>
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass
class Session:
    """A shell in the checkout, and the lines that the picture shows."""

    environment: dict[str, str]
    lines: list[Text] = field(default_factory=list[Text])

    def explain(self, text: str) -> None:
        """A comment before a command."""
        if self.lines:
            self.lines.append(Text())
        self.lines.append(Text(f"# {text}", style="cyan"))

    def type(self, command: str, *, refused: bool = False) -> None:
        """Run a command, and show it with what it printed.

        Raises:
            RuntimeError: the command failed, or it succeeded although it should be refused.
        """
        done = self.run(command)
        if (done.returncode != 0) is not refused:
            raise RuntimeError(f"$ {command}\n{done.stdout}")
        self.lines.append(Text.assemble(("$ ", "bold green"), (command, "bold")))
        self.lines += [Text(line, style="red" if refused else "") for line in done.stdout.rstrip().splitlines()]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command that the picture does not show."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    def drawn(self) -> str:
        """The picture as SVG."""
        console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
        for line in self.lines:
            console.print(line)
        return console.export_svg(title=TITLE, code_format=_FRAME, unique_id="session")


def play(session: Session, aws: AwsServer) -> None:
    """The session: mappings are created, with ARNs and by references, a mistake is refused, and drift is corrected."""
    session.explain("Create a mapping: an SQS queue invokes a Lambda function.")
    session.type(f"kubectl apply -f {EXAMPLE}")
    session.type(f"kubectl wait --for=condition=Ready esm/{NAME} --timeout=120s")
    session.type("kubectl get esm")
    session.explain("A mapping can refer to a function and a queue of ACK instead. It waits until both have an ARN.")
    session.type(f"kubectl apply -f {ack.FOLDER}/mapping.yaml")
    waiting = f"kubectl get esm {ack.NAME}"
    eventually(lambda: "ReferenceNotFound" in session.run(waiting).stdout, "the mapping waits for its objects")
    session.type(waiting)
    session.type(f"kubectl apply -f {ack.FOLDER}/function-and-queue.yaml")
    for kind in (ack.FUNCTION, ack.QUEUE):
        session.run(Kubectl.shown(*kind.report_arn(ack.NAME)))
    session.type(f"kubectl wait --for=condition=Ready esm/{ack.NAME} --timeout=120s")
    session.explain("The API server refuses values that AWS does not accept.")
    session.type(f"""kubectl patch esm {NAME} --type=merge -p '{{"spec": {{"batchSize": 20}}}}'""", refused=True)
    mapping = next(one for one in aws.control.mappings() if one["FunctionArn"].endswith(f":{FUNCTION}"))
    session.explain("Somebody sets the batch size to 5 in AWS. The operator corrects the drift.")
    aws.control.edit_mapping(str(mapping["UUID"]), BatchSize=5)
    events = f"kubectl events --for esm/{NAME} --types=Warning"
    eventually(lambda: "DriftCorrected" in session.run(events).stdout, "the drift is corrected", limit=300.0, every=0.5)
    session.type(events)


def main() -> int:
    with (
        TemporaryDirectory(prefix="esm-operator-picture-") as folder,
        own_cluster() as cluster,
        AwsServer(Settings(pace=3.0, quota=15.0)) as aws,
    ):
        operator = OperatorProcess(
            kubeconfig=cluster.operator_kubeconfig,
            endpoint=aws.endpoint,
            log=Path(folder) / "operator.log",
            arguments=("--cluster-name=demo", "--sweep-interval=5"),
        )
        with operator:
            session = Session(_environment(cluster.kubectl))
            play(session, aws)
    PICTURE.write_text(re.sub(r"[ \t]+$", "", session.drawn(), flags=re.MULTILINE))
    print(f"{os.path.relpath(PICTURE)} is written.")
    return 0


def _environment(kubectl: Kubectl) -> dict[str, str]:
    search = os.pathsep.join([str(kubectl.path.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"KUBECONFIG": kubectl.kubeconfig, "KUBERC": "off", "PATH": search}


if __name__ == "__main__":
    sys.exit(main())
