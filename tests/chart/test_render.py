"""What the chart renders for several files of values: checks by Helm and the API server, and the notes."""

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from esm_operator.api.reference_kinds import KINDS
from esm_operator.settings import Settings
from tests import role
from tests.chart.conftest import MONITORING, make_namespace
from tests.chart.helm import CHART, NAMESPACE, NEEDED, RELEASE, ROOT, VALUES, Helm, merged, of_kind, the
from tests.controlplane import ControlPlane
from tests.pages import Command, calls, commands, pages
from tests.waiting import eventually
from tools import crd_definitions
from tools.reference_roles import plural_of

#: The values that hold a setting.
PLACES = {
    "cluster_name": ("clusterName",),
    "region": ("region",),
    "more_regions": ("moreRegions",),
    "endpoint_url": ("endpointURL",),
    "namespaces": ("namespaces",),
    "selector": ("selector",),
    "namespace_selector": ("namespaceSelector",),
    "operator_credentials": ("operatorCredentials",),
    "watch_namespace_labels": ("watchNamespaceLabels",),
    "takeover_from_clusters": ("takeoverFromClusters",),
    "default_tags": ("defaultTags",),
    "requests_per_second": ("requestsPerSecond",),
    "targets_per_namespace": ("targetsPerNamespace",),
    "max_targets": ("maxTargets",),
    "max_mappings": ("maxMappings",),
    "kubernetes_requests_per_second": ("kubernetesRequestsPerSecond",),
    "deletions_per_minute": ("deletionsPerMinute",),
    "sweep_interval": ("sweepInterval",),
    "tag_sweep_interval": ("tagSweepInterval",),
    "ownership": ("ownership",),
    "lease_name": ("leaderElection", "leaseName"),
    "lease_namespace": ("leaderElection", "leaseNamespace"),
    "lease_duration": ("leaderElection", "leaseDuration"),
    "probe_address": ("probePort",),
    "metrics_address": ("metrics", "port"),
    "metrics_authentication": ("metrics", "authentication"),
    "metrics_per_mapping": ("metrics", "perMapping"),
    "log_format": ("logFormat",),
    "log_level": ("logLevel",),
}
#: The members of objects that are names, and the labels that have names.
TEXTS = (".name", ".namespace", "Name", ".namespaces", ".matchNames", ".resourceNames", ".args")
LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance")
TEAM = {"scope": "namespaces", "namespaces": ["a"]}
#: Set by the environment, because each pod has its own, or by the volumes of the pod.
FROM_THE_POD = {"identity", "metrics_certificate_file", "metrics_key_file"}
#: Values that differ from the operator's own default, and why.
DIFFERENT = {
    "cluster_name": "required",
    "lease_name": "of the release",
    "probe_address": "a port of all addresses, IPv6 too",
    "metrics_address": "a port of all addresses, IPv6 too",
    "log_format": "logs are collected",
    "watch_namespace_labels": "depends on the scope",
}


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with all kinds that the chart may have objects of, and the namespaces of the values."""
    kinds = list(yaml.safe_load_all(MONITORING.read_text()))
    control_plane.client.install(*kinds)
    for name in (NAMESPACE, "team-a", "team-b"):
        make_namespace(control_plane, name)
    for one in kinds:
        served = f"/apis/{one['spec']['group']}/{one['spec']['versions'][0]['name']}/{one['spec']['names']['plural']}"
        eventually(lambda served=served: control_plane.client.get(served), f"{served} is served")
    return control_plane


def value(values: dict[str, Any], place: tuple[str, ...]) -> Any:
    for name in place:
        values = values[name]
    return values


def arguments(objects: list[dict[str, Any]]) -> list[str]:
    """Those of the operator's container."""
    return the(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("file", VALUES, ids=lambda file: file.stem)
def test_helm_finds_nothing_to_complain_of(helm: Helm, file: Path) -> None:
    said = helm("lint", "--strict", CHART, "--values", file)
    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said


@pytest.mark.parametrize("way", [("--server-side", "--force-conflicts"), ()], ids=["server-side", "client-side"])
@pytest.mark.parametrize("file", VALUES, ids=lambda file: file.stem)
def test_the_api_server_takes_all_of_it(helm: Helm, plane: ControlPlane, file: Path, way: tuple[str, ...]) -> None:
    objects = helm.template(yaml.safe_load(file.read_text()))
    done = plane.kubectl(
        *("apply", *way, "--dry-run=server", "--validate=strict", "--filename=-"), input=yaml.safe_dump_all(objects)
    )
    unapplied = "last-applied-configuration"  # of the CRDs, which are there already
    assert [line for line in done.stderr.splitlines() if unapplied not in line] == []
    assert len(done.stdout.splitlines()) == len(objects) > 5


def test_each_empty_default_is_set_in_some_file(helm: Helm) -> None:
    """So that the tests above cover each of the chart's branches."""

    def empty(values: dict[str, Any], place: tuple[str, ...] = ()) -> Generator[tuple[str, ...]]:
        for name, one in values.items():
            if isinstance(one, dict) and one:
                yield from empty(one, (*place, name))
            elif one in ("", None, {}, []):
                yield (*place, name)

    def is_set(values: Any, place: tuple[str, ...]) -> bool:
        for name in place:
            values = values.get(name) if isinstance(values, dict) else None
        return values not in ("", None, {}, [])

    given = [yaml.safe_load(file.read_text()) for file in VALUES]
    unset = {
        ".".join(place)
        for place in empty(yaml.safe_load((CHART / "values.yaml").read_text()))
        if not any(is_set(values, place) for values in given)
    }
    same_template = {
        "metrics.serviceMonitor.namespace",
        "metrics.serviceMonitor.annotations",
        "metrics.prometheusRule.annotations",
        "metrics.dashboard.namespace",
    }
    assert unset - same_template == {"namespaceOverride", "podDisruptionBudget.maxUnavailable"}


@pytest.mark.parametrize("name", ["123", "0x10", "true", "null"])
def test_each_name_is_a_string(helm: Helm, name: str) -> None:
    """Also names that YAML reads as a number, a boolean or null."""

    def texts(one: Any, place: str = "") -> Generator[tuple[str, Any]]:
        """Each value of a member that is a name, or a label, with its place."""
        if isinstance(one, dict):
            for key, value in one.items():
                yield from texts(value, f"{place}.{key}")
        elif isinstance(one, list):
            for value in one:
                yield from texts(value, place)
        elif place.endswith((*TEXTS, *(f".{key}" for key in LABELS))):
            yield place, one

    names = {
        "serviceAccount": {"name": name},
        "leaderElection": {"leaseName": name, "leaseNamespace": name},
        "priorityClassName": name,
        "providerConfigs": {name: {}},
        "metrics": {
            "tls": {"secretName": name},
            "podMonitor": {"namespace": name},
            "serviceMonitor": {"namespace": name},
            "prometheusRule": {"namespace": name},
            "dashboard": {"namespace": name},
        },
    }
    layers = [{}, {"nameOverride": name, "fullnameOverride": name, "namespaceOverride": name}]
    for file in VALUES:
        for layer in layers:
            values = merged(
                yaml.safe_load(file.read_text()), names, {"crds": {"install": False}, "extraObjects": []}, layer
            )
            given = ("--namespace", name, "--values=-")
            rendered = yaml.safe_load_all(helm("template", name, CHART, *given, input=yaml.safe_dump(values)))
            found = [text for one in rendered for text in texts(one)]
            assert [text for text in found if not isinstance(text[1], str)] == []
            assert len(found) > 20


def test_the_crds_are_those_of_the_models(helm: Helm) -> None:
    rendered = {one["metadata"]["name"]: one for one in of_kind(helm.template(NEEDED), "CustomResourceDefinition")}
    for text in crd_definitions.files().values():
        made = yaml.safe_load(text)
        one = rendered.pop(made["metadata"]["name"])
        assert one["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert one["metadata"].pop("labels")["app.kubernetes.io/managed-by"] == "Helm"
        assert one == made
    assert rendered == {}


def test_braces_in_the_text_of_a_crd_are_text(helm: Helm, tmp_path: Path) -> None:
    chart = copied(tmp_path)
    file = next((chart / "files" / "crds").glob("*mappings.yaml"))
    document = yaml.safe_load(file.read_text())
    schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["description"] = text = "Set {{ .Values.clusterName }} and {{ nothing }}."
    file.write_text(yaml.safe_dump(document))
    said = helm(
        "template", "x", chart, "--values=-", "--show-only=templates/crds.yaml", input=yaml.safe_dump(dict(NEEDED))
    )
    assert text in said


def copied(folder: Path) -> Path:
    """The chart, to change something in it."""
    for path in CHART.rglob("*"):
        if path.is_file():
            target = folder / "chart" / path.relative_to(CHART)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder / "chart"


def test_without_crds_there_are_none(helm: Helm) -> None:
    objects = helm.template(merged(NEEDED, {"crds": {"install": False}}))
    assert of_kind(objects, "CustomResourceDefinition") == []
    objects = helm.template(merged(NEEDED, {"crds": {"keep": False}}))
    assert all("annotations" not in one["metadata"] for one in of_kind(objects, "CustomResourceDefinition"))


def test_each_setting_can_be_set(helm: Helm) -> None:
    assert PLACES.keys() | FROM_THE_POD == Settings.model_fields.keys()
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    ours = Settings.model_json_schema()["properties"]
    for name, place in PLACES.items():
        default = value(values, place)
        if name not in DIFFERENT:
            assert default == Settings.model_fields[name].get_default(call_default_factory=True), name
        part = schema
        for key in place:
            part = part["properties"][key]
        for limit in ("minimum", "maximum", "exclusiveMinimum", "enum"):
            if not name.endswith("_address"):
                assert part.get(limit) == ours[name].get(limit), (name, limit)


def test_the_operator_takes_the_values(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = yaml.safe_load((ROOT / "tests/chart/values/everything.yaml").read_text())
    command, *flags = arguments(helm.template(everything))
    assert command == "run"
    settings = Settings(_cli_parse_args=flags)  # pyright: ignore[reportCallIssue]
    assert settings.model_dump() == {
        "cluster_name": "blue",
        "region": "eu-west-1",
        "more_regions": ["xx-north-1", "xx-south-2"],
        "endpoint_url": "https://aws.example.com:8443",
        "namespaces": [],
        "selector": "!experimental",
        "namespace_selector": "team in (shop, billing)",
        "operator_credentials": "WithoutProviderConfig",
        "watch_namespace_labels": True,
        "takeover_from_clusters": ["red", "old one"],
        "default_tags": {"cluster": "blue", "owner": "platform team"},
        "requests_per_second": 2.5,
        "targets_per_namespace": 5,
        "max_targets": 40,
        "max_mappings": 2000,
        "kubernetes_requests_per_second": 20,
        "deletions_per_minute": 10,
        "sweep_interval": 300,
        "tag_sweep_interval": 3600,
        "ownership": "resource-only",
        "lease_name": "esm",
        "lease_namespace": "kube-system",
        "lease_duration": 30,
        "probe_address": ":9090",
        "metrics_address": ":9091",
        "metrics_certificate_file": "/etc/esm-operator/metrics-tls/tls.crt",
        "metrics_key_file": "/etc/esm-operator/metrics-tls/tls.key",
        "metrics_authentication": True,
        "metrics_per_mapping": True,
        "log_format": "text",
        "log_level": "debug",
        "identity": "somebody",
    }


@pytest.mark.parametrize(
    ("values", "watches"),
    [
        ({}, True),
        ({"watchNamespaceLabels": False}, False),
        (TEAM, False),
        (TEAM | {"watchNamespaceLabels": True}, True),
        (TEAM | {"providerConfigs": {"one": {"region": "eu-west-1"}}}, False),
        (TEAM | {"providerConfigs": {"one": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}}, True),
    ],
)
def test_namespaces_are_watched_where_selectors_need_it(helm: Helm, values: dict[str, Any], watches: bool) -> None:
    objects = helm.template(merged(NEEDED, values))
    assert ("--no-watch-namespace-labels" not in arguments(objects)) == watches
    (operator,) = (one for one in of_kind(objects, "ClusterRole") if one["metadata"]["name"] == "esm-operator")
    assert all(rule in operator["rules"] for rule in role.rules("namespaces")) == watches


def test_the_roles_of_an_operator_for_the_cluster_are_those_that_tests_run_it_under(helm: Helm) -> None:
    objects = helm.template(NEEDED)
    cluster, lease = role.shipped()
    (operator,) = (one for one in of_kind(objects, "ClusterRole") if one["metadata"]["name"] == "esm-operator")
    assert operator["rules"] == cluster.rules
    only = the(objects, "Role")
    assert only["metadata"]["namespace"] == lease.namespace
    create, named = only["rules"]
    assert named.pop("resourceNames") == ["esm-operator"], "no other lease"
    assert [create, named] == lease.rules


@pytest.mark.parametrize(
    "values", [{}, {"scope": "namespaces", "namespaces": ["team-a"]}], ids=["cluster", "namespaces"]
)
def test_the_right_to_write_config_maps_is_granted_only_with_outputs(helm: Helm, values: dict[str, Any]) -> None:
    def granted(more: dict[str, Any]) -> list[tuple[str, str]]:
        objects = helm.template(merged(NEEDED, values, more))
        roles = [*of_kind(objects, "ClusterRole"), *of_kind(objects, "Role")]
        rule = role.rules("outputs")[0]
        return [(one["kind"], one["metadata"].get("namespace", "")) for one in roles if rule in one["rules"]]

    assert granted({}) == []
    expected = ("Role", "team-a") if values else ("ClusterRole", "")
    assert granted({"outputs": {"enabled": True}}) == [expected]


def test_the_flow_schema_is_for_the_lease_and_needs_cluster_rights(helm: Helm) -> None:
    (schema,) = of_kind(helm.template({**NEEDED, "leaderElection": {"leaseNamespace": "leases"}}), "FlowSchema")
    (rule,) = schema["spec"]["rules"]
    assert rule["subjects"][0]["serviceAccount"] == {"name": "esm-operator", "namespace": NAMESPACE}
    assert rule["resourceRules"][0]["namespaces"] == ["leases"]
    assert not of_kind(helm.template({**NEEDED, "rbac": {"create": False}}), "FlowSchema")


def test_the_roles_of_an_operator_for_namespaces(helm: Helm) -> None:
    objects = helm.template(merged(NEEDED, {"scope": "namespaces", "namespaces": ["team-a", "team-b"]}))
    (operator,) = (one for one in of_kind(objects, "ClusterRole") if one["metadata"]["name"] == "esm-operator")
    assert operator["rules"] == role.rules("provider-configs"), "nothing else in the whole cluster"
    roles = {(one["metadata"]["namespace"], one["metadata"]["name"]): one["rules"] for one in of_kind(objects, "Role")}
    assert roles.pop((NAMESPACE, "esm-operator-lease"))
    assert roles == {
        ("team-a", "esm-operator"): role.rules("mappings"),
        ("team-b", "esm-operator"): role.rules("mappings"),
        ("default", "esm-operator-events"): role.rules("provider-config-events"),
    }
    assert "--namespaces=team-a,team-b" in arguments(objects)


def projects() -> set[str]:
    """The settings for kinds that resources reference."""
    return {row.project for row in KINDS}


@pytest.mark.parametrize("project", sorted(projects()))
def test_the_rights_to_referenced_kinds(helm: Helm, project: str) -> None:
    extra = {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["list", "watch"]}
    values = merged(NEEDED, {"references": {project: {"enabled": True}, "additionalRules": [extra]}})
    (operator,) = (one for one in of_kind(helm.template(values), "ClusterRole") if one["metadata"]["name"] == RELEASE)
    cluster, _ = role.shipped()
    added = [rule for rule in operator["rules"] if rule not in cluster.rules]
    expected = {(row.group, plural_of(row.kind)) for row in KINDS if row.project == project}
    granted = {(group, name) for rule in added for group in rule["apiGroups"] for name in rule["resources"]}
    assert granted == expected | {("example.com", "widgets")}
    assert {verb for rule in added for verb in rule["verbs"]} == {"list", "watch"}


def test_the_rights_to_referenced_kinds_in_namespaces(helm: Helm) -> None:
    """Kinds without a namespace need a ClusterRole, others a Role in each namespace."""
    enabled = {project: {"enabled": True} for project in projects()}
    values = {"scope": "namespaces", "namespaces": ["team-a", "team-b"], "references": enabled}
    objects = helm.template(merged(NEEDED, values))
    (operator,) = (one for one in of_kind(objects, "ClusterRole") if one["metadata"]["name"] == RELEASE)
    groups = {group for rule in operator["rules"] for group in rule["apiGroups"]} - {"lambda.esm-operator.io"}
    assert groups
    assert all(group.endswith(".aws.upbound.io") for group in groups)
    roles = [one for one in of_kind(objects, "Role") if one["metadata"]["name"] == RELEASE]
    assert [one["metadata"]["namespace"] for one in roles] == ["team-a", "team-b"]
    for one in roles:
        granted = {group for rule in one["rules"] for group in rule["apiGroups"]}
        assert granted >= {row.group for row in KINDS if not row.group.endswith(".aws.upbound.io")}
        assert not granted & groups


@pytest.mark.parametrize("scope", ["cluster", "namespaces"])
def test_others_can_add_kinds_by_a_label(helm: Helm, scope: str) -> None:
    namespaces = ["team-a", "team-b"] if scope == "namespaces" else []
    values = merged(NEEDED, {"scope": scope, "namespaces": namespaces, "references": {"aggregate": True}})
    objects = helm.template(values)
    (aggregated,) = (one for one in of_kind(objects, "ClusterRole") if "aggregationRule" in one)
    (selector,) = aggregated["aggregationRule"]["clusterRoleSelectors"]
    assert selector["matchLabels"] == {"lambda.esm-operator.io/aggregate-to-references": "true"}
    bindings = [
        one
        for one in objects
        if one["kind"].endswith("RoleBinding") and one["roleRef"]["name"] == aggregated["metadata"]["name"]
    ]
    assert [one["metadata"].get("namespace", "") for one in bindings] == (namespaces or [""])
    assert {one["kind"] for one in bindings} == {"RoleBinding" if namespaces else "ClusterRoleBinding"}
    assert not [one for one in of_kind(helm.template(NEEDED), "ClusterRole") if "aggregationRule" in one]


@pytest.mark.parametrize(("aggregated", "readers"), [(True, {"view", "view-providerconfigs"}), (False, {"view"})])
def test_who_may_read_what(helm: Helm, aggregated: bool, readers: set[str]) -> None:
    objects = helm.template(merged(NEEDED, {"rbac": {"aggregateProviderConfigs": aggregated}}))
    view = "rbac.authorization.k8s.io/aggregate-to-view"
    found = {
        one["metadata"]["name"].removeprefix("esm-operator-"): one["rules"]
        for one in of_kind(objects, "ClusterRole")
        if view in one["metadata"]["labels"]
    }
    assert found.keys() == readers
    resources = {name for rules in found.values() for rule in rules for name in rule["resources"]}
    assert resources == {"eventsourcemappings", *(("providerconfigs",) if aggregated else ())}


@pytest.mark.parametrize(
    ("values", "addresses"),
    [
        ({}, {"169.254.170.23/32", "fd00:ec2::23/128"}),
        ({"podIdentity": False, "instanceMetadata": True}, {"169.254.169.254/32", "fd00:ec2::254/128"}),
        ({"podIdentity": False}, set[str]()),
    ],
)
def test_which_agents_of_the_node_may_be_reached(helm: Helm, values: dict[str, bool], addresses: set[str]) -> None:
    policy = the(helm.template(merged(NEEDED, {"networkPolicy": {"enabled": True, **values}})), "NetworkPolicy")
    peers = [peer for rule in policy["spec"]["egress"] for peer in rule.get("to", ())]
    assert {peer["ipBlock"]["cidr"] for peer in peers} == addresses


def ingress(objects: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """By port: the peers that the NetworkPolicy admits. Empty: all."""
    rules = the(objects, "NetworkPolicy")["spec"]["ingress"]
    return {port["port"]: rule.get("from", []) for rule in rules for port in rule["ports"]}


def test_by_default_only_metrics_can_be_reached_from_other_nodes(helm: Helm) -> None:
    nodes, prometheus = [{"ipBlock": {"cidr": "10.0.0.0/16"}}], [{"podSelector": {}}]
    assert ingress(helm.template(NEEDED)) == {"metrics": []}
    given = {"networkPolicy": {"probesFrom": nodes, "metricsFrom": prometheus}}
    assert ingress(helm.template(merged(NEEDED, given))) == {"probes": nodes, "metrics": prometheus}
    off = helm.template(merged(NEEDED, {"networkPolicy": {"enabled": False}}))
    assert of_kind(off, "NetworkPolicy") == []


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ({}, {443, 6443}),
        ({"endpointURL": "https://aws.example.com"}, {443, 6443}),
        ({"endpointURL": "https://aws.example.com:8443/path"}, {443, 6443, 8443}),
        ({"endpointURL": "http://aws.example.com"}, {443, 6443, 80}),
        ({"endpointURL": "http://[fd00::1]:4566"}, {443, 6443, 4566}),
        ({"providerConfigs": {"a": {"endpointURL": "http://b:9"}, "b": {"region": "eu-west-1"}}}, {443, 6443, 9}),
        ({"networkPolicy": {"egressPorts": [443, 3128]}}, {443, 3128}),
    ],
)
def test_endpoints_of_the_values_can_be_reached(helm: Helm, values: dict[str, Any], ports: set[int]) -> None:
    policy = the(helm.template(merged(NEEDED, values)), "NetworkPolicy")
    anywhere = [rule["ports"] for rule in policy["spec"]["egress"] if "to" not in rule]
    assert {port["port"] for found in anywhere for port in found} == {53, *ports}


def test_probes_and_metrics_have_a_port_each(helm: Helm) -> None:
    objects = helm.template(NEEDED)
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"probes": 8081, "metrics": 8080}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "probes"
    (port,) = the(objects, "Service")["spec"]["ports"]
    assert (port["name"], port["targetPort"]) == ("metrics", "metrics")


AUTHENTICATED = {"metrics": {"authentication": True, "tls": {"secretName": "tls"}}}


def test_clients_of_the_metrics_are_checked_if_the_values_say_so(helm: Helm) -> None:
    def roles(values: dict[str, Any]) -> dict[str, Any]:
        objects = of_kind(helm.template(merged(NEEDED, values)), "ClusterRole")
        return {one["metadata"]["name"]: one["rules"] for one in objects}

    reviews = role.rules("metrics-clients")
    assert "esm-operator-metrics-reader" not in (without := roles({}))
    assert not any(rule in without["esm-operator"] for rule in reviews)
    found = roles(AUTHENTICATED)
    assert found["esm-operator-metrics-reader"] == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    assert all(rule in found["esm-operator"] for rule in reviews)


def test_a_monitor_uses_tls_and_a_token_if_the_metrics_need_them(helm: Helm) -> None:
    def endpoint(values: dict[str, Any]) -> dict[str, Any]:
        objects = helm.template(merged(NEEDED, {"metrics": {"serviceMonitor": {"enabled": True}}}, values))
        (found,) = the(objects, "ServiceMonitor")["spec"]["endpoints"]
        return found

    plain = endpoint({})
    assert plain["port"] == "metrics"
    assert not {"scheme", "tlsConfig", "bearerTokenFile", "authorization"} & plain.keys()
    secure = endpoint(AUTHENTICATED)
    assert secure["scheme"] == "https"
    assert secure["tlsConfig"] == {
        "ca": {"secret": {"name": "tls", "key": "ca.crt"}},
        "serverName": f"esm-operator.{NAMESPACE}.svc",
    }
    assert secure["bearerTokenFile"].endswith("/token")
    own = {"tlsConfig": {"insecureSkipVerify": True}, "authorization": {"credentials": {"name": "a", "key": "b"}}}
    other = endpoint(merged(AUTHENTICATED, {"metrics": {"serviceMonitor": own}}))
    assert other["tlsConfig"] == own["tlsConfig"]
    assert other["authorization"] == own["authorization"]
    assert "bearerTokenFile" not in other


def test_two_releases_share_nothing(helm: Helm) -> None:
    def identities(name: str) -> set[tuple[str, ...]]:
        values = yaml.safe_dump(merged(NEEDED, {"crds": {"install": False}}))
        text = helm("template", name, CHART, "--namespace=esm", "--values=-", input=values)
        return {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
            for one in yaml.safe_load_all(text)
            if one
        }

    assert identities("one") & identities("two") == set()


def test_alerts_and_dashboard_come_as_they_are(helm: Helm) -> None:
    objects = helm.template(yaml.safe_load((ROOT / "tests/chart/values/monitoring.yaml").read_text()))
    alerts = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    groups = the(objects, "PrometheusRule")["spec"]["groups"]
    for group in groups:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"].pop("team") == "platform"
                page = rule["annotations"].pop("runbook_url")
                assert page == f"https://docs.example.com/esm-operator/runbooks/{rule['alert']}"
            if rule.get("alert") == "EsmOperatorAbsent":
                assert rule["expr"] == 'absent(esm_operator_build_info{namespace="esm-operator"})'
                rule["expr"] = "absent(esm_operator_build_info)"
    expected = alerts["groups"]
    for group in expected:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] != "EsmOperatorRateLimitExhausted"]
    assert groups == expected
    assert "{{" in json.dumps(groups), "an alert's text is a template of Prometheus"
    (dashboard,) = the(objects, "ConfigMap")["data"].values()
    assert json.loads(dashboard) == json.loads((CHART / "files" / "dashboard.json").read_text())


def test_what_selects_pods_selects_these(helm: Helm) -> None:
    values = yaml.safe_load((ROOT / "tests/chart/values/monitoring.yaml").read_text())
    objects = helm.template(merged(values, {"podLabels": {"more": "yes"}}))
    labels = the(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["more"] == "yes"
    constraints = the(objects, "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    selectors = [
        the(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        the(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the(objects, "Service")["spec"]["selector"],
        the(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in constraints),
    ]
    assert len(selectors) == 6
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
    monitored = the(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= the(objects, "Service")["metadata"]["labels"].items()


def test_names_and_namespaces_can_be_chosen(helm: Helm) -> None:
    objects = helm.template(merged(NEEDED, {"fullnameOverride": "mine", "namespaceOverride": "elsewhere"}))
    ours = [one for one in objects if one["kind"] != "CustomResourceDefinition"]
    assert all(one["metadata"]["name"].startswith("mine") for one in ours)
    assert {one["metadata"].get("namespace", "elsewhere") for one in ours} == {"elsewhere"}


def test_the_version_is_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (version,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert (chart["version"], chart["appVersion"]) == (version, version)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {},
            (
                "AWS CREDENTIALS: the values have none",
                "create-pod-identity-association",
                "REGION: the values have none",
                "PROVIDERCONFIG: the values have no ProviderConfig named default",
            ),
        ),
        ({"crds": {"keep": False}}, ("DANGER: crds.keep is false",)),
        ({"crds": {"install": False}}, ("CRDS: crds.install is false",)),
        ({"replicaCount": 1}, ("ONE REPLICA",)),
        ({"rbac": {"create": False}}, ("ROLES: rbac.create is false",)),
        ({"namespaceSelector": "team=shop"}, ("in the namespaces with the labels team=shop",)),
        ({"selector": "team=shop"}, ("they must match the selector: team=shop",)),
        (TEAM, ("in the namespaces a", "NAMESPACE SELECTORS", "kubectl --namespace a apply -f -")),
    ],
)
def test_the_notes_list_the_next_steps(helm: Helm, values: dict[str, Any], words: tuple[str, ...]) -> None:
    notes = noted(helm, values)
    for one in (
        *words,
        "kubectl --namespace esm-operator rollout status deployment/esm-operator",
        "describe esm orders",
    ):
        assert one in notes


def test_the_notes_of_a_complete_installation_warn_of_nothing(helm: Helm) -> None:
    role_arn = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/esm-operator"}
    web_identity = [{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::123456789012:role/esm-operator"}]
    for given in ({"serviceAccount": {"annotations": role_arn}}, {"extraEnv": web_identity}):
        notes = noted(helm, merged({"region": "eu-west-1", "providerConfigs": {"default": {}}}, given))
        assert re.findall(r"^[A-Z ]{4,}:", notes, re.MULTILINE) == []


def noted(helm: Helm, values: dict[str, Any]) -> str:
    given = ("--dry-run=client", "--namespace=esm-operator", "--values=-")
    said = helm("install", "esm-operator", CHART, *given, input=yaml.safe_dump(merged(NEEDED, values)))
    return said.partition("NOTES:\n")[2]


def documented() -> list[Command]:
    """The commands of the documentation that install or upgrade the chart."""
    return [one for one in commands() if re.match(r"helm (install|upgrade) ", one.text)]


def values_files(command: Command, folder: Path) -> dict[str, str]:
    """Write the values files that the page of a command shows after "to `NAME.yaml`:" to a folder. Paths by name."""
    page = pages()[command.place.partition(":")[0]]
    shown = dict(re.findall(r"to `([\w-]+\.yaml)`:\n\n```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    for name, text in shown.items():
        (folder / name).write_text(text)
    return {name: str(folder / name) for name in shown}


@pytest.mark.parametrize("command", documented(), ids=str)
def test_documented_commands_render_the_chart(helm: Helm, command: Command, tmp_path: Path) -> None:
    (words,) = calls(command)
    known = {"REGION": "eu-west-1", "CLUSTER": "blue", "IMAGE": "registry.example.com/esm-operator"}
    files = values_files(command, tmp_path)
    given = [
        str(CHART)
        if word == "helm/esm-operator"
        else re.sub(r"\$\{?(\w+)\}?", lambda match: known[match[1]], files.get(word, word))
        for word in words[2:]
        if word not in ("--create-namespace", "--reset-then-reuse-values")
    ]
    upgrade = words[1] == "upgrade"  # its release has values already
    assert helm("template", *given, *(("--values=-",) if upgrade else ()), input=yaml.safe_dump(dict(NEEDED)))


def test_enough_commands_are_documented() -> None:
    assert len(documented()) >= 8
