"""The steps of the demo. Each explains what happens, shows the command, and checks the result in cluster and AWS."""

import json
from pathlib import Path
from typing import Any

from tests.bed import is_ready
from tests.demo.cluster import ROOT
from tests.demo.errors import DemoError
from tests.demo.stage import SWEEP_INTERVAL, Stage
from tests.demo.terminal import command, explain, output

EXAMPLES = Path("examples")
LIMIT = 120.0  # seconds for AWS and the operator to finish one step
EDITED = 7
DRIFTED = 3
ALWAYS_IN_STATUS = ("uuid", "arn", "functionARN", "state", "source", "lastModified")
REFUSED = """\
apiVersion: lambda.esm-operator.io/v1
kind: EventSourceMapping
metadata:
  name: refused
spec:
  functionName: order-processor
  eventSourceARN: arn:aws:sqs:eu-west-1:123456789012:orders
  startingPosition: LATEST
  batchSize: 100
"""


def apply_examples(stage: Stage) -> None:
    """Apply all examples, and wait until they are Ready."""
    count = len(list((ROOT / EXAMPLES).glob("*.yaml")))
    explain(
        f"Create {count} event source mappings. Each file in {EXAMPLES}/ has an EventSourceMapping for another type of "
        "event source."
    )
    stage.run("apply", "-f", f"{EXAMPLES}/")
    explain(
        "The operator creates the mappings in AWS. The table is printed again when it changes. STATE is the state in "
        "AWS, which is Creating for some seconds. READY is True when AWS has the mapping as its manifest describes it. "
        "PROCESSING is False if Lambda reports a problem with the records, and empty for SQS."
    )
    stage.watch(lambda: all(map(is_ready, stage.resources())), 2 * LIMIT, "all mappings are Ready")
    explain("All mappings are Ready. Scripts, Helm, Argo CD and Flux wait for the same condition:")
    stage.run("wait", "--for=condition=Ready", "esm", "--all", "--timeout=180s", limit=200)
    _check_applied(stage)


def _check_applied(stage: Stage) -> None:
    resources, mappings = stage.resources(), stage.mappings()
    for resource in resources:
        missing = [name for name in ALWAYS_IN_STATUS if not resource["status"].get(name)]
        if missing:
            raise DemoError(f"{_name(resource)} is Ready, but its status has no {', '.join(missing)}.")
    if {resource["status"]["uuid"] for resource in resources} != mappings.keys():
        raise DemoError(
            f"{len(resources)} resources are Ready, but AWS has {len(mappings)} mappings, or mappings with other UUIDs."
        )
    output(f"\nAWS has {len(mappings)} mappings. The tags of each mapping name its resource.")


def show_guards(stage: Stage) -> None:
    """Drift that is corrected, and a manifest that is refused."""
    _correct_drift(stage, _an_example(stage.resources()))
    _refuse(stage)


def play_the_script(stage: Stage) -> None:
    """Edit a resource, remove a field, delete one resource, and delete all."""
    resource = _an_example(stage.resources())
    _edit(stage, resource)
    _remove_field(stage, resource)
    _delete_one(stage, resource)
    _delete_all(stage)


def _an_example(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A mapping of an SQS queue, because its batch size has the simplest rules."""
    queues = [one for one in resources if ":sqs:" in one["spec"].get("eventSourceARN", "")]
    return min(queues or resources, key=lambda one: "batchSize" not in one["spec"])


def _correct_drift(stage: Stage, resource: dict[str, Any]) -> None:
    name, uuid, before = _name(resource), resource["status"]["uuid"], _batch_size(stage, resource)
    region = stage.mappings()[uuid]["region"]
    explain(f"Drift: change the batch size of {name} in AWS from {before} to {DRIFTED}, outside of Kubernetes.")
    command(f"aws lambda update-event-source-mapping --uuid {uuid} --batch-size {DRIFTED}")
    stage.aws.client("lambda", region=region).update_event_source_mapping(UUID=uuid, BatchSize=DRIFTED)
    explain(
        f"The operator reads all mappings from AWS every {SWEEP_INTERVAL} s in this demo, and every 60 s by default. "
        "It finds the difference and changes the mapping back. An Event reports the correction:"
    )
    found = f"--field-selector=involvedObject.name={name},reason=DriftCorrected"
    stage.wait(lambda: bool(stage.kubectl.objects("events", found)), LIMIT, f"the drift of {name} is corrected")
    stage.run("get", "events", found)
    _expect_batch_size(stage, resource, before)


def _refuse(stage: Stage) -> None:
    explain(
        "A manifest that AWS would refuse: SQS queues take no startingPosition, and more than 10 records in a batch "
        "need a batching window. The API server refuses it, and the message has the remedy:"
    )
    stage.refused("apply", "-f", "-", input=REFUSED)
    if any(_name(one) == "refused" for one in stage.resources()):
        raise DemoError("The API server did not refuse the manifest.")
    output("The cluster and AWS are unchanged.")


def _edit(stage: Stage, resource: dict[str, Any]) -> None:
    name = _name(resource)
    explain(
        f"Edit {name}: change its batch size from {_batch_size(stage, resource)} to {EDITED}. The operator sends only "
        "the changed field to AWS."
    )
    patch = json.dumps({"spec": {"batchSize": EDITED}})
    stage.run("patch", "esm", name, "--type=merge", "--patch", patch)
    _expect_batch_size(stage, resource, EDITED)


def _remove_field(stage: Stage, resource: dict[str, Any]) -> None:
    name = _name(resource)
    default = 10 if ":sqs:" in resource["spec"].get("eventSourceARN", "") else 100
    explain(f"Remove batchSize from {name}. The operator sets the default of AWS again, which is {default}.")
    patch = json.dumps([{"op": "remove", "path": "/spec/batchSize"}])
    stage.run("patch", "esm", name, "--type=json", "--patch", patch)
    _expect_batch_size(stage, resource, default)


def _delete_one(stage: Stage, resource: dict[str, Any]) -> None:
    explain(f"Delete {_name(resource)}. The resource remains until AWS has deleted its mapping.")
    stage.run("delete", "esm", _name(resource), "--timeout=120s", limit=LIMIT + 30)
    left = stage.mappings()
    if resource["status"]["uuid"] in left:
        raise DemoError(f"{_name(resource)} is deleted, but AWS still has its mapping.")
    output(f"AWS has {len(left)} mappings left.")


def _delete_all(stage: Stage) -> None:
    explain("Delete all other resources.")
    stage.run("delete", "esm", "--all", "--timeout=120s", limit=LIMIT + 30)
    left = stage.mappings()
    if left:
        raise DemoError(f"All resources are deleted, but AWS still has {len(left)} mappings: {', '.join(left)}.")
    held = [_name(resource) for resource in stage.resources()]
    if held:
        raise DemoError(f"A finalizer still holds deleted resources: {', '.join(held)}.")
    output("AWS has no mappings left, and the cluster has no resources left.")


def _batch_size(stage: Stage, resource: dict[str, Any]) -> int | None:
    return stage.mappings().get(resource["status"]["uuid"], {}).get("BatchSize")


def _expect_batch_size(stage: Stage, resource: dict[str, Any], expected: int | None) -> None:
    name = _name(resource)
    what = f"the batch size of {name} is {expected} in AWS"
    stage.wait(lambda: _batch_size(stage, resource) == expected, LIMIT, what)
    output(f"In AWS, the batch size of {name} is {expected}.")
    stage.watch(lambda: is_ready(stage.resource(name)), LIMIT, f"{name} is Ready again", name)


def _name(resource: dict[str, Any]) -> str:
    return str(resource["metadata"]["name"])
