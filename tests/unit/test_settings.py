"""The settings: what is refused, and with which words."""

import re
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from esm_operator import cli
from esm_operator.settings import PREFIX, Settings, unknown_variables
from tests.service_variables import SERVICE_VARIABLES


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
    with pytest.raises(ValidationError, match=r"is not a label selector. Write requirements such as key=value"):
        Settings(selector=selector)


@pytest.mark.parametrize("rate", [0, -1, 100_001])
def test_requests_to_the_api_server_have_bounds(rate: float) -> None:
    with pytest.raises(ValidationError):
        Settings(kubernetes_requests_per_second=rate)


@pytest.mark.parametrize("address", ["", "0.0.0.0:8080", ":0", "[::1]:65535"])
def test_addresses_have_a_port(address: str) -> None:
    assert Settings(probe_address=address).probe_address == address


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, ""),
        ({"metrics_certificate_file": "a", "metrics_key_file": "b"}, ""),
        ({"metrics_certificate_file": "a"}, "need each other"),
        ({"metrics_key_file": "a"}, "need each other"),
        ({"metrics_authentication": True}, "--metrics-authentication needs TLS"),
        ({"metrics_per_mapping": True}, "--metrics-per-mapping shows the names"),
        (
            {
                "metrics_certificate_file": "a",
                "metrics_key_file": "b",
                "metrics_authentication": True,
                "metrics_per_mapping": True,
            },
            "",
        ),
    ],
)
def test_settings_that_contradict_each_other(given: dict[str, Any], problem: str) -> None:
    found = Settings(**given).problem()
    assert (problem in found) if problem else not found


@pytest.mark.parametrize("address", ["8080", "localhost", ":", ":99999", ":65536", "a:b", "a:-1", "a:\u0663"])
def test_others_are_refused_with_the_range(address: str) -> None:
    with pytest.raises(ValidationError, match="is not an address"):
        Settings(probe_address=address)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cluster_name", "My Cluster!", "`My Cluster!` cannot be the value of an AWS tag: use only letters"),
        ("cluster_name", "a/b", r"cannot be the value of an AWS tag: .* \(no /\)"),
        ("region", "Ireland", "`Ireland` is not an AWS region such as eu-west-1"),
        ("endpoint_url", "lambda.local", "only a scheme, a host, a port and a path, such as https://"),
        ("endpoint_url", "https://user:S3CRET@aws.example.com", "only a scheme, a host, a port and a path"),
        ("endpoint_url", "https://aws.example.com?token=S3CRET", "only a scheme, a host, a port and a path"),
        ("namespaces", "team-a,Bad_ns", "`Bad_ns` is not the name of a namespace"),
        ("namespaces", "team-*", r"`team-\*` is not the name of a namespace"),
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


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("ESM_OPERATOR_SWEEP_INTERVALL", "Did you mean ESM_OPERATOR_SWEEP_INTERVAL? Rename the variable or remove it."),
        ("ESM_OPERATOR_CLUSTERNAME", "Did you mean ESM_OPERATOR_CLUSTER_NAME? Rename the variable or remove it."),
        ("ESM_OPERATOR_NAMESPACE", "Did you mean ESM_OPERATOR_NAMESPACES? Rename the variable or remove it."),
        ("esm_operator_regions", "Did you mean ESM_OPERATOR_REGION? Rename the variable or remove it."),
        ("ESM_OPERATOR_WATCH_NAMESPACES", "Did you mean ESM_OPERATOR_WATCH_NAMESPACE_LABELS?"),
        ("ESM_OPERATOR_VERSION", "`esm-operator run --help` lists the flags"),
    ],
)
def test_unknown_variables_are_named_with_the_nearest_known_one_and_the_remedy(name: str, remedy: str) -> None:
    (problem,) = unknown_variables(Settings.model_fields, {name: "x", "PATH": "/bin"})
    assert problem.startswith(f"The environment variable {name} is unknown. ")
    assert remedy in problem


def test_known_variables_and_those_of_other_programs_are_no_problem() -> None:
    known = {f"{PREFIX}{name.upper()}": "x" for name in Settings.model_fields}
    others = {"esm_operator_region": "x", "ESM_OPERATO": "x", "MY_ESM_OPERATOR_X": "x"}
    assert unknown_variables(Settings.model_fields, known | others) == []


def test_variables_of_services_are_no_problem() -> None:
    metrics = {name.replace("OPERATOR", "OPERATOR_METRICS"): value for name, value in SERVICE_VARIABLES.items()}
    assert unknown_variables(Settings.model_fields, SERVICE_VARIABLES | metrics) == []


@pytest.mark.parametrize("name", ["ESM_OPERATOR_PORT_NUMBER", "ESM_OPERATOR_SERVICE", "ESM_OPERATOR_METRICS_PORT"])
def test_what_only_looks_like_a_variable_of_a_service_is_a_problem(name: str) -> None:
    assert len(unknown_variables(Settings.model_fields, SERVICE_VARIABLES | {name: "x"})) == 1


def test_without_its_service_a_variable_is_a_problem() -> None:
    assert len(unknown_variables(Settings.model_fields, {"ESM_OPERATOR_PORT": "8080"})) == 1


@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_service_sets_what_is_a_setting(name: str) -> None:
    """Kubernetes would set it in the pod of the operator, whatever its manifest has."""
    assert not re.search(r"(^|_)(service_host|service_port|port)(_|$)", name)


@pytest.mark.parametrize("name", ["VERSION", "RUN", "CRDS"])
def test_the_program_itself_takes_nothing_from_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images and pipelines have variables such as VERSION."""
    monkeypatch.setenv(name, "1.2.3")
    cli.run(["crds"])
    assert "CustomResourceDefinition" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--watch-namespaces", "--sweep-intervall=1", "--ident=a"])
def test_unknown_and_abbreviated_flags_are_refused(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["esm-operator", "run", flag])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert f"unrecognized arguments: {flag}" in capsys.readouterr().err


def test_the_summary_has_the_scope_and_what_differs_from_the_defaults_without_secrets() -> None:
    plain = Settings(identity="pod-1", lease_namespace="esm-operator", region="eu-west-1")
    assert plain.summary() == (
        "Cluster name default, identity pod-1, lease esm-operator/esm-operator, region eu-west-1, namespaces all, "
        "label selector not set. Settings that differ from their defaults: none."
    )
    changed = plain.model_copy(
        update={
            "cluster_name": "blue",
            "namespaces": ["a", "b"],
            "selector": "team=shop",
            "endpoint_url": "https://user:S3CRET@aws.example.com",
            "default_tags": {"owner": "S3CRET", "stage": "S3CRET"},
            "sweep_interval": 30.0,
        }
    )
    assert changed.summary() == (
        "Cluster name blue, identity pod-1, lease esm-operator/esm-operator, region eu-west-1, namespaces a, b, label "
        "selector team=shop. Settings that differ from their defaults: endpoint-url=https://aws.example.com, "
        "default-tags=owner+stage, sweep-interval=30.0."
    )
