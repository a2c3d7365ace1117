"""The settings: what is refused, and with which words."""

import pytest
from pydantic import ValidationError

from esm_operator.settings import Settings


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "team=shop",
        "team==shop",
        "team!=shop",
        "team=",
        "team",
        "!team",
        "team in (a, b)",
        "team notin (a)",
        "example.com/team in (a,b),tier=1 , !old",
        " team = shop ",
        "app.kubernetes.io/part-of=orders,track!=canary",
    ],
)
def test_label_selectors_are_those_of_kubernetes(selector: str) -> None:
    assert Settings(selector=selector).selector == selector.strip()


@pytest.mark.parametrize(
    "selector",
    ["=shop", "team=a b", "team in a", "team in ()", "team=shop,", ",", "team>3 and b", "te am", "a=b,,c=d", "team=-x"],
)
def test_others_are_refused_with_an_example(selector: str) -> None:
    with pytest.raises(ValidationError, match=r"is no label selector. Write requirements such as key=value"):
        Settings(selector=selector)


@pytest.mark.parametrize("rate", [0, -1, 100_001])
def test_requests_to_the_api_server_have_bounds(rate: float) -> None:
    with pytest.raises(ValidationError):
        Settings(kubernetes_requests_per_second=rate)


@pytest.mark.parametrize("address", ["", "0.0.0.0:8080", ":0", "[::1]:65535"])
def test_addresses_have_a_port(address: str) -> None:
    assert Settings(probe_address=address).probe_address == address


@pytest.mark.parametrize("address", ["8080", "localhost", ":", ":99999", ":65536", "a:b", "a:-1", "a:\u0663"])
def test_others_are_refused_with_the_range(address: str) -> None:
    with pytest.raises(ValidationError, match="is no address"):
        Settings(probe_address=address)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cluster_name", "My Cluster!", "`My Cluster!` can't stand in a tag at AWS: use letters, digits"),
        ("cluster_name", "a/b", r"can't stand in a tag at AWS: .* \(no /\)"),
        ("region", "Ireland", "`Ireland` is not an AWS region such as eu-west-1"),
        ("endpoint_url", "lambda.local", "`lambda.local` is no URL such as https://"),
        ("namespaces", "team-a,Bad_ns", "`Bad_ns` is no name of a namespace"),
        ("namespaces", "team-*", r"`team-\*` is no name of a namespace"),
    ],
)
def test_wrong_values_are_refused_with_the_remedy(field: str, value: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate({field: value})


@pytest.mark.parametrize("name", ["production", "Größe 1", "a_b.c:d=e+f-g@h"])
def test_cluster_names_are_what_a_tag_takes(name: str) -> None:
    assert Settings(cluster_name=name).cluster_name == name


@pytest.mark.parametrize("region", ["", "eu-west-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-isob-east-1"])
def test_regions(region: str) -> None:
    assert Settings(region=region).region == region
