"""Tables, for the terminal and for Markdown. Pure."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

from tests.bench import writes
from tests.bench.figures import Figure
from tests.bench.results import API_SERVER, AWS, ETCD, OPERATOR, Phase, World

Row = Sequence[str]
FIGURES: Row = ("figure", "measured", "ideal", "target", "met", "ACK")
PHASES: Row = (
    "phase",
    "time",
    "calls to AWS",
    "throttled",
    "busiest second",
    "writes to Kubernetes",
    "operator: CPU time",
    "operator: CPU share",
    "AWS server: CPU share",
    "API server: CPU share",
    "etcd: CPU share",
    "RSS (peak), MB",
)
_OPERATIONS = {
    "CreateEventSourceMapping": "Create",
    "UpdateEventSourceMapping": "Update",
    "DeleteEventSourceMapping": "Delete",
    "GetEventSourceMapping": "Get",
    "ListEventSourceMappings": "List",
}


def figure_rows(figures: Sequence[Figure]) -> list[Row]:
    """A row for each figure."""
    met = {True: "yes", False: "NO", None: ""}
    return [(one.what, one.value, one.ideal, one.target, met[one.met], one.peer) for one in figures]


def phase_rows(world: World) -> list[Row]:
    """A row for each phase of a world."""
    return [_phase_row(phase) for phase in world.phases.values()]


def _phase_row(phase: Phase) -> Row:
    return (
        phase.name if phase.complete else f"{phase.name} (failed)",
        f"{phase.wall:,.1f} s",
        ", ".join(f"{short(operation)} {count:,}" for operation, count in sorted(phase.calls.items())) or "none",
        f"{phase.throttled:,}",
        f"{phase.busiest_second:,}",
        _writes(phase.writes),
        f"{phase.cpu.get(OPERATOR, 0):,.1f} s",
        *(f"{100 * phase.share(process):.1f} %" for process in (OPERATOR, AWS, API_SERVER, ETCD)),
        f"{phase.rss:.0f} ({phase.peak:.0f})",
    )


def short(operation: str) -> str:
    """The operation without what all have in common."""
    return _OPERATIONS.get(operation, operation)


def _writes(counts: dict[str, int]) -> str:
    told = [f"{_short_write(kind)} {count:,}" for kind, count in sorted(writes.without_leases(counts).items())]
    leases = sum(counts.values()) - sum(writes.without_leases(counts).values())
    return ", ".join([*told, f"(leases {leases:,})"] if leases else told) or "none"


def _short_write(kind: str) -> str:
    """The kind of a write, with the status of a refused one in parentheses: ``PATCH esm (404)``."""
    verb, resource, *status = kind.replace("eventsourcemappings", "esm").split()
    return " ".join([verb, resource, *(f"({code})" for code in status)])


def plain(head: Row, rows: Sequence[Row], widest: int = 36) -> str:
    """For a terminal: in columns, as wide as what is in them.

    Args:
        head: what the columns are.
        rows: what is in them.
        widest: characters after which a cell continues below.
    """
    wrapped = [[wrap(cell, widest) for cell in row] for row in (head, *rows)]
    widths = [max(len(line) for row in wrapped for line in row[column] or [""]) for column in range(len(head))]
    (first, *rest) = [_lines(row, widths) for row in wrapped]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([*first, rule, *(line for lines in rest for line in lines)])


def _lines(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """A row as lines."""
    return [
        "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """For a page."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
