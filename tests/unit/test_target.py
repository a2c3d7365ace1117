"""Targets: the account and region of a mapping. A namespace never falls back to a target that it may not use."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from esm_operator.api.resource import parse
from esm_operator.api.spec import MappingSpec, RequestedTarget
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.planning.allowed import AllowLists
from esm_operator.planning.target import (
    PROVIDER_CONFIG_LABEL,
    ProviderConfigSettings,
    ResolvedTarget,
    Unresolved,
    known_targets,
    provider_config,
    resolve,
    selects,
)
from esm_operator.status.rendering import message_of

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
SHOP = ProviderConfigSettings("shop", region="us-west-2", endpoint_url="http://shop", default_tags={"team": "shop"})
OPERATOR = ProviderConfigSettings(
    "(operator)", region="eu-central-1", endpoint_url="http://all", default_tags={"by": "us"}
)
NAMED = {"providerConfigRef": {"name": "shop"}}


def resolved(
    spec: Mapping[str, Any],
    *configs: ProviderConfigSettings,
    operator: ProviderConfigSettings = OPERATOR,
    labels: Mapping[str, str] | None = None,
    own_credentials: bool = True,
) -> ResolvedTarget | Unresolved:
    return resolve(
        MappingSpec.parse(spec).requested_target,
        namespace="shop",
        namespace_labels=labels or {},
        configs={config.name: config for config in configs},
        operator=operator,
        own_credentials=own_credentials,
    )


DEFAULT = ProviderConfigSettings("default", region="us-east-1")


@pytest.mark.parametrize(
    ("spec", "configs", "region", "endpoint"),
    [
        ({}, (), "eu-central-1", "http://all"),
        ({"eventSourceARN": QUEUE}, (), "eu-west-1", "http://all"),
        ({"region": "ap-south-1"}, (SHOP,), "ap-south-1", "http://all"),
        ({}, (SHOP,), "eu-central-1", "http://all"),
        ({}, (DEFAULT,), "us-east-1", "http://all"),
        (NAMED, (SHOP, DEFAULT), "us-west-2", "http://shop"),
        ({**NAMED, "eventSourceARN": QUEUE}, (SHOP,), "eu-west-1", "http://shop"),
    ],
)
def test_region_and_endpoint_come_from_the_source_the_provider_config_or_the_settings(
    spec: Mapping[str, Any], configs: tuple[ProviderConfigSettings, ...], region: str, endpoint: str
) -> None:
    found = resolved(spec, *configs)
    assert isinstance(found, ResolvedTarget)
    assert (found.target.region, found.target.access.endpoint_url) == (region, endpoint)


def test_default_tags_of_operator_and_provider_config() -> None:
    found = resolved(NAMED, SHOP)
    assert isinstance(found, ResolvedTarget)
    assert found.default_tags == {"by": "us", "team": "shop"}


@pytest.mark.parametrize(
    ("ownership", "operator", "owner_tags"),
    [
        (None, None, True),
        (None, True, True),
        (None, False, False),
        ("Tags", None, True),
        ("Tags", False, True),
        ("ResourceOnly", True, False),
        ("ResourceOnly", None, False),
    ],
)
def test_the_ownership_is_that_of_the_provider_config_else_of_the_operator(
    ownership: str | None, operator: bool | None, owner_tags: bool
) -> None:
    body = {"metadata": {"name": "shop"}, "spec": {"region": "us-west-2", "ownership": ownership}}
    found = resolved(NAMED, provider_config(body), operator=replace(OPERATOR, owner_tags=operator))
    assert isinstance(found, ResolvedTarget)
    assert found.target.owner_tags is owner_tags
    own = resolved({}, operator=replace(OPERATOR, owner_tags=operator))
    assert isinstance(own, ResolvedTarget)
    assert own.target.owner_tags is (operator is not False)
    (known,) = known_targets([], [replace(DEFAULT, owner_tags=operator)], ProviderConfigSettings("(operator)"))
    assert known.owner_tags is (operator is not False)


def test_a_provider_config_that_changes_the_ownership_is_needed() -> None:
    """Without it the operator would search the mapping by tags that it does not have."""
    config_cache = ConfigCache(
        ProviderConfigSettings("(operator)", region="us-east-1"), own_credentials=True, labels_known=False
    )
    meta = {"name": "default", "uid": "1", "resourceVersion": "1"}
    orders = parse({"metadata": {"namespace": "shop", "name": "orders", "uid": "2", "resourceVersion": "2"}})
    config_cache.put_config({"metadata": meta, "spec": {"region": "us-east-1"}})
    assert not config_cache.depends_on(orders, "default")
    config_cache.put_config(
        {"metadata": {**meta, "resourceVersion": "2"}, "spec": {"region": "us-east-1", "ownership": "ResourceOnly"}}
    )
    assert config_cache.depends_on(orders, "default")


def test_a_provider_config_with_allow_lists_is_needed() -> None:
    """Without it the resource would have no limits."""
    config_cache = ConfigCache(ProviderConfigSettings("(operator)", region="us-east-1"), labels_known=False)
    meta = {"name": "default", "uid": "1", "resourceVersion": "1"}
    orders = parse({"metadata": {"namespace": "shop", "name": "orders", "uid": "2", "resourceVersion": "2"}})
    config_cache.put_config({"metadata": meta, "spec": {"allowedFunctions": ["orders"]}})
    assert config_cache.depends_on(orders, "default")


_CHOOSY = ProviderConfigSettings("default", region="us-east-1", namespace_selector={"matchLabels": {"shop": "yes"}})
_NARROW = ProviderConfigSettings("default", allowed_regions=frozenset({"us-east-1"}))


@pytest.mark.parametrize(
    ("spec", "configs", "reason"),
    [
        (NAMED, (DEFAULT,), "ProviderConfigNotFound"),
        ({}, (_CHOOSY,), "ProviderConfigForbidsNamespace"),
        ({"eventSourceARN": QUEUE}, (_NARROW,), "RegionNotAllowed"),
    ],
)
def test_a_missing_or_forbidden_provider_config_has_no_fallback(
    spec: Mapping[str, Any], configs: tuple[ProviderConfigSettings, ...], reason: str
) -> None:
    found = resolved(spec, *configs)
    assert isinstance(found, Unresolved)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("spec", "configs", "reason"),
    [
        ({}, (), "ProviderConfigRequired"),
        ({"region": "us-east-1"}, (SHOP,), "ProviderConfigRequired"),
        (NAMED, (), "ProviderConfigNotFound"),
        (NAMED, (SHOP,), ""),
        ({}, (DEFAULT,), ""),
    ],
)
def test_the_operators_credentials_are_for_nobody_by_default(
    spec: Mapping[str, Any], configs: tuple[ProviderConfigSettings, ...], reason: str
) -> None:
    """A ProviderConfig without roleARN still gives them to the namespaces that it admits."""
    found = resolved(spec, *configs, own_credentials=False)
    assert (found.reason if isinstance(found, Unresolved) else "") == reason


@pytest.mark.parametrize(
    ("spec", "selector", "own_credentials", "refuses"),
    [
        ({}, {"matchLabels": {"shop": "yes"}}, True, True),
        ({}, {"matchLabels": {"shop": "yes"}}, False, False),  # without it, the resource is still refused
        ({}, None, True, False),  # it admits the resource
        ({"providerConfigRef": {"name": "default"}}, {"matchLabels": {"shop": "yes"}}, True, False),
        (NAMED, {"matchLabels": {"shop": "yes"}}, True, False),
    ],
)
def test_a_default_provider_config_refuses_resources_that_it_keeps_from_the_operators_credentials(
    spec: Mapping[str, Any], selector: dict[str, Any] | None, own_credentials: bool, refuses: bool
) -> None:
    config_cache = ConfigCache(OPERATOR, own_credentials=own_credentials)
    meta = {"name": "default", "uid": "1", "resourceVersion": "1"}
    config_cache.put_config({"metadata": meta, "spec": {"namespaceSelector": selector} if selector else {}})
    config_cache.put_namespace({"metadata": {"name": "shop"}})
    orders = parse(
        {"metadata": {"namespace": "shop", "name": "orders", "uid": "2", "resourceVersion": "2"}, "spec": spec}
    )
    assert config_cache.refuses(orders, "default") is refuses


def test_a_selected_namespace_is_admitted() -> None:
    assert isinstance(resolved({}, _CHOOSY, labels={"shop": "yes"}), ResolvedTarget)


def test_a_target_needs_a_region() -> None:
    found = resolved({}, operator=ProviderConfigSettings("(operator)"))
    assert isinstance(found, Unresolved)
    assert found.reason == "NoRegion"


def _expression(operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": "stage", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ({}, {}, False),
        ({"matchLabels": {}, "matchExpressions": []}, {"a": "1"}, False),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        (_expression("In", "test", "live"), {"stage": "live"}, True),
        (_expression("In", "test"), {}, False),
        (_expression("NotIn", "test"), {}, True),
        (_expression("NotIn", "test"), {"stage": "test"}, False),
        (_expression("Exists"), {"stage": ""}, True),
        (_expression("Exists"), {}, False),
        (_expression("DoesNotExist"), {}, True),
        (_expression("DoesNotExist"), {"stage": ""}, False),
        ({"matchLabels": {"a": "1"}, **_expression("Exists")}, {"a": "1"}, False),
        (_expression("Newer"), {"stage": ""}, False),
    ],
)
def test_namespaces_are_selected_by_their_labels(
    selector: Mapping[str, Any], labels: Mapping[str, str], selected: bool
) -> None:
    assert selects(selector, labels) is selected


def test_all_fields_of_a_provider_config_are_read() -> None:
    body = {
        "metadata": {"name": "shop"},
        "spec": {
            "region": "us-west-2",
            "allowedRegions": ["us-west-2"],
            "roleARN": "role",
            "externalID": "id",
            "endpointURL": "http://shop",
            "defaultTags": {"team": "shop"},
            "namespaceSelector": {"matchLabels": {"a": "1"}},
            "ownership": "Tags",
            "allowedFunctions": ["f"],
            "allowedEventSources": ["s"],
            "allowedDestinations": [],
        },
    }
    assert provider_config(body) == ProviderConfigSettings(
        "shop",
        "us-west-2",
        frozenset({"us-west-2"}),
        "role",
        "id",
        "http://shop",
        {"team": "shop"},
        {"matchLabels": {"a": "1"}},
        True,
        AllowLists(("f",), ("s",), ()),
    )
    assert provider_config({"metadata": {"name": "empty"}}) == ProviderConfigSettings("empty")


def test_a_namespace_that_is_not_known_yet_is_neither_admitted_nor_refused() -> None:
    selector = {"matchExpressions": [{"key": "restricted", "operator": "DoesNotExist"}]}
    config = ProviderConfigSettings("default", region="us-east-1", namespace_selector=selector)
    config_cache = ConfigCache(config)
    config_cache.put_config(
        {
            "metadata": {"name": "default", "uid": "1", "resourceVersion": "1"},
            "spec": {"region": "us-east-1", "namespaceSelector": selector},
        }
    )
    orders = parse({"metadata": {"namespace": "shop", "name": "orders", "uid": "2", "resourceVersion": "2"}})
    found = config_cache.resolve(orders)
    assert isinstance(found, Unresolved)
    assert found.passes
    config_cache.put_namespace({"metadata": {"name": "shop", "labels": {"restricted": "yes"}}})
    found = config_cache.resolve(orders)
    assert isinstance(found, Unresolved)
    assert not found.passes
    assert config_cache.put_namespace({"metadata": {"name": "shop"}}), "its resources are to be looked at"
    assert isinstance(config_cache.resolve(orders), ResolvedTarget)


def test_only_targets_of_resources_are_in_use() -> None:
    config_cache = ConfigCache(
        ProviderConfigSettings("(operator)", region="eu-west-1"), own_credentials=True, labels_known=False
    )
    assert {one.region for one in config_cache.targets([])} == {"eu-west-1"}, "where the first will live"
    config_cache.put_config(
        {"metadata": {"name": "shop", "uid": "1", "resourceVersion": "1"}, "spec": {"region": "us-east-1"}}
    )
    assert config_cache.targets([]) == set(), "the operator's own account may be no business of it"
    spec = {"providerConfigRef": {"name": "shop"}}
    meta = {"namespace": "shop", "name": "orders", "uid": "2", "resourceVersion": "2"}
    orders = parse({"metadata": meta, "spec": spec})
    assert {one.region for one in config_cache.targets([orders])} == {"us-east-1"}
    plain = parse({"metadata": {**meta, "name": "plain"}})
    assert {one.region for one in config_cache.targets([orders, plain])} == {"us-east-1", "eu-west-1"}


def test_a_namespace_whose_labels_are_not_known_is_not_admitted() -> None:
    # The selector would match empty labels.
    selectors: tuple[dict[str, Any], ...] = (
        {"matchLabels": {"shop": "yes"}},
        {"matchExpressions": [{"key": "shop", "operator": "DoesNotExist"}]},
    )
    for selector in selectors:
        config = ProviderConfigSettings("default", region="us-east-1", namespace_selector=selector)
        found = resolve(
            RequestedTarget(),
            namespace="shop",
            namespace_labels=None,
            configs={"default": config},
            operator=config,
        )
        assert isinstance(found, Unresolved)
        assert found.reason == "ProviderConfigForbidsNamespace"
        assert "--no-watch-namespace-labels" in message_of(found)


def test_a_provider_config_without_a_selector_admits_all_namespaces() -> None:
    config = ProviderConfigSettings("default", region="us-east-1")
    found = resolve(
        RequestedTarget(),
        namespace="shop",
        namespace_labels=None,
        configs={"default": config},
        operator=config,
    )
    assert isinstance(found, ResolvedTarget)


@pytest.mark.parametrize(
    ("spec", "label", "used"),
    [
        ({}, "shop", "shop"),
        ({}, "", "default"),
        ({}, None, "default"),
        ({}, "missing", "missing"),
        (NAMED, "default", "shop"),
    ],
)
def test_the_label_of_the_namespace_names_the_provider_config_of_resources_that_name_none(
    spec: Mapping[str, Any], label: str | None, used: str
) -> None:
    labels = {} if label is None else {PROVIDER_CONFIG_LABEL: label}
    found = resolved(spec, SHOP, DEFAULT, labels=labels)
    if isinstance(found, Unresolved):
        assert (found.reason, found.values["config"]) == ("ProviderConfigNotFound", used)
        assert PROVIDER_CONFIG_LABEL in message_of(found)
    else:
        assert found.config == used


def test_the_labelled_provider_config_must_admit_the_namespace() -> None:
    found = resolved({}, replace(_CHOOSY, name="choosy"), DEFAULT, labels={PROVIDER_CONFIG_LABEL: "choosy"})
    assert isinstance(found, Unresolved)
    assert found.reason == "ProviderConfigForbidsNamespace"


@pytest.mark.parametrize("selector", [{}, {"matchLabels": {}}, {"matchExpressions": []}])
def test_an_empty_selector_admits_no_namespace_and_says_why(selector: Mapping[str, Any]) -> None:
    config = replace(DEFAULT, namespace_selector=selector)
    for labels in (None, {}, {"team": "shop"}):
        found = resolve(
            RequestedTarget(), namespace="shop", namespace_labels=labels, configs={"default": config}, operator=OPERATOR
        )
        assert isinstance(found, Unresolved)
        assert (found.reason, found.case, found.passes) == ("ProviderConfigForbidsNamespace", "EmptySelector", False)


def test_no_provider_config_is_guessed_while_the_labels_of_the_namespace_are_not_known() -> None:
    config_cache = ConfigCache(OPERATOR, own_credentials=True)
    meta = {"namespace": "shop", "name": "orders", "uid": "2", "resourceVersion": "2"}
    orders, named = parse({"metadata": meta}), parse({"metadata": meta, "spec": NAMED})
    config_cache.put_config({"metadata": {"name": "shop", "uid": "1", "resourceVersion": "1"}, "spec": {}})
    found = config_cache.resolve(orders)
    assert isinstance(found, Unresolved)
    assert found.passes
    assert isinstance(config_cache.resolve(named), ResolvedTarget)
    removed = config_cache.resolve(replace(orders, removed=True))
    assert isinstance(removed, ResolvedTarget), "its namespace may be removed too, and its mapping must still be"
    assert config_cache.put_namespace({"metadata": {"name": "shop"}}), "its resources are reconciled"
    assert isinstance(config_cache.resolve(orders), ResolvedTarget)
    labels = {PROVIDER_CONFIG_LABEL: "shop"}
    assert config_cache.put_namespace({"metadata": {"name": "shop", "labels": labels}})
    assert not config_cache.put_namespace({"metadata": {"name": "shop", "labels": {**labels, "other": "1"}}})
    assert config_cache.config_of(orders) == "shop"
    assert config_cache.would_use(orders, "shop")
    assert not config_cache.would_use(orders, "default")
