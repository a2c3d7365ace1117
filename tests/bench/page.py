"""docs/reference/performance.md: the whole page, made from results; only here is its wording."""

import textwrap
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
_WORLDS = {
    "small": "A tenth of the mappings, to compare the cost of one with what it is among many.",
    "fifth": "A fifth of them: what AWS is asked until all are ready.",
    "full": "All of them, from their creation to their deletion.",
    "ceiling": "A fifth, without a quota at AWS and with the operator's own limits lifted: how fast it could be.",
    "errors": f"All of them fail for good, for their functions are missing; {GOOD} more are well.",
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
        What {results.mappings:,} mappings cost, and how fast changes reach AWS. Made by `{results.command}` on
        {machine.date}; the command writes this page, so don't edit it by hand. {machine.cores} cores
        ({machine.processor}) and {machine.memory:.0f} GB of memory for everything: the operator, the API server, etcd,
        the AWS server and the benchmark itself. {versions}.
    """)
    return f"""
# How it performs

{what}

```console
$ make bench          # 10,000 mappings: 85 minutes, writes this page
$ make bench N=500    # some ten minutes, only reports
```

Numbers of calls and writes are the same on any machine, and checked: the command fails if one is not what it must be.
Times, CPU and memory are this machine's.
"""


def _figures(results: Results) -> str:
    what = paragraph(f"""
        *Ideal* is what the task itself needs at least: calls that can't be saved, at the rate that is allowed (AWS's
        quota is {QUOTA:.0f} requests a second for an account and region; the operator makes {BUDGET:.0f} of them).
        *Target* is what was aimed at. *ACK* is AWS's own Lambda controller, measured on the same AWS server with 200
        mappings; where nothing stands, that was not measured. What bounds the figures of the processor is in
        [scaling.md](../explanation/scaling.md#where-the-processors-time-goes).
    """)
    return f"""
## Figures
{what}

{table.markdown(table.FIGURES, table.figure_rows(figures(results)))}
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
        f"""On the control plane of the tests (kube-apiserver and etcd, as they are), and their
        [AWS server](../../tests/aws/README.md), with a quota of {QUOTA:.0f} requests a second and transitions of
        {PACE:.0f} s. All are processes of their own; each *world* has fresh ones.""",
        f"""The operator is the plain command `esm-operator run`, under its own ServiceAccount and role, with all
        settings at their defaults ({BUDGET:.0f} requests a second, a sweep each {interval:.0f} s), but for
        `{DELETIONS}`: else the brake on deletions would set the pace. Where limits are lifted: {_code(arguments)}.""",
        f"""Resources are of {len(TEN_KINDS)} kinds of sources in turn, spread over {len(NAMESPACES)} namespaces, each
        with a function of its own and three tags.""",
        """Calls to AWS and throttled answers are counted by the AWS server, writes to Kubernetes by the API server
        (`apiserver_request_total`), less those of the benchmark itself. CPU time and memory are the kernel's figures
        for the process; MB are 10^6 bytes.""",
        """Events are posted beside the work, up to 20 a second, and what is beyond 1,000 that wait is left out: where
        limits are lifted there are fewer Events than mappings created.""",
        """A restart is a SIGTERM and a start; it ends when `esm_operator_reconciles_total{result="synced"}` of the new
        process has reached the number of resources: each was compared with what AWS has.""",
        """Drift: batch sizes changed at AWS, all in a moment; the time is until the operator's Update for that mapping
        arrives.""",
        """Edits: from the API server's answer to a patch of `spec.batchSize` until the operator's Update arrives at
        AWS. Percentiles are by nearest rank.""",
        """Errors: each resource was refused once without limits; then the operator was started anew with its defaults,
        and measured a minute later: first without anything else, and then with edits of those that are
        well.""",
    ]
    return "\n".join(["## How it was measured", *(point(text) for text in points)])


def _code(arguments: list[str]) -> str:
    return ", ".join(f"`{argument}`" for argument in arguments) or "nowhere"


def _server(results: Results) -> str:
    share, where = busiest_server(results)
    text = f"""The AWS server is a process in Python too, so it was watched: where it worked hardest ({where}), it used
        {100 * share:.0f} % of one core."""
    return f"""
## Was it the AWS server that was slow?
{paragraph(f"{text} {_capacity(results)}")}
"""


def _capacity(results: Results) -> str:
    """What the AWS server could do, beside what was asked of it where nothing set the operator a pace."""
    capacity, create = server_capacity(results), results.phase("ceiling", "create")
    if capacity is None or create is None:
        return ""
    reached, possible = capacity
    count = results.worlds["ceiling"].mappings
    rate = count / create.figures["seconds"]
    verdict = "it was not the bottleneck" if possible > ENOUGH * rate else "it may have been what set the pace there"
    return f"""Asked directly, by {THREADS} threads that send plain HTTP, it answered {reached:,.0f} Creates a second,
        and would answer {possible:,.0f} with a core of its own. The operator without limits made {rate:,.0f} a second,
        for which the server needed {100 * create.share(AWS):.0f} % of a core: {verdict}. The API server needed
        {100 * create.share(API_SERVER):.0f} % of one meanwhile, {1000 * create.cpu.get(API_SERVER, 0.0) / count:.0f} ms
        for each mapping, and the operator {100 * create.share(OPERATOR):.0f} %."""


def _all(results: Results) -> str:
    tables = "\n\n".join(_world(world) for world in results.worlds.values())
    return f"""
## All phases
Writes to Kubernetes are those of everybody but the benchmark; those to leases (the operator's own, each 2 s, and the
API server's) are in brackets. CPU is the operator's, and then how much of one core each process used. `esm` is
`eventsourcemappings`.

{tables}
"""


def _world(world: World) -> str:
    failure = f"\n\nIt did not come to its end: {world.failure}" if world.failure else ""
    return f"""### {world.name}: {world.mappings:,} mappings
{_WORLDS[world.name]}{failure}

{table.markdown(table.PHASES, table.phase_rows(world))}"""


def paragraph(text: str, width: int = WIDTH) -> str:
    """A text in lines of at most so many characters."""
    return textwrap.fill(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def point(text: str) -> str:
    """A text as one point of a list."""
    return f"- {paragraph(text, WIDTH - 2)}".replace("\n", "\n  ")
