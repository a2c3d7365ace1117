"""A tenant tries to use the AWS credentials of another team's operator, by the labels of the tenant's own resource."""

from tests.bed import FINALIZER, Bed, Resources
from tests.bed.cluster import create_namespace
from tests.e2e.manifests import queue
from tests.waiting import eventually

BANK = "--namespace-selector=team=bank"


def test_a_label_on_a_resource_does_not_choose_the_credentials(bed: Bed) -> None:
    """The operator of the bank manages the namespaces of the bank. The tenant's namespace is not one of them."""
    bank = Resources(bed.client, f"{bed.namespace}-bank")
    create_namespace(bed.client, bank.namespace, {"team": "bank"})
    bed.exits.callback(bank.clear)
    bed.operator(BANK, "--sweep-interval=1")
    stolen = queue("stolen")
    stolen["metadata"]["labels"] = {"team": "bank"}
    bed.apply(stolen)
    bank.apply(queue("own"))
    bank.wait_ready("own")
    bed.wait_swept(2)
    assert bed.functions() == {"own": 1}
    assert FINALIZER not in str(bed.get("stolen"))
    assert "conditions" not in bed.status("stolen")


def test_a_namespace_that_changes_its_labels_changes_its_operator(bed: Bed) -> None:
    """Its resources are let go with their mappings as they are, and come back with the edits made meanwhile."""
    bed.label_namespace(team="bank")
    bed.operator(BANK, "--sweep-interval=1")
    bed.apply(queue("edited"), queue("deleted"))
    for name in ("edited", "deleted"):
        bed.wait_ready(name)
    before = bed.mappings()

    bed.label_namespace(team="shop")
    eventually(lambda: "does not match --namespace-selector" in _log(bed), what="the namespace is let go")
    versions = bed.versions()
    bed.patch("edited", {"batchSize": 5})
    bed.delete("deleted")
    bed.apply(queue("late"))
    bed.wait_swept(2)
    assert bed.mappings() == before
    assert "conditions" not in bed.status("late")
    assert bed.versions().keys() == {*versions, "late"}, "the finalizer keeps the deleted resource"

    bed.label_namespace(team="bank")
    bed.wait_ready("late")
    bed.wait_gone("deleted")
    eventually(lambda: bed.mapping("edited")["BatchSize"] == 5, what="the edit has reached AWS")
    assert bed.functions() == {"edited": 1, "late": 1}


def _log(bed: Bed) -> str:
    return "".join(log.read_text() for log in bed.folder.glob("*.log"))
