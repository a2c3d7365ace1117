"""The demo's steps: each says what happens, shows the command, and is checked against the cluster and AWS."""

import json
from pathlib import Path
from typing import Any

from tests.bed import is_ready
from tests.demo.cluster import ROOT
from tests.demo.errors import DemoError
from tests.demo.stage import Stage
from tests.demo.terminal import explain, output

EXAMPLES = Path("examples")
LIMIT = 120.0  # seconds for AWS and the operator to be done with something
EDITED = 7
ALWAYS_IN_STATUS = ("uuid", "arn", "functionARN", "state", "lastModified")


def apply_examples(stage: Stage) -> None:
    """All examples are applied and become Ready."""
    count = len(list((ROOT / EXAMPLES).glob("*.yaml")))
    explain(f"{count} mappings are applied, one for each kind of event source.")
    stage.run("apply", "-f", f"{EXAMPLES}/")
    explain("The operator creates them at AWS, which takes some seconds to enable each.")
    stage.watch(lambda: all(map(is_ready, stage.resources())), 2 * LIMIT, "all mappings are Ready")
    explain("All of them are Ready. Scripts, Helm, Argo CD and Flux wait for that as for anything in Kubernetes:")
    stage.run("wait", "--for=condition=Ready", "esm", "--all", "--timeout=180s", limit=200)
    _check_applied(stage)


def _check_applied(stage: Stage) -> None:
    resources, mappings = stage.resources(), stage.mappings()
    for resource in resources:
        lacking = [name for name in ALWAYS_IN_STATUS if not resource["status"].get(name)]
        if lacking:
            raise DemoError(f"{_name(resource)} is Ready, and its status lacks {', '.join(lacking)}.")
    if {resource["status"]["uuid"] for resource in resources} != mappings.keys():
        raise DemoError(f"{len(resources)} resources are Ready, and AWS has {len(mappings)} mappings, not the same.")
    output(f"\nAWS has {len(mappings)} mappings, each with its owner in its tags.")


def play_the_script(stage: Stage) -> None:
    """An edit, a removed field, and the end of one and of all."""
    resource = _an_example(stage.resources())
    _edit(stage, resource)
    _remove_field(stage, resource)
    _delete_one(stage, resource)
    _delete_all(stage)


def _an_example(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A queue, if there is one: its batch size has the simplest rules."""
    queues = [one for one in resources if ":sqs:" in one["spec"].get("eventSourceARN", "")]
    return min(queues or resources, key=lambda one: "batchSize" not in one["spec"])


def _edit(stage: Stage, resource: dict[str, Any]) -> None:
    name = _name(resource)
    explain(f"An edit: {name} gets another batch size. At AWS it is {_batch_size(stage, resource)} now.")
    patch = json.dumps({"spec": {"batchSize": EDITED}})
    stage.run("patch", "esm", name, "--type=merge", "--patch", patch)
    _expect_batch_size(stage, resource, EDITED)


def _remove_field(stage: Stage, resource: dict[str, Any]) -> None:
    name = _name(resource)
    default = 10 if ":sqs:" in resource["spec"].get("eventSourceARN", "") else 100
    explain(f"A removed field: without batchSize in the resource AWS's own default counts again, {default}.")
    patch = json.dumps([{"op": "remove", "path": "/spec/batchSize"}])
    stage.run("patch", "esm", name, "--type=json", "--patch", patch)
    _expect_batch_size(stage, resource, default)


def _delete_one(stage: Stage, resource: dict[str, Any]) -> None:
    explain("A resource is deleted. It stays until AWS has deleted its mapping.")
    stage.run("delete", "esm", _name(resource), "--timeout=120s", limit=LIMIT + 30)
    left = stage.mappings()
    if resource["status"]["uuid"] in left:
        raise DemoError(f"{_name(resource)} is gone, and its mapping is still at AWS.")
    output(f"AWS has {len(left)} mappings left.")


def _delete_all(stage: Stage) -> None:
    explain("All others follow.")
    stage.run("delete", "esm", "--all", "--timeout=120s", limit=LIMIT + 30)
    left = stage.mappings()
    if left:
        raise DemoError(f"All resources are gone, and AWS still has {len(left)} mappings: {', '.join(left)}.")
    held = [_name(resource) for resource in stage.resources()]
    if held:
        raise DemoError(f"Deleted, and still held by a finalizer: {', '.join(held)}.")
    output("AWS has no mapping left, and no finalizer holds anything back.")


def _batch_size(stage: Stage, resource: dict[str, Any]) -> int | None:
    return stage.mappings().get(resource["status"]["uuid"], {}).get("BatchSize")


def _expect_batch_size(stage: Stage, resource: dict[str, Any], expected: int) -> None:
    name = _name(resource)
    what = f"the batch size of {name} is {expected} at AWS"
    stage.wait(lambda: _batch_size(stage, resource) == expected, LIMIT, what)
    output(f"At AWS it is {expected}.")
    stage.watch(lambda: is_ready(stage.resource(name)), LIMIT, f"{name} is Ready again", name)


def _name(resource: dict[str, Any]) -> str:
    return str(resource["metadata"]["name"])
