"""Tags: those of the spec, default tags, and tags of other tools."""

from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually


def _users(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith("esm-operator.io/")}


def test_tags_are_added_changed_and_removed_and_tags_of_other_tools_remain(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(tags={"team": "shop", "stage": "test"}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    client = bed.aws.client("lambda", region="eu-west-1")
    client.tag_resource(Resource=bed.status("orders")["arn"], Tags={"cost-centre": "42"})

    bed.patch("orders", {"tags": {"team": "orders", "stage": None, "owner": "me"}})
    wanted = {"team": "orders", "owner": "me", "cost-centre": "42"}
    eventually(lambda: _users(bed.mapping("orders")["Tags"]) == wanted)
    eventually(lambda: _users(bed.status("orders")["tagsAll"]).keys() >= {"team", "owner"})
    assert _users(bed.mapping("orders")["Tags"]) == wanted
    assert bed.mapping("orders")["UUID"] == uuid
    assert "UpdateEventSourceMapping" not in bed.calls()


def test_default_tags_of_the_operator_are_set(bed: Bed) -> None:
    bed.operator("--default-tags=team=platform,stage=test")
    bed.apply(queue(tags={"stage": "live"}))
    ready = bed.wait_ready("orders")
    assert _users(ready["status"]["tagsAll"]) == {"team": "platform", "stage": "live"}
    assert bed.mapping("orders")["Tags"] == ready["status"]["tagsAll"]


def test_changed_default_tags_of_a_provider_config_are_set(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("default", defaultTags={"team": "platform"}))
    bed.apply(queue())
    eventually(lambda: _users(bed.status("orders").get("tagsAll", {})) == {"team": "platform"})
    bed.wait_ready("orders")

    bed.apply(provider_config("default", defaultTags={"stage": "test"}))
    eventually(lambda: _users(bed.mapping("orders")["Tags"]) == {"stage": "test"})
    eventually(lambda: _users(bed.status("orders")["tagsAll"]) == {"stage": "test"})
