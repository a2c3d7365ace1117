"""All guards, and their table for ``docs/guards.md``."""

from collections.abc import Mapping

from tests.guards import acting, aws, cluster, leading, ownership, planning
from tests.guards.guard import Guard

#: By the heading in the documentation.
GUARDS: Mapping[str, tuple[Guard, ...]] = {
    "Ownership": ownership.GUARDS,
    "Plans": planning.GUARDS,
    "Requests and notes": acting.GUARDS,
    "Answers of AWS": aws.GUARDS,
    "Kubernetes": cluster.GUARDS,
    "Leader election": leading.GUARDS,
}
BY_NAME: Mapping[str, Guard] = {guard.name: guard for guards in GUARDS.values() for guard in guards}


def markdown() -> str:
    """The table of guards."""
    rows: list[str] = []
    for heading, guards in GUARDS.items():
        rows += ["", f"## {heading}", "| guard | without it | in |", "|---|---|---|"]
        rows += [f"| `{guard.name}` | {guard.harm} | `{guard.file}` |" for guard in guards]
    return "\n".join(rows)
