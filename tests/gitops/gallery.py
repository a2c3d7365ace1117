"""Resources in every state that people meet, each called after its state, for the tests that look at all of them.

``fill`` makes them with a real operator, in a scenario's namespace. What is in transition stays so: AWS is held.
"""

from dataclasses import dataclass
from typing import Any

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import HERE, TEN_KINDS, mapping, provider_config, queue, stream
from tests.waiting import eventually

PAUSED = "lambda.esm-operator.io/paused"
#: Resources of the gallery whose ProviderConfig is being deleted, and that ProviderConfig.
HELD = "held"


@dataclass(frozen=True, slots=True)
class State:
    """A state: what makes it, and what is made of it."""

    name: str
    reason: str
    """Of the condition Ready; empty: there is none yet."""
    kstatus: str
    argocd: str
    says: str
    """Part of what Argo CD shows as its message."""


STATES = (
    State("unseen", "", "InProgress", "Progressing", "has not seen"),
    State("creating", "Creating", "InProgress", "Progressing", "AWS is changing mapping"),
    State("enabled", "Enabled", "Current", "Healthy", " is enabled."),
    State("kafka", "Enabled", "Current", "Healthy", " is enabled."),
    State("disabled", "Disabled", "Current", "Healthy", "as spec.enabled requires"),
    State("disabled-at-aws", "DisabledInAWS", "Failed", "Degraded", "AWS itself has disabled"),
    State("problem", "Enabled", "Current", "Healthy", "PROBLEM: Function call failed"),
    State("observed", "Observed", "Current", "Healthy", "differs from the spec. The change batchSize"),
    State("paused", "Enabled", "Current", "Suspended", "changes nothing in AWS while the annotation"),
    State("paused-edit", "Paused", "InProgress", "Suspended", "would change the mapping (batchSize: 10 -> 5)"),
    State("updating", "Updating", "InProgress", "Progressing", "AWS is changing mapping"),
    State("no-function", "FunctionNotFound", "InProgress", "Progressing", "retries automatically"),
    State("refused", "RefusedByAWS", "Failed", "Degraded", 'with "It can\'t be."'),
    State("invalid", "InvalidSpec", "Failed", "Degraded", "JSON"),
    State("conflict", "Conflict", "Failed", "Degraded", "belongs to no resource"),
    State("no-config", "ProviderConfigNotFound", "InProgress", "Progressing", "missing"),
    State(HELD, "Enabled", "Current", "Healthy", " is enabled."),
    State("deleting", "Deleting", "Terminating", "Progressing", "Pending deletion"),
)


def fill(bed: Bed) -> None:
    """Bring all of :data:`STATES` about, and a ProviderConfig ``held`` that is being deleted.

    The operator works on what is labelled ``seen``.
    """
    bed.control.set_world(missing_functions=["no-function"])
    for name, more in (
        ("conflict", {}),
        ("observed", {"BatchSize": 3}),
        ("disabled-at-aws", {"Enabled": False}),
    ):
        source = f"arn:aws:sqs:{HERE}:{name}"
        made = bed.control.make_mapping(FunctionName=name, EventSourceArn=source, region="eu-west-1", **more)
        if name == "disabled-at-aws":
            bed.control.edit_mapping(made["UUID"], StateTransitionReason="Lambda initiated")
    bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        code="InvalidParameterValueException",
        message="It can't be.",
        match={"FunctionName": "refused"},
    )
    bed.operator("--sweep-interval=1", "--selector=seen", "--requests-per-second=1000")
    bed.apply(provider_config(HELD, region="eu-west-1"))
    _apply(bed, queue("observed", batchSize=5, managementPolicy="Observe"), *_well())
    _wait(bed, *(one["metadata"]["name"] for one in _well()))
    for name in ("paused", "paused-edit"):
        bed.annotate(name, paused="true")
    bed.control.edit_mapping(bed.mapping("problem")["UUID"], LastProcessingResult="PROBLEM: Function call failed")
    bed.wait_ready("observed")

    bed.control.set(hold=True)
    _apply(bed, *_not_well())
    bed.apply(queue("unseen"))
    bed.patch("updating", {"batchSize": 5})
    bed.patch("paused-edit", {"batchSize": 5})
    bed.delete("deleting")
    bed.delete_config(HELD)
    eventually(lambda: "MappingsRemain" in str(bed.config(HELD)), what="the ProviderConfig lists its users")
    for state in STATES:
        eventually(lambda state=state: _is_in(bed, state), what=f"{state.name}: {bed.status(state.name)}")


def _well() -> list[dict[str, Any]]:
    return [
        queue("enabled", batchSize=10),
        mapping("kafka", **TEN_KINDS["self-managed-kafka"]),
        queue("disabled", enabled=False),
        stream("problem"),
        queue("paused"),
        queue("paused-edit", batchSize=10),
        queue("updating", batchSize=10),
        queue(HELD, providerConfigRef={"name": HELD}),
        queue("deleting"),
    ]


def _not_well() -> list[dict[str, Any]]:
    return [
        queue("creating"),
        queue("no-function"),
        queue("disabled-at-aws", adoption={"policy": "Required"}),
        queue("refused"),
        queue("invalid", filterCriteria={"filters": [{"pattern": "{'body': 1}"}]}),
        queue("conflict"),
        queue("no-config", providerConfigRef={"name": "missing"}),
    ]


def _apply(bed: Bed, *manifests: dict[str, Any]) -> None:
    for one in manifests:
        one["metadata"]["labels"] = {"seen": "yes"}
    bed.apply(*manifests)


def _wait(bed: Bed, *names: str) -> None:
    for name in names:
        bed.wait_ready(name)


def _is_in(bed: Bed, state: State) -> bool:
    """Whether a resource is in the state of its name."""
    told = bed.condition(state.name, "Ready")
    if state.name == "problem" and bed.condition("problem", "Processing").get("status") != "False":
        return False
    if state.name == "paused" and "paused" not in told.get("message", ""):
        return False
    return told.get("reason", "") == state.reason
