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
    "small": """This world has a tenth of the mappings. The figures compare its CPU time for each mapping with the CPU
        time of `full`.""",
    "fifth": "This world has a fifth of the mappings. It runs from their creation until all are Ready.",
    "full": "This world has all mappings. It runs from their creation to their deletion.",
    "ceiling": "This world has a fifth of the mappings. AWS has no quota here, and the operator has no rate limits.",
    "errors": f"""The functions of these resources do not exist, so AWS refuses their Creates. The world also has {GOOD}
        resources whose functions exist.""",
    "references": """The resources have values first, and then two references each: to the function and to the source.
        Each resource has two objects of its own, with the field names of ACK, Crossplane and Strimzi.""",
    "starved": """The API server has a tenth of a core. One user creates the resources, each after the answer to the
        one before.""",
    "starved-longer": "This world is `starved` with five times as many mappings.",
    "starved-burst": "This world is `starved` with eight requests at a time.",
    "starved-burst-longer": "This world is `starved-burst` with five times as many mappings.",
    "brownout": """The resources exist before the operator starts. When the operator has created a fifth of the
        mappings, the API server has a tenth of a core for two minutes.""",
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
        The operator, the API server, etcd, the benchmark and an *AWS server*, which simulates AWS, shared a machine
        with {machine.cores} cores ({machine.processor}) and {machine.memory:.0f} GB of memory. The versions were
        {versions}.
    """)
    checked = paragraph("""
        Some counts must be the same on every machine, such as the Creates, the Deletes and the writes to Kubernetes.
        The command fails if one of them is wrong. Times, CPU and memory depend on the machine.
    """)
    worlds = paragraph("""
        The benchmark runs several *worlds* one after the other. Each world starts a new API server, etcd, AWS server
        and operator, and has its own number of mappings. A world has several *phases*, such as the creation of the
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
        """*Target* is the value that the project wants to reach. *Met* shows whether the measured value reaches it.""",
        """*ACK* is the Lambda controller of AWS Controllers for Kubernetes, a project of AWS. It was measured with 200
        mappings on the same AWS server. If the cell is empty, it was not measured.""",
        """*Create*, *Update*, *Delete*, *Get* and *List* are the calls to AWS Lambda for event source mappings.""",
    ]
    notes = [
        """The operator saves up to 3 unused requests for a burst. So the busiest second can have more calls than the
        rate.""",
        """The operator reads the tags of a mapping before it deletes the mapping. So a deletion takes two calls, and
        twice the ideal time.""",
        f"""The target for memory is for {results.mappings:,} mappings. So the rows about more resources have no
        target.""",
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
        [AWS server of the tests](../../tests/aws/README.md) simulates AWS. It has a quota of {QUOTA:.0f} requests a
        second, and takes {PACE:.0f} s for each change of a mapping. Every server is a separate process.""",
        f"""**Operator.** The benchmark runs the command `esm-operator run` with its own ServiceAccount and role. All
        settings have their defaults ({BUDGET:.0f} requests a second, a sweep every {interval:.0f} s), except
        `{DELETIONS}`. The default limit on deletions would delay the deletions.""",
        f"""**Without rate limits.** In the world `ceiling` and in the phase `setup` of `errors`, the AWS server has no
        quota, and the operator runs with {_code(arguments)}.""",
        f"""**Resources.** The resources have {len(TEN_KINDS)} kinds of sources in equal numbers: {_KINDS}. The
        resources are spread over {len(NAMESPACES)} namespaces. Each resource has its own function and three tags.""",
        """**Counts.** The AWS server counts the calls to AWS. The API server counts the writes to Kubernetes
        (`apiserver_request_total`), and the benchmark subtracts its own. CPU time and memory are the kernel's values
        for a process. A MB is 10^6 bytes.""",
        """**Events.** The operator sends Events in the background, up to 20 a second. It drops Events while 1,000
        others wait. So without rate limits there are fewer Events than created mappings.""",
        """**Restart.** The benchmark stops the operator with SIGTERM and starts it again. The figures cover the time
        from the start of the new process until it has compared every resource with its mapping. Then
        `esm_operator_reconciles_total{result="synced"}` is the number of resources. The phase `restart` is longer than
        this time. It begins with SIGTERM, and ends when the operator has also read all tags. So the phase has more
        calls and more CPU time than the figures.""",
        """**Drift.** The benchmark changes the batch sizes of mappings in AWS, one immediately after the other. The
        time begins with the change in AWS, and ends when the operator's Update for the mapping arrives in AWS.""",
        """**Edits.** The time begins when the API server answers a patch of `spec.batchSize`. It ends when the
        operator's Update arrives in AWS. Percentiles are by nearest rank. So the 99th percentile of fewer than 100
        edits is the slowest edit.""",
        """**Failing resources.** In the phase `setup` AWS refuses the Create of each failing resource at least once.
        The operator retries the Creates, so there are more Creates than resources. Then the benchmark starts the
        operator again with its default rates. The phase `errors alone` measures the retries. The phase `edits among
        errors` measures edits of the resources whose functions exist.""",
    ]
    return f"""
## How it was measured
{_points(points)}
"""


def _code(arguments: list[str]) -> str:
    return " and ".join(f"`{argument}`" for argument in arguments) or "its default rates"


def _server(results: Results) -> str:
    share, where = busiest_server(results)
    text = f"""The AWS server is a Python process, and can be slower than AWS. To find whether it limited the operator,
        the benchmark measured its CPU time. Its highest share of one core was {100 * share:.0f} %, in the phase
        {where}."""
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
        answered {reached:,.0f} Creates a second, and {possible:,.0f} Creates for each second of its CPU time. In the
        phase `create` of the world `ceiling`, the operator sent only {rate:,.0f} Creates a second, and the AWS server
        used {100 * create.share(AWS):.0f} % of a core. So the AWS server {verdict}. In the same phase, the API server
        used {100 * create.share(API_SERVER):.0f} % of a core ({1000 * create.cpu.get(API_SERVER, 0.0) / count:.0f} ms
        for each mapping), and the operator used {100 * create.share(OPERATOR):.0f} %."""


def _all(results: Results) -> str:
    tables = "\n\n".join(_world(world) for world in results.worlds.values())
    columns = [
        """*calls to AWS* has the number of calls of each operation. GetResources is an operation of the tagging API,
        and GetCallerIdentity is one of STS. All others are operations of AWS Lambda.""",
        """*busiest second* is the highest number of AWS Lambda calls within one second.""",
        """*writes to Kubernetes* has the writes of all clients except the benchmark. `esm` is short for
        `eventsourcemappings`. Refused writes have their HTTP status in parentheses. The status is 404 if the resource
        was deleted, and 409 if the resource had changed. *leases* has the writes to the operator's Lease, which are
        made every 2 s, and to the Leases of the API server.""",
        """*CPU share* is the share of one core during the phase.""",
        """*RSS (peak)* is the operator's memory at the end of the phase. The value in parentheses is the highest memory
        since the operator started.""",
    ]
    phases = [
        """`create` lasts until AWS has received all Creates, and `settle` until all resources are Ready.""",
        """`quiet` and `errors alone` have no edits and no other changes. In `quiet`, the last processing result of each
        mapping that has one changes every minute, as on streams with little traffic.""",
        """In `edits while many are created`, the benchmark creates more resources. It edits older resources while the
        new resources wait for their Creates. Then it deletes the new resources, many of them before their Create.""",
        """In `load on the AWS server`, the benchmark sends Creates to the AWS server without the operator.""",
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
