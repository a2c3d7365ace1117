"""Which namespaces an operator with --namespace-selector manages, while labels change and events come late."""

from typing import Any

import pytest

from esm_operator.cluster.managed_namespaces import ManagedNamespaces, NamespaceChange
from esm_operator.planning.label_selector import parse_selector
from esm_operator.planning.target import selects
from esm_operator.settings import Settings

BANK = {"team": "bank"}


def namespace(version: int, labels: dict[str, str] | None = None, *, uid: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": "shop", "uid": uid, "resourceVersion": str(version), "labels": labels or {}}}


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ("team=bank", BANK, True),
        ("team==bank", {"team": "shop"}, False),
        ("team = bank", {}, False),
        ("team!=bank", {}, True),
        ("team != bank", BANK, False),
        ("team=", {"team": ""}, True),
        ("team", BANK, True),
        ("team", {}, False),
        ("!team", {}, True),
        ("! team", BANK, False),
        ("team in (shop, bank)", BANK, True),
        ("team in (shop)", BANK, False),
        ("team notin (shop,bank)", BANK, False),
        ("team notin (shop)", {}, True),
        ("example.com/team in (a,b),tier=1, !old", {"example.com/team": "b", "tier": "1"}, True),
        ("example.com/team in (a,b),tier=1, !old", {"example.com/team": "b", "tier": "1", "old": ""}, False),
    ],
)
def test_a_selector_selects_as_kubectl_does(selector: str, labels: dict[str, str], selected: bool) -> None:
    assert Settings(namespace_selector=selector).namespace_selector == selector
    assert selects(parse_selector(selector), labels) is selected


def test_a_namespace_is_managed_only_while_its_labels_match() -> None:
    namespaces = ManagedNamespaces("team=bank")
    assert not namespaces.manages("shop"), "its labels are not known yet"
    assert namespaces.put(namespace(1, BANK)) is NamespaceChange.JOINED
    assert namespaces.manages("shop")
    assert namespaces.put(namespace(2, BANK)) is NamespaceChange.NONE
    assert namespaces.put(namespace(3)) is NamespaceChange.LEFT
    assert not namespaces.manages("shop")


def test_labels_of_an_older_list_do_not_count() -> None:
    namespaces = ManagedNamespaces("team=bank")
    namespaces.put(namespace(2))
    assert namespaces.put(namespace(1, BANK)) is NamespaceChange.NONE
    assert not namespaces.manages("shop")


def test_a_new_namespace_of_the_same_name_counts_with_its_own_labels() -> None:
    namespaces = ManagedNamespaces("team=bank")
    namespaces.put(namespace(1, BANK))
    namespaces.forget("shop")
    assert not namespaces.manages("shop")
    assert namespaces.put(namespace(1, uid="2")) is NamespaceChange.NONE
    assert not namespaces.manages("shop")


def test_resources_that_were_passed_over_are_listed_once_when_their_namespace_joins() -> None:
    namespaces = ManagedNamespaces("team=bank")
    namespaces.pass_over("shop")
    assert namespaces.take_unlisted() == set()
    namespaces.put(namespace(1, BANK))
    assert namespaces.take_unlisted() == {"shop"}
    assert namespaces.take_unlisted() == set()
    namespaces.list_again(["shop"])
    namespaces.put(namespace(2))
    assert namespaces.take_unlisted() == set(), "it has left"
    namespaces.put(namespace(3, BANK))
    assert namespaces.take_unlisted() == {"shop"}, "the edits made meanwhile were passed over"


def test_without_a_selector_all_namespaces_are_managed() -> None:
    namespaces = ManagedNamespaces("")
    assert namespaces.put(namespace(1)) is NamespaceChange.NONE
    assert namespaces.manages("shop")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (Settings(namespace_selector="team=bank"), ""),
        (Settings(namespace_selector="team=bank", namespaces=["shop"]), "--namespaces"),
        (Settings(namespace_selector="team=bank", watch_namespace_labels=False), "--no-watch-namespace-labels"),
        (Settings(watch_namespace_labels=False, namespaces=["shop"]), ""),
    ],
)
def test_settings_that_exclude_each_other(settings: Settings, problem: str) -> None:
    assert (problem in settings.problem()) if problem else not settings.problem()
