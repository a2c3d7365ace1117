"""Ideal results of a benchmark. Tests change single values of them."""

from tests.bench.phases import BROWNOUT, STARVED
from tests.bench.results import AWS, OPERATOR, Machine, Phase, Results, World

MAPPINGS = 100


def ideal() -> Results:
    """The results of all worlds, with a hundred mappings."""
    machine = Machine(date="2026-01-01", cores=2, processor="any", memory=16.0, versions={"Python": "3.11.7"})
    results = Results(mappings=MAPPINGS, command="make bench N=100", machine=machine)
    for name, count in (("small", 10), ("fifth", 20), ("full", MAPPINGS), ("ceiling", 20), ("errors", MAPPINGS)):
        results.worlds[name] = World(name=name, mappings=count)
    for name in ("small", "fifth", "full", "ceiling"):
        _add(results, name, *_creation(results.worlds[name].mappings))
    for name in ("small", "full"):
        figures = {"seconds": 3.0, "cpu": 2.0, "lambda_calls": 1.0, "stopped": 0.5}
        _add(results, name, _phase("restart", calls={"ListEventSourceMappings": 1, "GetResources": 1}, figures=figures))
    quiet = _phase("quiet", calls={"ListEventSourceMappings": 5}, writes={"PUT leases": 200})
    drift = _phase("drift", calls={"UpdateEventSourceMapping": 2}, figures={"changes": 2.0}, latencies=[5.0, 20.0])
    edits = _phase(
        "edits while many are created",
        calls={"UpdateEventSourceMapping": 3, "CreateEventSourceMapping": 9, "DeleteEventSourceMapping": 9},
        figures={"changes": 3.0, "pending": 41.0, "seconds": 5.0},
        latencies=[0.1, 0.2, 0.3],
    )
    deletion = _phase("delete", calls={"DeleteEventSourceMapping": MAPPINGS}, figures={"seconds": 12.0, "left": 0.0})
    _add(results, "full", quiet, drift, edits, deletion)
    _add(results, "ceiling", _phase("load on the AWS server", figures={"requests": 1000.0, "seconds": 5.0}))
    among = _phase(
        "edits among errors",
        calls={"UpdateEventSourceMapping": 1},
        figures={"changes": 1.0},
        latencies=[0.1],
    )
    _add(results, "errors", _phase("errors alone", calls={"CreateEventSourceMapping": 200}), among)
    for name, count in (("starved", 2), ("starved-longer", 10), ("brownout", 10)):
        results.worlds[name] = World(name=name, mappings=count)
        counts = {"mappings": float(count), "writes": 5.0 * count, "unanswered": 0.0, "leases_lost": 0.0}
        figures = {"seconds": 5.0, "before": 10.0, "during": 2.0, "waiting": 5.0, "recovery": 3.0}
        made = {"CreateEventSourceMapping": count}
        _add(results, name, _phase(BROWNOUT if name == "brownout" else STARVED, calls=made, figures=counts | figures))
    return results


def phase(results: Results, world: str, name: str) -> Phase:
    """A copy of one result that a test may change."""
    return results.worlds[world].phases[name]


def _creation(count: int) -> tuple[Phase, Phase]:
    create = _phase(
        "create",
        calls={"CreateEventSourceMapping": count, "GetCallerIdentity": 1},
        writes={
            "PATCH eventsourcemappings": count,
            "PATCH eventsourcemappings/status": count,
            "POST events": count,
            "PUT leases": 7,
        },
        figures={"seconds": count / 10},
    )
    settle = _phase("settle", writes={"PATCH eventsourcemappings/status": count})
    return create, settle


def _phase(
    name: str,
    *,
    calls: dict[str, int] | None = None,
    writes: dict[str, int] | None = None,
    figures: dict[str, float] | None = None,
    latencies: list[float] | None = None,
) -> Phase:
    return Phase(
        name=name,
        wall=100.0,
        complete=True,
        calls=calls or {},
        writes=writes or {},
        figures=figures or {},
        latencies=latencies or [],
        cpu={OPERATOR: 0.1, AWS: 0.2},
        rss=90.0,
        peak=100.0,
    )


def _add(results: Results, world: str, *phases: Phase) -> None:
    for one in phases:
        results.worlds[world].phases[one.name] = one
