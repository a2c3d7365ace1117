"""The scenarios. Each runs in a bed of its own, checks that no mapping is lost or doubled, and returns its figures."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.aws import Counts
from tests.bed import Bed
from tests.bench.results import lambda_calls
from tests.e2e.manifests import provider_config, queue
from tests.e2e.proxy import Proxy, kubeconfig_through
from tests.soak import many
from tests.soak.readings import Reading
from tests.soak.unresolved import HOST, MAIN, Names
from tests.waiting import eventually

#: What a scenario has measured, by what it is.
Figures = Mapping[str, int | str]
#: Requests a second that AWS allows (its default quota), and the seconds that a transition takes.
QUOTA, PACE = 15.0, 2.0
#: Flags without which the operator's own limits would decide how long a scenario takes.
UNLIMITED = ("--requests-per-second=1000", "--deletions-per-minute=100000")
#: Seconds in which the operator releases what removed ProviderConfigs needed.
RELEASE = 180.0
CREATE, UPDATE = "CreateEventSourceMapping", "UpdateEventSourceMapping"


def aws_away(bed: Bed, *, resources: int, seconds: float) -> Figures:
    """AWS refuses all connections for some time, and all resources are edited meanwhile."""
    proxy = bed.exits.enter_context(_aws_proxy(bed))
    bed.operator(endpoint=f"http://127.0.0.1:{proxy.port}")
    away, figures = _outage(bed, resources, seconds, fail=proxy.refuse, restore=proxy.restore)
    return {"connections tried while AWS was away": _per_minute(proxy.refused, away), **figures}


def names_unresolved(bed: Bed, *, resources: int, seconds: float) -> Figures:
    """The name of AWS cannot be resolved for some time, and all resources are edited meanwhile."""
    proxy = bed.exits.enter_context(_aws_proxy(bed))
    folder = bed.folder / "names"
    folder.mkdir()
    names = Names(folder)
    bed.operator(entry=MAIN, environment=names.environment, endpoint=f"http://{HOST}:{proxy.port}")

    def fail() -> None:
        names.fail()
        proxy.cut()  # connections that exist need no name

    away, figures = _outage(bed, resources, seconds, fail=fail, restore=names.restore)
    return {"failed lookups": _per_minute(names.failures, away), **figures}


def _outage(
    bed: Bed, resources: int, seconds: float, *, fail: Callable[[], None], restore: Callable[[], None]
) -> tuple[float, Figures]:
    """The seconds without AWS, and the figures of the recovery."""
    bed.control.set(quota=QUOTA, tagging_quota=QUOTA, pace=PACE)
    names = many.names(resources)
    many.create(bed, names, batchSize=5)
    many.wait_ready(bed, resources)
    fail()
    began = time.monotonic()
    many.edit(bed, names, batchSize=6)
    _wait_reported(bed, names)
    _let_pass(began + seconds)
    away = time.monotonic() - began
    bed.control.reset_counts()
    restore()
    corrected = many.wait(lambda: sum(one["BatchSize"] == 6 for one in bed.mappings()), resources, "edits are in AWS")
    many.wait_ready(bed, resources)
    counts = bed.control.counts()
    assert CREATE not in counts.calls
    assert len(bed.mappings()) == resources
    return away, {
        "from its end until all edits were in AWS": f"{corrected:.0f} s",
        "Updates": counts.calls[UPDATE],
        "calls to AWS Lambda until all resources were Ready": lambda_calls(counts.calls),
        "most calls to AWS Lambda in one second": _busiest(counts),
        "calls that AWS throttled": counts.throttled,
    }


def _wait_reported(bed: Bed, names: list[str]) -> None:
    """Wait until a resource reports that AWS does not answer."""
    eventually(
        lambda: any(bed.condition(name, "Ready").get("reason") == "AWSUnreachable" for name in names[:5]),
        "a resource reports AWSUnreachable",
    )


def cycles(bed: Bed, *, total: int, together: int) -> dict[str, Reading]:
    """Resources are created and deleted, some together, again and again. AWS and the operator have no rate limits.

    Returns what the operator holds at the beginning, at each quarter and at the end.
    """
    bed.control.set(pace=0)
    operator = bed.operator(*UNLIMITED)
    read: dict[int, Reading] = {}
    for done in range(0, total, together):
        names = many.names(together, f"cycle-{done}")
        many.create(bed, names)
        many.wait_ready(bed, together)
        many.delete(bed, names)
        many.wait_gone(bed)
        read[done + together] = Reading.of(operator.pid)
    assert bed.calls()[CREATE] == total
    assert bed.mappings() == []
    steps = list(read)
    shown = [steps[0], steps[len(steps) // 4], steps[len(steps) // 2], steps[3 * len(steps) // 4], steps[-1]]
    return {f"after {done:,} creations and deletions": read[done] for done in dict.fromkeys(shown)}


def provider_configs(bed: Bed, *, count: int, rounds: int) -> dict[str, Reading]:
    """ProviderConfigs with a role in another account each are added, used, and removed, again and again.

    Returns what the operator holds before them, while they are there, and after each removal. It has some time to
    release what it does not need any more.
    """
    bed.control.set(pace=0)
    operator = bed.operator(*UNLIMITED)
    bed.apply(queue("first"))
    bed.wait_ready("first")
    readings = {"before": Reading.of(operator.pid)}
    for number in range(1, rounds + 1):
        accounts = {f"shop-{index}": f"{200_000_000_000 + 1000 * number + index}" for index in range(count)}
        for name, account in accounts.items():
            bed.apply(provider_config(name, roleARN=f"arn:aws:iam::{account}:role/shop"))
            source = f"arn:aws:sqs:eu-west-1:{account}:{name}"
            bed.apply(queue(name, eventSourceARN=source, providerConfigRef={"name": name}))
        many.wait_ready(bed, count + 1)
        readings[f"with {count} ProviderConfigs, round {number}"] = Reading.of(operator.pid)
        many.delete(bed, accounts)
        for name in accounts:
            bed.wait_gone(name)
            bed.delete_config(name)
        for name in accounts:
            eventually(lambda name=name: bed.config(name) is None, f"{name} is gone")
        _let_pass(time.monotonic() + RELEASE, until=lambda: Reading.of(operator.pid).exceeds(readings["before"]) == "")
        readings[f"after {number} × {count} ProviderConfigs"] = Reading.of(operator.pid)
    return readings


def terminated(bed: Bed, *, resources: int) -> Figures:
    """The operator gets SIGTERM while it creates mappings, and is started again."""
    bed.control.set(quota=QUOTA, tagging_quota=QUOTA, pace=PACE)
    operator = bed.operator()
    many.create(bed, many.names(resources))
    many.wait(lambda: bed.calls().get(CREATE, 0), resources // 5, "Creates")
    os.kill(operator.pid, signal.SIGTERM)
    asked = time.monotonic()
    eventually(operator.has_ended, "it ends")
    ended = time.monotonic() - asked
    created = len(bed.mappings())
    operator.stop()
    operator.start()
    many.wait_ready(bed, resources)
    functions = bed.functions()
    assert len(functions) == functions.total() == resources, "each resource has one mapping"
    return {
        "from SIGTERM to the end of the process": f"{ended:.1f} s",
        "mappings at its end": created,
        "Creates in total": bed.calls()[CREATE],
    }


def slow_api_server(bed: Bed, *, resources: int, delay: float) -> Figures:
    """Each answer of the API server takes some seconds, also those to requests for the lease."""
    with ExitStack() as exits:
        proxy = exits.enter_context(Proxy(*bed.plane.address))
        kubeconfig = kubeconfig_through(bed.kubeconfig, proxy, bed.folder / "slow.kubeconfig")
        operator = bed.operator(kubeconfig=kubeconfig)
        exits.callback(operator.stop)
        bed.apply(queue("first"))
        bed.wait_ready("first")
        proxy.delay_answers(delay)
        names = many.names(resources)
        began = time.monotonic()
        many.create(bed, names, batchSize=5)
        many.wait_ready(bed, resources + 1)
        created = time.monotonic() - began
        edited = time.monotonic()
        many.edit(bed, names, batchSize=6)
        many.wait_ready(bed, resources + 1)
        assert all(bed.mapping(name)["BatchSize"] == 6 for name in names)
        assert bed.calls()[CREATE] == resources + 1
        return {
            f"from the creation of {resources} resources until all were Ready": f"{created:.0f} s",
            "from an edit of all until all were Ready": f"{time.monotonic() - edited:.0f} s",
        }


def _aws_proxy(bed: Bed) -> Proxy:
    address = urlsplit(bed.aws.endpoint)
    assert address.hostname
    assert address.port
    return Proxy(address.hostname, address.port)


def _let_pass(end: float, until: Callable[[], bool] = lambda: False) -> None:
    """Let time pass until a monotonic time, or until something is true."""
    while (left := end - time.monotonic()) > 0 and not until():
        time.sleep(min(left, 1.0))


def _busiest(counts: Counts) -> int:
    return max(counts.busiest_second.values(), default=0)


def _per_minute(count: int, seconds: float) -> str:
    return f"{count:,} in {seconds:,.0f} s ({60 * count / seconds:.0f} a minute)"
