"""What must come out exactly, whatever the machine: numbers of calls and writes. Times and memory are never checked."""

from collections.abc import Iterator

from tests.bench import writes
from tests.bench.figures import MOST_RESULTS
from tests.bench.phases import CREATE, DELETE, REFER, RESTART_REFERRING
from tests.bench.results import Phase, Results, World

UPDATE = "UpdateEventSourceMapping"
#: Writes of a status for each created mapping: one if AWS is quick, else two.
MOST_STATUSES = 2
MOST_EVENTS = 2


def failures(results: Results) -> list[str]:
    """A sentence for each check that fails."""
    return [
        f"{world.name}: {sentence}"
        for world in results.worlds.values()
        for check in (_ended, _never_throttled, _created, _at_rest, _referring, _changed, _deleted, _whole)
        for sentence in check(world)
    ]


def _ended(world: World) -> Iterator[str]:
    if world.failure:
        yield f"it did not come to its end: {world.failure}"


def _never_throttled(world: World) -> Iterator[str]:
    for phase in world.phases.values():
        if phase.throttled:
            yield f"in the phase {phase.name}, AWS throttled {phase.throttled:,} calls; none may be."


def _created(world: World) -> Iterator[str]:
    create, settle = world.phase("create"), world.phase("settle")
    if create is None or settle is None:
        return
    made = _sum(create.calls, settle.calls)
    yield from _exactly(f"calls of {CREATE}", made.get(CREATE, 0), world.mappings)
    yield from _exactly("calls of ListTags while mappings were created", made.get("ListTags", 0), 0)
    for operation in (UPDATE, DELETE):
        yield from _exactly(f"calls of {operation} while mappings were created", made.get(operation, 0), 0)
    written = writes.without_leases(_sum(create.writes, settle.writes))
    events = written.pop(writes.EVENTS, 0)
    statuses = written.pop(writes.STATUS, 0)
    if not world.mappings <= statuses <= MOST_STATUSES * world.mappings:
        yield (
            f"{statuses:,} writes {writes.STATUS} while {world.mappings:,} mappings were created; one or two each must "
            "be."
        )
    for kind in {writes.METADATA, *written}:
        expected = world.mappings if kind == writes.METADATA else 0
        yield from _exactly(f"writes {kind} while mappings were created", written.get(kind, 0), expected)
    if events > MOST_EVENTS * world.mappings:
        yield f"{events:,} Events for {world.mappings:,} created mappings; at most {MOST_EVENTS} each may be."


def _at_rest(world: World) -> Iterator[str]:
    for name in ("restart", RESTART_REFERRING, "quiet"):
        phase = world.phase(name)
        if phase is None:
            continue
        written = writes.without_leases(phase.writes)
        results, most = written.pop(writes.STATUS, 0), MOST_RESULTS * phase.wall if name == "quiet" else 0
        if results > most:
            yield f"{results:,} writes {writes.STATUS} in the phase {name}; it must be at most {most:,.0f}."
        for kind, count in written.items():
            yield from _exactly(f"writes {kind} in the phase {name}", count, 0)


def _referring(world: World) -> Iterator[str]:
    """A reference to the value that the spec had costs one write of the status, and no call that changes a mapping."""
    phase = world.phase(REFER)
    if phase is None:
        return
    for operation in (CREATE, UPDATE, DELETE):
        yield from _exactly(f"calls of {operation} in the phase {REFER}", phase.calls.get(operation, 0), 0)
    written = writes.without_leases(phase.writes)
    if (events := written.pop(writes.EVENTS, 0)) > world.mappings:
        yield f"{events:,} Events in the phase {REFER}; it must be at most one for each resource."
    for kind in {writes.STATUS, *written}:
        expected = world.mappings if kind == writes.STATUS else 0
        yield from _exactly(f"writes {kind} in the phase {REFER}", written.get(kind, 0), expected)


def _changed(world: World) -> Iterator[str]:
    for phase in world.phases.values():
        if phase.complete and "changes" in phase.figures:
            changes = int(phase.figures["changes"])
            yield from _exactly(f"calls of {UPDATE} in the phase {phase.name}", phase.calls.get(UPDATE, 0), changes)
            yield from _exactly(f"changes that arrived in the phase {phase.name}", len(phase.latencies), changes)
            yield from _balanced(phase)


def _balanced(phase: Phase) -> Iterator[str]:
    """What was created in a phase and is to be gone at its end was deleted once."""
    if "pending" in phase.figures:
        created = phase.calls.get(CREATE, 0)
        yield from _exactly(f"calls of {DELETE} in the phase {phase.name}", phase.calls.get(DELETE, 0), created)


def _deleted(world: World) -> Iterator[str]:
    phase = world.phase("delete")
    if phase is not None:
        yield from _exactly(f"calls of {DELETE}", phase.calls.get(DELETE, 0), world.mappings)
        yield from _exactly("mappings left in AWS", int(phase.figures["left"]), 0)


def _whole(world: World) -> Iterator[str]:
    """No mapping is missing or there twice, however slow the API server was."""
    for phase in world.phases.values():
        if phase.complete and "mappings" in phase.figures:
            yield from _exactly(
                f"mappings in AWS after the phase {phase.name}", int(phase.figures["mappings"]), world.mappings
            )


def _exactly(what: str, found: int, expected: int) -> Iterator[str]:
    if found != expected:
        yield f"{found:,} {what}; it must be {expected:,}."


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted(one | other)}
