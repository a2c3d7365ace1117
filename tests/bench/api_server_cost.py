"""`python -m tests.bench.api_server_cost`: the CPU time that requests cost the API server, with the rules of the CRD.

The API server evaluates all rules of a CRD at each write, also at writes of metadata and of the status. Two runs show
their cost:

1. The operator creates mappings without rate limits. This run gives the cost of one created mapping, and how many
   requests it takes.
2. The same requests, one after the other and without an operator, to the CRD and to copies of it: one without rules,
   and one for each ``--crd FILE``. The copies take turns, so that other load on the machine affects all of them.

CPU times depend on the machine. Compare only the columns of one run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.bed.cluster import crds, create_namespace
from tests.bench import phases, processes, table, writes
from tests.bench.progress import say
from tests.bench.results import API_SERVER, World
from tests.bench.stage import opened
from tests.bench.workload import manifest
from tests.bench.worlds import lifted
from tests.controlplane import ControlPlane
from tests.controlplane.client import MERGE, KubernetesClient, path
from tests.waiting import eventually

Object = dict[str, Any]

NAMESPACE = "cost"
WITHOUT_RULES = "without rules"
PROJECT = "CRD"
#: Requests of one kind to one CRD before the next CRD has its turn.
BATCH = 50
#: Seconds in which the API server has nothing to do but its own work.
IDLE = 5.0
#: What one created mapping takes: kinds of requests, and how many of each. The first is the user's.
REQUESTS: Mapping[str, int] = {"POST": 1, "PATCH metadata": 1, "GET": 1, "PATCH status": 2, "POST Event": 1}
#: What else is shown.
OTHERS = ("PUT Lease",)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print the tables."""
    arguments = _arguments(argv)
    example = _created_mappings(arguments.mappings)
    _single_requests(arguments.requests, arguments.crd, example)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api_server_cost", description=__doc__)
    parser.add_argument("--mappings", type=int, default=200, metavar="N", help="of the first run")
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="of each kind in the second run")
    parser.add_argument("--crd", type=Path, action="append", default=[], metavar="FILE", help="compare another version")
    return parser.parse_args(argv)


# -- Created mappings ---------------------------------------------------------------------------------------


def _created_mappings(count: int) -> Object:
    """Measure the creation of mappings by the operator. Returns one of the resources at the end."""
    world = World(name="API server", mappings=count, arguments=list(lifted()))
    with TemporaryDirectory(prefix="esm-operator-cost-") as folder, opened(world, Path(folder), _nothing, ()) as stage:
        stage.control.set(quota=0, tagging_quota=0)
        stage.start(lifted())
        phases.create(stage, range(count))
        phases.settle(stage, count)
        example = stage.driver.read(0)
    both = [world.phases[name] for name in ("create", "settle")]
    used = 1000 * sum(phase.cpu[API_SERVER] for phase in both) / count
    kinds = sorted({name for phase in both for name in writes.without_leases(phase.writes)})
    rows = [(f"operator: {name}", f"{sum(phase.writes.get(name, 0) for phase in both) / count:.2f}") for name in kinds]
    say(f"\nOne created mapping, of {count:,} that the operator created without rate limits:\n")
    say(table.plain(("per mapping", "measured"), [*rows, ("CPU time of the API server", f"{used:.1f} ms")]))
    return example


def _nothing() -> None:
    """No results are kept."""


# -- Single requests ----------------------------------------------------------------------------------------


@dataclass
class Served:
    """A copy of the CRD in a group of its own, and the CPU seconds of the requests to it."""

    title: str
    crd: Object
    used: dict[str, float] = field(default_factory=dict[str, float])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    """The resourceVersion of each object."""

    @property
    def group(self) -> str:
        """The API group."""
        return str(self.crd["spec"]["group"])

    def objects(self, name: str = "") -> str:
        """The path of an object, or with an empty name of all of them."""
        folder = f"/apis/{self.group}/v1/namespaces/{NAMESPACE}/eventsourcemappings"
        return f"{folder}/{name}" if name else folder


def _single_requests(count: int, files: Sequence[Path], example: Object) -> None:
    mine = next(one for one in crds() if one["spec"]["names"]["kind"] == "EventSourceMapping")
    versions = {WITHOUT_RULES: _without_rules(mine), **{file.stem: yaml.safe_load(file.read_text()) for file in files}}
    versions[PROJECT] = mine
    served = [
        Served(title, _in_group(crd, f"v{number}.esm-operator.io"))
        for number, (title, crd) in enumerate(versions.items())
    ]
    with ExitStack() as exits:
        plane = exits.enter_context(ControlPlane())
        client = plane.client
        client.install(*(one.crd for one in served))
        for one in served:
            eventually(lambda one=one: client.get(one.objects()), f"{one.group} is served", every=0.1)
        create_namespace(client, NAMESPACE)
        pid = processes.running_in(plane.kubeconfig.parent, API_SERVER)
        lease = client.create(_lease(), NAMESPACE)
        time.sleep(IDLE)
        idle = _idle(pid)
        numbers = range(-BATCH, count)  # the first batch warms up
        for begin in range(numbers.start, numbers.stop, BATCH):
            batch = range(begin, min(begin + BATCH, numbers.stop))
            for kind in (*REQUESTS, *OTHERS):
                for one in served:
                    used = _measured(pid, idle, lambda: _send(client, one, kind, batch, example, lease))  # noqa: B023
                    if begin >= 0:
                        one.used[kind] = one.used.get(kind, 0.0) + used
    _print(served, count)


def _print(served: Sequence[Served], count: int) -> None:
    def milliseconds(one: Served, kind: str) -> float:
        return 1000 * one.used[kind] / (count * REQUESTS.get(kind, 1))

    rows = [(kind, *(f"{milliseconds(one, kind):.1f}" for one in served)) for kind in (*REQUESTS, *OTHERS)]
    sums = [sum(milliseconds(one, kind) * times for kind, times in REQUESTS.items()) for one in served]
    what = ", ".join(f"{times} {kind}" for kind, times in REQUESTS.items())
    say(f"\nCPU time of the API server in ms, mean of {count:,} requests, one after the other:\n")
    say(table.plain(("request", *(one.title for one in served)), [*rows, (what, *(f"{one:.1f}" for one in sums))]))


def _send(client: KubernetesClient, to: Served, kind: str, batch: range, example: Object, lease: Object) -> None:
    for number in batch:
        _SENDERS[kind](client, to, number, example, lease)


def _post(client: KubernetesClient, to: Served, number: int, example: Object, lease: Object) -> None:
    body = {**_manifest(number), "apiVersion": f"{to.group}/v1"}
    _keep(to, client.request("POST", to.objects(), body))


def _patch_metadata(client: KubernetesClient, to: Served, number: int, example: Object, lease: Object) -> None:
    meta = {key: example["metadata"][key] for key in ("finalizers", "annotations")}
    name = _name(number)
    body = {"metadata": {"resourceVersion": to.versions[name], **meta}}
    _keep(to, client.request("PATCH", to.objects(name), body, MERGE))


def _get(client: KubernetesClient, to: Served, number: int, example: Object, lease: Object) -> None:
    client.request("GET", to.objects(_name(number)))


def _patch_status(client: KubernetesClient, to: Served, number: int, example: Object, lease: Object) -> None:
    """Write the status without the state, and then with it, as the operator does for a mapping that AWS creates."""
    name = _name(number)
    for status in _statuses(example["status"]):
        body = {"metadata": {"resourceVersion": to.versions[name]}, "status": status}
        _keep(to, client.request("PATCH", f"{to.objects(name)}/status", body, MERGE))


def _post_event(client: KubernetesClient, to: Served, number: int, example: Object, lease: Object) -> None:
    at = example["metadata"]["creationTimestamp"]
    about = {"apiVersion": f"{to.group}/v1", "kind": "EventSourceMapping", "namespace": NAMESPACE}
    body = {
        "metadata": {"generateName": f"{_name(number)}.", "namespace": NAMESPACE},
        "involvedObject": {**about, "name": _name(number)},
        "source": {"component": "esm-operator"},
        "reportingComponent": "esm-operator",
        "type": "Normal",
        "reason": "Created",
        "message": f"Mapping {example['status']['uuid']} was created.",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    client.request("POST", path("Event", namespace=NAMESPACE), body)


def _put_lease(client: KubernetesClient, to: Served, number: int, example: Object, lease: Object) -> None:
    lease["spec"]["leaseTransitions"] = lease["spec"].get("leaseTransitions", 0) + 1
    answer = client.request("PUT", path("Lease", "cost", NAMESPACE), lease)
    lease["metadata"] = answer["metadata"]


_SENDERS: Mapping[str, Callable[[KubernetesClient, Served, int, Object, Object], None]] = {
    "POST": _post,
    "PATCH metadata": _patch_metadata,
    "GET": _get,
    "PATCH status": _patch_status,
    "POST Event": _post_event,
    "PUT Lease": _put_lease,
}


def _measured(pid: int, idle: float, do: Callable[[], None]) -> float:
    """The CPU seconds of the API server for something, without what it uses in any case."""
    before, began = processes.usage(pid).cpu, time.monotonic()
    do()
    return processes.usage(pid).cpu - before - idle * (time.monotonic() - began)


def _idle(pid: int) -> float:
    """CPU seconds a second of an API server without requests."""
    before, began = processes.usage(pid).cpu, time.monotonic()
    time.sleep(IDLE)
    return (processes.usage(pid).cpu - before) / (time.monotonic() - began)


def _keep(to: Served, answer: Object) -> None:
    to.versions[answer["metadata"]["name"]] = answer["metadata"]["resourceVersion"]


def _name(number: int) -> str:
    return f"orders-{number % 1_000_000:06d}"


def _manifest(number: int) -> Object:
    made = manifest(number % 1_000_000)
    return {**made, "metadata": {"name": _name(number), "namespace": NAMESPACE}}


def _lease() -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "cost", "namespace": NAMESPACE},
        "spec": {"holderIdentity": "cost", "leaseDurationSeconds": 15, "leaseTransitions": 0},
    }


def _statuses(status: Object) -> Iterator[Object]:
    """The two statuses that the operator writes."""
    conditions = [{**one, "status": "False" if one["type"] == "Ready" else "True"} for one in status["conditions"]]
    yield {**status, "state": "Creating", "conditions": conditions}
    yield {"state": status["state"], "conditions": status["conditions"]}


def _in_group(crd: Object, group: str) -> Object:
    """The CRD for another API group, so that several can be served."""
    copy = deepcopy(crd)
    copy["spec"]["group"] = group
    copy["metadata"]["name"] = f"{copy['spec']['names']['plural']}.{group}"
    del copy["spec"]["names"]["shortNames"]
    return copy


def _without_rules(schema: Any) -> Any:
    """A CRD without all its rules."""
    if isinstance(schema, dict):
        return {key: _without_rules(value) for key, value in schema.items() if key != "x-kubernetes-validations"}
    return [_without_rules(item) for item in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    sys.exit(main())
