"""docs/reference/performance.md: the whole page, made from results; only here is its wording."""

import textwrap
from collections.abc import Iterable
from pathlib import Path

from tests.bench import plots, table
from tests.bench.figures import busiest_server, figures, server_capacity
from tests.bench.load import THREADS
from tests.bench.operator import DELETIONS
from tests.bench.phases import BUDGET
from tests.bench.results import API_SERVER, AWS, OPERATOR, Results, World
from tests.bench.scale import sweep_interval
from tests.bench.stage import PACE, QUOTA
from tests.bench.workload import NAMESPACES
from tests.bench.worlds import GOOD
from tests.e2e.manifests import TEN_KINDS
from tests.operator_process import ROOT

#: How many times as many requests as it gets a server must be able to answer that sets no pace.
ENOUGH = 3
WIDTH = 120
DOCS = ROOT / "docs" / "reference"
PAGE = "performance.md"
CALLS, LATENCIES, USAGE = "performance-calls.png", "performance-latencies.png", "performance-usage.png"
#: The keys of TEN_KINDS, for readers.
_KINDS = (
    "SQS standard and FIFO queues, Kinesis streams and consumers, DynamoDB streams, Amazon MSK, self-managed Kafka, "
    "ActiveMQ, RabbitMQ and DocumentDB"
)
_WORLDS = {
    "small": "A tenth of the mappings. The figures compare the CPU time for one mapping here and in `full`.",
    "fifth": "A fifth of the mappings, from their creation until all are Ready.",
    "full": "All mappings, from their creation to their deletion.",
    "ceiling": "A fifth of the mappings, without AWS's quota and without the operator's rate limits.",
    "errors": f"""AWS refuses the Create of all these resources, because their functions do not exist. {GOOD} more
        resources are in order.""",
}


def write(results: Results, docs: Path = DOCS) -> None:
    """Write the page and its plots."""
    if "full" in results.worlds and results.worlds["full"].samples:
        plots.calls(results, docs / CALLS)
        plots.usage(results, docs / USAGE)
    plots.latencies(results, docs / LATENCIES)
    (docs / PAGE).write_text(rendered(results))


def rendered(results: Results) -> str:
    """The page's text."""
    parts = (_head(results), _figures(results), _plots(results), _method(results), _server(results), _all(results))
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _head(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    what = paragraph(f"""
        This page shows the cost of {results.mappings:,} mappings, and how fast changes reach AWS. `{results.command}`
        measured the figures on {machine.date} and wrote this page. Do not edit it by hand.
    """)
    where = paragraph(f"""
        The operator, the API server, etcd, an AWS server and the benchmark shared a machine with {machine.cores} cores
        ({machine.processor}) and {machine.memory:.0f} GB of memory. The versions were {versions}.
    """)
    checked = paragraph("""
        Some counts must be the same on every machine, such as the Creates, the Deletes and the writes to Kubernetes.
        The command fails if one of them is wrong. Times, CPU and memory depend on the machine.
    """)
    worlds = paragraph("""
        The benchmark runs five *worlds* one after the other. Each world starts a new API server, etcd, AWS server and
        operator, and has its own number of mappings. A world has several *phases*, such as the creation of the
        mappings. [All phases](#all-phases) lists them.
    """)
    return f"""
# Performance

{what}

{where}

```console
$ make bench          # 10,000 mappings, about 90 minutes. Writes this page
$ make bench N=500    # about ten minutes. Prints the figures in the terminal only
```

{checked}

{worlds}
"""


def _figures(results: Results) -> str:
    points = [
        f"""*Ideal* is the least that the task needs. An ideal time is the time for the necessary calls at the rate of
        the operator, {BUDGET:.0f} requests a second. The quota of AWS is {QUOTA:.0f} requests a second for each account
        and region.""",
        """*Target* is the aim of the project for the value in the same row. *Met* compares the two.""",
        """*ACK* is AWS's own controller for Lambda, measured on the same AWS server with 200 mappings. An empty cell
        was not measured.""",
        """*Create*, *Update*, *Delete*, *Get* and *List* are the calls of AWS Lambda for event source mappings.""",
    ]
    notes = [
        """The operator saves up to 3 unused requests for a burst. So the busiest second can have more calls than the
        rate.""",
        """The operator reads the tags of a mapping before it deletes the mapping. So a deletion takes two calls, and
        twice the ideal time.""",
        """The target for memory applies to the number of mappings in that row.""",
        """[Scaling](../explanation/scaling.md#cpu-usage) explains which parts of the operator use CPU time.""",
    ]
    return f"""
## Figures
{_points(points)}

{table.markdown(table.FIGURES, table.figure_rows(figures(results)))}

{_points(notes)}
"""


def _plots(results: Results) -> str:
    world = results.worlds.get("full")
    if world is None or not world.samples:
        return ""
    return f"""
![Calls to AWS Lambda per second, by operation, in each phase]({CALLS})

![Distribution of the time until a change reaches AWS]({LATENCIES})

![Memory and CPU of the operator over time]({USAGE})
"""


def _method(results: Results) -> str:
    interval = sweep_interval(results.mappings)
    arguments = results.worlds["ceiling"].arguments if "ceiling" in results.worlds else []
    points = [
        f"""**Servers.** The API server and etcd are the unmodified programs of the
        [control plane of the tests](../../tests/controlplane/README.md). The
        [AWS server of the tests](../../tests/aws/README.md) answers in place of AWS. It has a quota of {QUOTA:.0f}
        requests a second, and takes {PACE:.0f} s for each change of a mapping. Every server is a separate process.""",
        f"""**Operator.** The benchmark runs the command `esm-operator run` with its own ServiceAccount and role. All
        settings have their defaults ({BUDGET:.0f} requests a second, a sweep every {interval:.0f} s), except
        `{DELETIONS}`. The default limit on deletions would delay the deletions.""",
        f"""**Without rate limits.** The world `ceiling` and the phase `setup` of `errors` have no quota in AWS. There
        the operator runs with {_code(arguments)}.""",
        f"""**Resources.** The resources have {len(TEN_KINDS)} kinds of sources in equal numbers: {_KINDS}. The
        resources are spread over {len(NAMESPACES)} namespaces. Each has its own function and three tags.""",
        """**Counts.** The AWS server counts the calls to AWS. The API server counts the writes to Kubernetes
        (`apiserver_request_total`), and the benchmark subtracts its own. CPU time and memory are the kernel's values
        for a process. A MB is 10^6 bytes.""",
        """**Events.** The operator sends Events in the background, up to 20 a second. It drops Events while 1,000
        others wait. So without rate limits there are fewer Events than created mappings.""",
        """**Restart.** The benchmark stops the operator with SIGTERM and starts it again. The figures end when the new
        process has compared every resource with its mapping, that is, when
        `esm_operator_reconciles_total{result="synced"}` reaches the number of resources. The phase `restart` begins
        with SIGTERM, and ends when the operator has also read all tags. So the phase has more calls and more CPU time
        than the figures.""",
        """**Drift.** The benchmark changes the batch sizes of mappings in AWS within a moment. The time ends when the
        operator's Update for the mapping arrives in AWS.""",
        """**Edits.** The time begins when the API server answers a patch of `spec.batchSize`. It ends when the
        operator's Update arrives in AWS. Percentiles are by nearest rank, so the 99th percentile of fewer than 100
        edits is the slowest one.""",
        """**Failing resources.** In the phase `setup` AWS refuses each of these resources at least once. The operator
        retries them, so there are more Creates than resources. Then the benchmark starts the operator again with its
        default rates. It measures the retries in `errors alone`, and edits of resources that are in order in
        `edits among errors`.""",
    ]
    return f"""
## How it was measured
{_points(points)}
"""


def _code(arguments: list[str]) -> str:
    return " and ".join(f"`{argument}`" for argument in arguments) or "its default rates"


def _server(results: Results) -> str:
    share, where = busiest_server(results)
    text = f"""The AWS server of the tests is a Python process too. So the benchmark measured its CPU time. Its highest
        share of one core was {100 * share:.0f} %, in the phase {where}."""
    return f"""
## Was the AWS server the bottleneck?
{paragraph(f"{text} {_capacity(results)}")}
"""


def _capacity(results: Results) -> str:
    """The capacity of the AWS server, and its load where nothing set the operator a pace."""
    capacity, create = server_capacity(results), results.phase("ceiling", "create")
    if capacity is None or create is None:
        return ""
    reached, possible = capacity
    count = results.worlds["ceiling"].mappings
    rate = count / create.figures["seconds"]
    verdict = "was not the bottleneck" if possible > ENOUGH * rate else "may have been the bottleneck"
    return f"""For comparison, {THREADS} threads sent Creates directly to the AWS server as fast as possible. The server
        answered {reached:,.0f} a second, which is {possible:,.0f} for each second of its CPU time. In the world
        `ceiling` the operator sent only {rate:,.0f} a second, and the AWS server used {100 * create.share(AWS):.0f} %
        of a core. So the AWS server {verdict}. Meanwhile the API server used {100 * create.share(API_SERVER):.0f} % of
        a core ({1000 * create.cpu.get(API_SERVER, 0.0) / count:.0f} ms for each mapping), and the operator
        {100 * create.share(OPERATOR):.0f} %."""


def _all(results: Results) -> str:
    tables = "\n\n".join(_world(world) for world in results.worlds.values())
    columns = [
        """*calls to AWS* has the number of each call. GetResources belongs to the tagging API, GetCallerIdentity to
        STS. All others are calls of AWS Lambda.""",
        """*busiest second* is the highest number of AWS Lambda calls within one second.""",
        """*writes to Kubernetes* has the writes of all clients except the benchmark. `esm` is short for
        `eventsourcemappings`. The HTTP status of refused writes is in parentheses: 404 if the resource was deleted, 409
        if it had changed. Leases are the operator's own, renewed every 2 s, and those of the API server.""",
        """*CPU share* is the share of one core during the phase.""",
        """*RSS (peak)* is the operator's memory at the end of the phase, and its highest memory since it started.""",
    ]
    phases = [
        """`create` lasts until AWS has received all Creates, and `settle` until all resources are Ready.""",
        """`quiet` and `errors alone` have no edits and no other changes.""",
        """`edits while many are created` creates more resources, edits older ones while the new ones wait, and deletes
        the new ones. Many of the new resources are deleted before their Create.""",
        """`load on the AWS server` sends Creates without the operator.""",
    ]
    return f"""
## All phases
The columns of the tables:

{_points(columns)}

The phases:

{_points(phases)}

{tables}
"""


def _world(world: World) -> str:
    failure = f"\n\nIt did not come to its end: {world.failure}" if world.failure else ""
    return f"""### {world.name}: {world.mappings:,} mappings
{paragraph(_WORLDS[world.name])}{failure}

{table.markdown(table.PHASES, table.phase_rows(world))}"""


def paragraph(text: str, width: int = WIDTH) -> str:
    """A text in lines of at most so many characters."""
    return textwrap.fill(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def point(text: str) -> str:
    """A text as one point of a list."""
    return f"- {paragraph(text, WIDTH - 2)}".replace("\n", "\n  ")


def _points(texts: Iterable[str]) -> str:
    """Texts as a list."""
    return "\n".join(point(text) for text in texts)
