"""What is an orphan, the places of the search, and the reports."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from esm_operator.api.resource import Resource, parse
from esm_operator.api.spec import MappingSpec
from esm_operator.commands.orphan_search import Orphan, SearchResult, cluster_names
from esm_operator.commands.orphans import remedies, summary, table
from esm_operator.planning.orphans import LivingResources, why_orphan
from esm_operator.planning.target import Access, ProviderConfigSettings, Target, known_targets

ONE, TWO = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
TAGS = {"esm-operator.io/cluster": "blue", "esm-operator.io/namespace": "shop", "esm-operator.io/name": "orders"}


def living(
    uuid: str = "",
    *,
    name: str = "orders",
    ready: str = "True",
    generation: int = 1,
    deleting: bool = False,
    namespaces: tuple[str, ...] = (),
) -> LivingResources:
    """One resource, as far as its status shows."""
    meta = {"namespace": "shop", "name": name, "uid": "u", "resourceVersion": "1", "generation": generation}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": ready}]
    status = {"uuid": uuid, "observedGeneration": 1, "conditions": conditions}
    return LivingResources.of([parse({"metadata": meta, "status": status})], namespaces)


@pytest.mark.parametrize(
    ("tags", "there", "why"),
    [
        ({}, LivingResources.of([]), ""),
        ({"team": "shop"}, LivingResources.of([]), ""),
        (TAGS | {"esm-operator.io/cluster": "green"}, LivingResources.of([]), ""),
        (TAGS, LivingResources.of([]), "there is no such resource"),
        (TAGS, living(ONE, name="bills"), "there is no such resource"),
        (TAGS, living(ONE), ""),
        # It has not recorded its mapping yet, or is not Ready: a change with two mappings may be under way.
        (TAGS, living(), ""),
        (TAGS, living(TWO), f"the resource uses another mapping, {TWO}"),
        (TAGS, living(TWO, ready="False"), ""),
        (TAGS, living(TWO, generation=2), ""),
        (TAGS, living(TWO, deleting=True), ""),
        ({"esm-operator.io/cluster": "blue"}, LivingResources.of([]), "its owner tags are incomplete"),
        ({"esm-operator.io/cluster": "blue"}, living(ONE), ""),
        # An operator of other namespaces does not know this resource.
        (TAGS, LivingResources.of([], ["bank"]), ""),
        (TAGS, LivingResources.of([], ["bank", "shop"]), "there is no such resource"),
    ],
)
def test_what_is_an_orphan(tags: Mapping[str, str], there: LivingResources, why: str) -> None:
    assert why_orphan(ONE, tags, "blue", there) == why


def test_the_successor_of_a_deleted_mapping_is_not_an_orphan() -> None:
    assert why_orphan(ONE, TAGS, "blue", living(TWO), {ONE}) == ""
    assert why_orphan(ONE, TAGS, "blue", living(TWO), {ONE, TWO}) == f"the resource uses another mapping, {TWO}"


OPERATOR = ProviderConfigSettings("(operator)", region="eu-west-1", endpoint_url="http://aws")
HERE = Access("http://aws")
ROLE = Access("http://aws", "role", config="shop")


@pytest.mark.parametrize(
    ("specs", "configs", "regions", "targets"),
    [
        ([], [], (), {("eu-west-1", HERE)}),
        ([], [], ("us-east-1",), {("eu-west-1", HERE), ("us-east-1", HERE)}),
        ([{"region": "us-east-1"}], [], (), {("eu-west-1", HERE), ("us-east-1", HERE)}),
        (
            [{"eventSourceARN": "arn:aws:sqs:eu-north-1:123456789012:q"}],
            [],
            (),
            {("eu-west-1", HERE), ("eu-north-1", HERE)},
        ),
        (
            [{"region": "us-east-1"}],
            [ProviderConfigSettings("shop", region="us-west-2", role_arn="role")],
            (),
            {("eu-west-1", HERE), ("us-east-1", HERE), ("us-east-1", ROLE), ("us-west-2", ROLE)},
        ),
        (
            [{"region": "us-east-1"}],
            [ProviderConfigSettings("shop", allowed_regions=frozenset({"us-west-2"}), role_arn="role")],
            (),
            {("eu-west-1", HERE), ("us-east-1", HERE), ("us-west-2", ROLE)},
        ),
        (
            [],
            [ProviderConfigSettings("shop", endpoint_url="http://else")],
            (),
            {("eu-west-1", HERE), ("eu-west-1", None)},
        ),
    ],
)
def test_the_places_of_the_search(
    specs: list[dict[str, Any]],
    configs: list[ProviderConfigSettings],
    regions: tuple[str, ...],
    targets: set[tuple[str, Access | None]],
) -> None:
    asked = [MappingSpec.parse(spec).requested_target for spec in specs]
    wanted = {Target(region, access or Access("http://else")) for region, access in targets}
    assert set(known_targets(asked, configs, OPERATOR, regions)) == wanted


def test_no_region_is_known() -> None:
    assert known_targets([], [], ProviderConfigSettings("(operator)")) == []


ORPHAN = Orphan(
    ONE, "123456789012", "eu-west-1", "Enabled", "orders", "arn:aws:sqs:...", "blue/shop/orders", "there is no such one"
)
INCOMPLETE = Orphan(TWO, "123456789012", "us-east-1", "", "f", "s", "blue", "why", endpoint_url="http://aws:1/?a=b c")


def test_the_table_is_in_columns() -> None:
    head, first, second = table([ORPHAN, INCOMPLETE]).splitlines()
    assert head.split() == ["UUID", "REGION", "STATE", "FUNCTION", "SOURCE", "OWNER", "WHY"]
    assert first.index("blue/shop/orders") == head.index("OWNER") == second.index("blue ")
    assert first.endswith("there is no such one")


def test_what_to_do_about_each() -> None:
    text = remedies([ORPHAN, INCOMPLETE])
    assert f"aws lambda delete-event-source-mapping --region eu-west-1 --uuid {ONE}\n" in text
    assert f"adoption: {{policy: Required, uuid: {ONE}, takeOverFrom: blue/shop/orders}}" in text
    assert f"--region us-east-1 --uuid {TWO} --endpoint-url 'http://aws:1/?a=b c'" in text
    assert text.endswith(f"adoption: {{policy: Required, uuid: {TWO}}}")


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        (SearchResult("blue"), ["No orphans of cluster blue among 0 mappings."]),
        (
            SearchResult("blue", [ORPHAN], 1, {"eu-west-1"}, own=1),
            ["1 orphan of cluster blue among 1 mapping in eu-west-1."],
        ),
        (
            SearchResult("blue", [ORPHAN, ORPHAN], 7, {"eu-west-1"}, failures=["no"]),
            ["2 orphans of cluster blue among 7 mappings in eu-west-1. The search is incomplete."],
        ),
        (
            SearchResult("blue", [], 1200, {"eu-west-1"}, Counter(red=1, green=1199), own=1),
            [
                "No orphans of cluster blue among 1,200 mappings in eu-west-1.",
                "Other clusters have mappings there: green (1,199), red (1).",
            ],
        ),
        (
            SearchResult("default", [], 60, {"eu-west-1"}, Counter(green=60)),
            [
                "No orphans of cluster default among 60 mappings in eu-west-1.",
                "Other clusters have mappings there: green (60). If one of them is this cluster, set --cluster-name; "
                "no unused mapping has the name default.",
            ],
        ),
        (SearchResult(other_clusters=Counter(green=60), failures=["The name of this cluster is unknown."]), []),
    ],
)
def test_the_summary(found: SearchResult, texts: list[str]) -> None:
    assert summary(found) == texts


def tagged(resource: str, **tags: str) -> Resource:
    """A resource whose status has these owner tags."""
    meta = {"namespace": "shop", "name": resource, "uid": "u", "resourceVersion": "1"}
    owner = {f"esm-operator.io/{part}": text for part, text in tags.items()}
    return parse({"metadata": meta, "status": {"tagsAll": owner}})


@pytest.mark.parametrize(
    ("resources", "names"),
    [
        ([], set[str]()),
        ([tagged("orders")], set[str]()),
        ([tagged("orders", cluster="blue", namespace="shop", name="orders")], {"blue"}),
        # The mapping that a resource observes can belong to another cluster.
        ([tagged("orders", cluster="green", namespace="shop", name="other")], set[str]()),
        (
            [
                tagged("orders", cluster="blue", namespace="shop", name="orders"),
                tagged("bills", cluster="red", namespace="shop", name="bills"),
            ],
            {"blue", "red"},
        ),
    ],
)
def test_the_name_of_the_cluster_is_in_the_status_of_its_resources(resources: list[Resource], names: set[str]) -> None:
    assert cluster_names(resources) == names
