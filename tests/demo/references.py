"""The step of the demo in which a mapping takes its ARNs from other objects."""

from tests.bed import is_ready
from tests.demo import ack
from tests.demo.stage import Stage
from tests.demo.terminal import explain, output

LIMIT = 120.0  # seconds for AWS and the operator to finish one step
SUCCESSOR = f"{ack.NAME}-v2"
"""The function to which ACK's ARN changes."""


def show_references(stage: Stage) -> None:
    """A mapping waits for its function and its queue, and follows a change of the function."""
    if not stage.cluster.demo_ack:
        explain("The cluster has CRDs of ACK, so the demo leaves out the mapping that refers to objects of ACK.")
        return
    _wait_for_objects(stage)
    _create_objects(stage)
    _follow(stage)


def _wait_for_objects(stage: Stage) -> None:
    explain(
        "A mapping without ARNs: it refers to a Function and a Queue of ACK, the AWS controllers for Kubernetes. "
        "Neither of them exists yet. The operator waits for them, and the status has the reason:"
    )
    stage.show_file(ack.FOLDER / "mapping.yaml")
    stage.run("apply", "-f", f"{ack.FOLDER}/mapping.yaml")
    what = "the mapping waits for its objects"
    stage.watch(lambda: _ready(stage).get("reason") == "ReferenceNotFound", LIMIT, what, ack.NAME)
    stage.run("get", "esm", ack.NAME, "--output", 'jsonpath={.status.conditions[?(@.type=="Ready")].message}')


def _create_objects(stage: Stage) -> None:
    explain(
        "Create both objects. ACK does not run in the demo, so the demo writes the ARNs to their status. The operator "
        "then creates the mapping:"
    )
    stage.run("apply", "-f", f"{ack.FOLDER}/function-and-queue.yaml")
    for kind in (ack.FUNCTION, ack.QUEUE):
        stage.run(*kind.report_arn(ack.NAME))
    stage.watch(lambda: is_ready(stage.resource(ack.NAME)), LIMIT, f"{ack.NAME} is Ready", ack.NAME)
    stage.run("get", "esm", ack.NAME, "--output", "custom-columns=REFERENCES:.status.references[*].value")


def _follow(stage: Stage) -> None:
    uuid = stage.resource(ack.NAME)["status"]["uuid"]
    explain("The ARN of the function changes. The operator updates the mapping, and an Event has both values:")
    stage.run(*ack.FUNCTION.report_arn(SUCCESSOR))
    found = f"--field-selector=involvedObject.name={ack.NAME},reason=ReferenceChanged"
    stage.wait(lambda: bool(stage.kubectl.objects("events", found)), LIMIT, "an Event reports the new function")
    stage.run("get", "events", found)
    what = f"the mapping in AWS invokes {SUCCESSOR}"
    stage.wait(lambda: _function(stage, uuid) == SUCCESSOR, LIMIT, what)
    stage.watch(lambda: is_ready(stage.resource(ack.NAME)), LIMIT, f"{ack.NAME} is Ready again", ack.NAME)
    output(f"In AWS, the mapping {uuid} now invokes the function {SUCCESSOR}.")


def _ready(stage: Stage) -> dict[str, str]:
    """The condition Ready of the mapping; empty: it has none yet."""
    conditions = stage.resource(ack.NAME).get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == "Ready"), {})


def _function(stage: Stage, uuid: str) -> str:
    """The name of the function that a mapping in AWS invokes; empty: AWS has no such mapping."""
    return str(stage.mappings().get(uuid, {}).get("FunctionArn", "")).rpartition(":")[2]
