"""Wrong values are refused before anything is done, with the value's name; and every value is documented."""

import json
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, NEEDED, Helm, HelmError, merged
from tools import chart

#: The values, and the part of the message.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"clusterName": ""}, "clusterName is needed: a name for this cluster that no other cluster"),
    ({"clusterName": "a/b"}, "at '/clusterName': 'a/b' does not match pattern"),
    ({"clusterName": "My Cluster!"}, "at '/clusterName': 'My Cluster!' does not match pattern"),
    ({"clustername": "a"}, "additional properties 'clustername' not allowed"),
    ({"image": {"repository": ""}}, "image.repository is needed: the registry and name of the image"),
    ({"image": {"repository": "example.com/a:1.2"}}, "at '/image/repository'"),
    ({"image": {"digest": "1234"}}, "at '/image/digest': '1234' does not match pattern '^(sha256:[0-9a-f]{64})?$'"),
    ({"image": {"pullPolicy": "Sometimes"}}, "value must be one of 'Always', 'IfNotPresent', 'Never'"),
    ({"region": "Ireland"}, "at '/region': 'Ireland' does not match pattern"),
    ({"endpointURL": "localhost:4566"}, "at '/endpointURL'"),
    ({"ownership": "ResourceOnly"}, "at '/ownership': value must be one of 'tags', 'resource-only'"),
    ({"scope": "namespace"}, "at '/scope': value must be one of 'cluster', 'namespaces'"),
    ({"scope": "namespaces"}, "scope is namespaces, and namespaces is empty: name the namespaces to manage"),
    ({"namespaces": ["a"]}, "namespaces has names, but scope is cluster: set scope to namespaces"),
    ({"scope": "namespaces", "namespaces": ["team-*"]}, "at '/namespaces/0'"),
    (
        {"scope": "namespaces", "namespaces": ["a"], "namespaceSelector": "team=a"},
        "namespaceSelector is set, but scope is namespaces",
    ),
    (
        {"namespaceSelector": "team=a", "watchNamespaceLabels": False},
        "namespaceSelector is set, but watchNamespaceLabels is false",
    ),
    (
        {"operatorCredentials": "Always"},
        "at '/operatorCredentials': value must be one of 'Never', 'WithoutProviderConfig'",
    ),
    ({"scope": "namespaces", "namespaces": ["a", "a"]}, "at '/namespaces': items at 0 and 1 are equal"),
    ({"scope": "namespaces", "namespaces": "a,b"}, "at '/namespaces': got string, want array"),
    ({"replicaCount": "two"}, "at '/replicaCount': got string, want integer"),
    ({"replicaCount": -1}, "at '/replicaCount': minimum: got -1, want 0"),
    ({"requestsPerSecond": 0}, "at '/requestsPerSecond': exclusiveMinimum: got 0, want 0"),
    ({"sweepInterval": "1m"}, "at '/sweepInterval': got string, want number"),
    ({"leaderElection": {"leaseDuration": 5}}, "at '/leaderElection/leaseDuration': minimum: got 5, want 10"),
    ({"defaultTags": {"aws:team": "a"}}, "defaultTags has the key aws:team: keys that begin with aws: or"),
    ({"defaultTags": {"esm-operator.io/name": "a"}}, "defaultTags has the key esm-operator.io/name: keys"),
    ({"defaultTags": {"a=b": "c"}}, "defaultTags has the key a=b: a key has 1 to 128 characters, without = and commas"),
    ({"defaultTags": {"port": 1}}, "at '/defaultTags/port': got number, want string"),
    ({"logLevel": "trace"}, "at '/logLevel': value must be one of 'debug', 'info', 'warning', 'error'"),
    ({"serviceAccount": {"annotation": {}}}, "at '/serviceAccount': additional properties 'annotation' not allowed"),
    ({"providerConfigs": {"default": {"regoin": "eu-west-1"}}}, "at '/providerConfigs/default': additional properties"),
    ({"providerConfigs": {"Default": {}}}, "providerConfigs has the name Default: the name of"),
    ({"providerConfigs": [{"name": "default"}]}, "at '/providerConfigs': got array, want object"),
    ({"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}, "Kubernetes accepts only one of them"),
    ({"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}}, "are both enabled"),
    ({"metrics": {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}}}, "enable metrics.service"),
    ({"metrics": {"authentication": True}}, "metrics.authentication is true without TLS"),
    ({"metrics": {"perMapping": True}}, "metrics.perMapping shows the names of resources to everybody"),
    ({"metrics": {"port": 8081}}, "metrics.port and probePort are the same"),
    (
        {"metrics": {"authentication": True, "tls": {"secretName": "a"}, "podMonitor": {"enabled": True}}},
        "metrics.podMonitor has no credentials",
    ),
    ({"metrics": {"tls": {"secretName": "A"}}}, "at '/metrics/tls/secretName'"),
    ({"priorityClassName": "a\nhostNetwork: true"}, "at '/priorityClassName'"),
    ({"nameOverride": "a\nb"}, "at '/nameOverride'"),
    ({"fullnameOverride": "a: b"}, "at '/fullnameOverride'"),
    ({"port": 8080}, "additional properties 'port' not allowed"),
    ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "at '/metrics/serviceMonitor/interval'"),
    ({"networkPolicy": {"egressPorts": ["443"]}}, "at '/networkPolicy/egressPorts/0': got string, want integer"),
    ({"extraArgs": ["sweep-interval=5"]}, "at '/extraArgs/0': 'sweep-interval=5' does not match pattern '^--'"),
    ({"extraEnv": {"A": "b"}}, "at '/extraEnv': got object, want array"),
    ({"extraEnv": [{"name": "PORT", "value": 80}]}, "at '/extraEnv/0/value': got number, want string"),
    ({"commonLabels": {"team": "a b"}}, "at '/commonLabels/team'"),
    ({"metrics": {"prometheusRule": {"disabled": ["Absent"]}}}, "at '/metrics/prometheusRule/disabled/0'"),
    (
        {"metrics": {"prometheusRule": {"enabled": True, "disabled": ["EsmOperatorBogus"]}}},
        "which is not an alert. The alerts are",
    ),
    ({"podLabels": {"app.kubernetes.io/name": "a"}}, "podLabels has the label app.kubernetes.io/name, by which"),
    ({"commonLabels": {"app.kubernetes.io/instance": "a"}}, "commonLabels has the label app.kubernetes.io/instance"),
    ({"podDisruptionBudget": {"minAvailable": 2}}, "minAvailable is 2 with 2 replicas, so no node could be drained"),
    ({"crds": {"install": "yes"}}, "at '/crds/install': got string, want boolean"),
    ({"metrics": None}, "missing property 'metrics'"),
    ({"image": None}, "missing property 'image'"),
    ({"crds": None}, "missing property 'crds'"),
]


@pytest.mark.parametrize(
    ("values", "said"), WRONG, ids=lambda one: json.dumps(one)[:60] if isinstance(one, dict) else ""
)
def test_wrong_values_are_refused(helm: Helm, values: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmError) as refused:
        helm.template(merged(NEEDED, values))
    assert said in str(refused.value)


def test_what_is_left_empty_is_empty(helm: Helm) -> None:
    """As in ``annotations:`` with only comments below it, which is null in YAML; nothing else is meant by it."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def emptied(values: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, value in values.items():
            inner = part["properties"][name]
            if isinstance(value, dict) and "properties" in inner:
                result[name] = emptied(value, inner)
            elif isinstance(value, dict) or value in ([], "", None):
                result[name] = None
        return result

    values = emptied(yaml.safe_load((CHART / "values.yaml").read_text()), schema)
    assert values["providerConfigs"] is None
    assert values["serviceAccount"]["annotations"] is None
    everything = {name: {"enabled": True} for name in ("podMonitor", "prometheusRule", "dashboard")}
    values = merged(values, {"metrics": everything, "networkPolicy": {"enabled": True}})
    assert helm.template(merged(values, NEEDED))
    assert "Next:" in helm.install(merged(values, NEEDED), "--dry-run=client")


def test_what_can_be_left_out_may_be_null(helm: Helm) -> None:
    parts = ("tls", "service", "serviceMonitor", "podMonitor", "prometheusRule", "dashboard")
    values = {"podDisruptionBudget": None, "networkPolicy": None, "metrics": dict.fromkeys(parts)}
    kinds = {one["kind"] for one in helm.template(merged(NEEDED, values))}
    assert "Deployment" in kinds
    assert not kinds & {"PodDisruptionBudget", "NetworkPolicy", "Service", "ConfigMap"}
    assert "Next:" in helm.install(merged(NEEDED, values), "--dry-run=client")


def test_all_missing_values_are_in_one_message(helm: Helm) -> None:
    with pytest.raises(HelmError, match="clusterName is needed") as refused:
        helm.template({"scope": "namespaces"})
    assert "namespaces is empty" in str(refused.value)


def test_a_parent_chart_may_set_its_usual_values(helm: Helm) -> None:
    assert helm.template(merged(NEEDED, {"global": {"region": "x"}, "enabled": True}))


def test_the_schema_knows_exactly_the_values() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compare(values: dict[str, Any], part: dict[str, Any], place: str) -> None:
        known = part["properties"].keys() - ({"global", "enabled"} if not place else set[str]())
        assert values.keys() == known, place or "top"
        assert part["additionalProperties"] is False
        for name, value in values.items():
            if isinstance(value, dict) and "properties" in part["properties"][name]:
                compare(value, part["properties"][name], f"{place}.{name}")

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")


def test_each_value_has_a_comment() -> None:
    rows = chart.rows()
    assert all(row.meaning.endswith(".") for row in rows)
    documented = {row.name for row in rows}
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def lacking(part: dict[str, Any], place: str = "") -> list[str]:
        names: list[str] = []
        for name, value in part.items():
            path = f"{place}{name}"
            if path in documented:
                continue
            names += lacking(value, f"{path}.") if isinstance(value, dict) and value else [path]
        return names

    assert lacking(values) == []
