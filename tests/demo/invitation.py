"""The stage is the person's: what to paste into a second terminal, what to try, and what changes meanwhile."""

import os
import time

from tests.demo import terminal
from tests.demo.stage import INTERVAL, Stage
from tests.demo.terminal import explain, output


def play_on(stage: Stage) -> None:
    """Until Ctrl-C."""
    resource = stage.resources()[0]["metadata"]["name"]
    region = next(iter(stage.mappings().values()))["region"]
    explain("Now it is your turn. In a second terminal paste:")
    output(f"export KUBECONFIG={stage.kubectl.kubeconfig}")
    output(f'export PATH="{stage.kubectl_folder}{os.pathsep}$PATH"')
    output(f"export AWS_ENDPOINT_URL={stage.aws.endpoint} AWS_DEFAULT_REGION={region}")
    output("export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing")
    explain("and try:")
    output(f"kubectl edit esm {resource}       # batchSize, say")
    output(f"kubectl describe esm {resource}   # its status, its events")
    output("kubectl explain esm.spec.batchSize")
    output(f"kubectl delete esm {resource}")
    output("kubectl apply -f examples/")
    output("aws lambda list-event-source-mappings   # if you have the AWS command line: what the AWS server has")
    output(f"tail -f {stage.operator.log}   # what the operator says")
    explain("What changes is shown here. Ctrl-C ends the demo and leaves nothing behind.")
    table = terminal.Table()
    while True:
        stage.look(table)
        stage.check()
        time.sleep(INTERVAL)
