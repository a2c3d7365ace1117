"""kstatus and Argo CD understand real objects of the operator in each state."""

from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue
from tests.gitops.gallery import HELD, STATES, fill
from tests.gitops.verdicts import health
from tests.waiting import eventually


def test_every_state_is_understood(bed: Bed) -> None:
    fill(bed)
    by_name = {one["metadata"]["name"]: one for one in bed.all()}
    found = health(by_name[state.name] for state in STATES)
    wrong = {
        state.name: got
        for state, got in zip(STATES, found, strict=True)
        if got.words != (state.kstatus, state.argocd) or state.says not in got.argocd_message
    }
    assert not wrong
    (config,) = health([bed.config(HELD) or {}])
    assert config.words == ("Terminating", "Progressing")


def test_a_new_provider_config_is_current(bed: Bed) -> None:
    """So GitOps tools apply dependent objects next, and do not wait for an operator."""
    bed.apply(provider_config("shop", region="eu-west-1"))
    config = bed.config("shop") or {}
    assert health([config])[0].kstatus == "Current"
    bed.operator()
    bed.apply(queue(providerConfigRef={"name": "shop"}))
    bed.wait_ready("orders")
    config = bed.config("shop") or {}
    assert config["metadata"]["finalizers"]
    assert health([config])[0].kstatus == "Current"


def test_a_resource_is_never_current_too_early(bed: Bed) -> None:
    """At no time is a resource Current before AWS has the mapping, or Failed on the way."""
    seen: list[str] = []

    def look() -> str:
        found = bed.get("orders") or {}
        (got,) = health([found])
        at_aws = bed.mappings()
        if got.kstatus == "Current":
            assert [(one["State"], one["BatchSize"]) for one in at_aws] == [("Enabled", found["spec"]["batchSize"])]
        if not seen or seen[-1] != got.kstatus:
            seen.append(got.kstatus)
        return got.kstatus

    bed.apply(queue(batchSize=10))
    assert look() == "InProgress"
    bed.operator("--sweep-interval=1")
    eventually(lambda: look() == "Current")
    bed.patch("orders", {"batchSize": 5})
    eventually(lambda: look() == "Current" and bed.mapping("orders")["BatchSize"] == 5)
    bed.control.set(hold=True)
    bed.delete("orders")
    assert look() == "Terminating"
    bed.control.set(hold=False)
    bed.wait_gone("orders")
    assert set(seen) == {"InProgress", "Current", "Terminating"}
