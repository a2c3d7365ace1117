"""The demo's end at a terminal: commands to try in a second terminal, while this one shows the changes."""

import os
import time

from tests.demo import terminal
from tests.demo.stage import INTERVAL, Stage
from tests.demo.terminal import explain, output

#: A filter pattern that is not JSON: the resource is Stalled until it is repaired.
BROKEN = '{"spec": {"filterCriteria": {"filters": [{"pattern": "{"}]}}}'
REPAIRED = '{"spec": {"filterCriteria": null}}'


def play_on(stage: Stage) -> None:
    """Show changes until Ctrl-C."""
    resource = stage.resources()[0]
    name, uuid = resource["metadata"]["name"], resource["status"]["uuid"]
    region = next(iter(stage.mappings().values()))["region"]
    explain("Now it is your turn. Open a second terminal in this folder, and paste:")
    output(f"export KUBECONFIG={stage.kubectl.kubeconfig}")
    output(f'export PATH="{stage.kubectl_folder}{os.pathsep}$PATH"')
    output(f"export AWS_ENDPOINT_URL={stage.aws.endpoint} AWS_DEFAULT_REGION={region}")
    output("export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing")
    explain("Then try:")
    output(f"kubectl edit esm {name}       # change batchSize, for example")
    output(f"kubectl describe esm {name}   # show its status and its Events")
    output("kubectl explain esm.spec.batchSize")
    output(f"kubectl patch esm {name} --type=merge --patch '{BROKEN}'   # an error, which describe explains")
    output(f"kubectl patch esm {name} --type=merge --patch '{REPAIRED}'   # the repair")
    output(f"kubectl delete esm {name}")
    output("kubectl apply -f examples/")
    output(f"tail -f {stage.operator.log}   # follow the log of the operator")
    explain(
        "If you have the AWS CLI, compare with AWS, or change a mapping there. The AWS server of the demo accepts the "
        "names of any function and queue:"
    )
    output("aws lambda list-event-source-mappings")
    output(f"aws lambda update-event-source-mapping --uuid {uuid} --batch-size 3")
    explain("Changes are shown here. Ctrl-C ends the demo and removes everything that it has started.")
    table = terminal.Table()
    while True:
        stage.look(table)
        stage.check()
        time.sleep(INTERVAL)
