"""All guards."""

from collections.abc import Mapping

from tests.guards import acting, aws, cluster, leading, outside, ownership, planning, ports
from tests.guards.guard import Guard

#: Guards by the heading in the documentation.
GUARDS: Mapping[str, tuple[Guard, ...]] = {
    "Ownership": ownership.GUARDS,
    "Plans": planning.GUARDS,
    "Requests and notes": acting.GUARDS,
    "Answers of AWS": aws.GUARDS,
    "Kubernetes": cluster.GUARDS,
    "Leader election": leading.GUARDS,
    "Answers and texts from outside": outside.GUARDS,
    "Ports": ports.GUARDS,
}
BY_NAME: Mapping[str, Guard] = {guard.name: guard for guards in GUARDS.values() for guard in guards}
