"""The settings of the operator, read from flags and environment variables.

``esm-operator run --help`` and the table in the documentation are made from these classes. A flag wins over its
environment variable: ``--sweep-interval`` wins over ``ESM_OPERATOR_SWEEP_INTERVAL``. An unknown variable with that
prefix is an error.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from esm_operator.api import limits

PREFIX = "ESM_OPERATOR_"
#: Variables that Kubernetes sets in a pod for each Service of its namespace. They begin with the name of the Service:
#: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_HOST = "_SERVICE_HOST"
_SERVICE_VARIABLE = re.compile(
    rf"(.+?)({_SERVICE_HOST}|_SERVICE_PORT(_\w+)?|_PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)"
)
_DNS_NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL_KEY = rf"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_LABEL}"
_LAST_PORT = 65535
#: One requirement of a label selector and the comma after it (Kubernetes, labels and selectors).
_REQUIREMENT = re.compile(
    rf"\s*({_LABEL_KEY}\s*(=|==|!=)\s*({_LABEL})?|{_LABEL_KEY}\s+(not)?in\s*\(\s*{_LABEL}(\s*,\s*{_LABEL})*\s*\)"
    rf"|!?\s*{_LABEL_KEY})\s*(,(?=.)|$)"
)


def items(value: str | Iterable[str]) -> list[str]:
    """The items of a text such as ``a,b``, or of several such texts."""
    texts = [value] if isinstance(value, str) else value
    return [item.strip() for text in texts for item in text.split(",") if item.strip()]


def _pairs(value: str | list[str] | dict[str, str]) -> dict[str, str]:
    """The pairs of a text such as ``k=v,l=w``, or of several such texts."""
    if isinstance(value, dict):
        return value
    texts = items(value)
    if not all("=" in text for text in texts):
        raise ValueError("write each as key=value, separated by commas")
    pairs = dict(text.split("=", 1) for text in texts)
    reserved = sorted(key for key in pairs if re.match(limits.RESERVED_TAG_KEY, key))
    if reserved:
        raise ValueError(f"the tag keys {', '.join(reserved)} are reserved (prefixes aws: and esm-operator.io/)")
    long = sorted(key for key, text in pairs.items() if not limits.is_tag_length(key, text))
    if long:
        raise ValueError(
            f"the tags {', '.join(long)} do not have the lengths that AWS accepts: keys have 1 to "
            f"{limits.LONGEST_TAG_KEY} characters, and values have at most {limits.LONGEST_TAG_VALUE}"
        )
    wrong = sorted(key for key, text in pairs.items() if not limits.is_tag_text(key + text))
    if wrong:
        raise ValueError(
            f"the tags {', '.join(wrong)} have characters that AWS does not accept: use only {limits.TAG_CHARACTERS}"
        )
    return pairs


def matches(pattern: str, problem: str, *, empty: bool = True) -> Callable[[str], str]:
    """A validator that accepts a text if the pattern matches all of it.

    Args:
        pattern: the regular expression.
        problem: the message of the error. ``{}`` is replaced by the text.
        empty: whether the empty text is accepted too.
    """

    def check(text: str) -> str:
        if not (empty and not text) and not re.fullmatch(pattern, text):
            raise ValueError(problem.format(text))
        return text

    return check


def each(check: Callable[[str], str]) -> AfterValidator:
    """A validator that checks each item of a list."""
    return AfterValidator(lambda texts: [check(text) for text in cast("list[str]", texts)])


#: A list. Its flag takes items separated by commas, and can be repeated.
Items = Annotated[list[str], NoDecode, BeforeValidator(items)]
known_region = matches(limits.REGION_PATTERN, "`{}` is not an AWS region such as eu-west-1")
Region = Annotated[str, AfterValidator(known_region)]
#: The URL of AWS APIs. The message does not repeat the value, because it can have a password.
Endpoint = Annotated[
    str,
    AfterValidator(
        matches(
            limits.ENDPOINT_PATTERN,
            "the URL can have only a scheme, a host, a port and a path, such as https://lambda.example.com",
        )
    ),
]
#: AWS accepts these characters in the value of a tag (AWS Lambda API, TagResource). AWS also accepts the slash, which
#: here separates the parts of an owner.
is_cluster_name = matches(
    r"[\w .:=+\-@]+",
    "`{}` cannot be the value of an AWS tag: use only letters, digits, spaces and _ . : = + - @ (no /)",
)
is_namespace = matches(
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    "`{}` is not the name of a namespace: use only lower-case letters, digits and hyphens",
)
_is_dns_name = matches(
    _DNS_NAME,
    "`{}` is not the name of a Kubernetes object: use only lower-case letters, digits, hyphens and dots",
)


def _selector(text: str) -> str:
    """A validator of label selectors."""
    rest = text.strip()
    while rest:
        requirement = _REQUIREMENT.match(rest)
        if requirement is None:
            raise ValueError(
                f"`{rest}` is not a label selector. Write requirements such as key=value, key!=value, key in (a, b), "
                "key notin (a, b), key or !key, separated by commas"
            )
        rest = rest[requirement.end() :]
    return text.strip()


def _address(text: str) -> str:
    """A validator of ``host:port``. The empty text is valid too."""
    _, colon, port = text.rpartition(":")
    if text and not (colon and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= _LAST_PORT):
        raise ValueError(
            f"`{text}` is not an address. Write host:port, such as 0.0.0.0:8081, with a port of at most {_LAST_PORT}"
        )
    return text


#: How all commands read their settings.
COMMAND_CONFIG = SettingsConfigDict(
    env_prefix=PREFIX,
    cli_kebab_case=True,
    cli_implicit_flags=True,
    cli_prog_name="esm-operator",
    cli_hide_none_type=True,
    cli_avoid_json=True,
    use_attribute_docstrings=True,
    extra="ignore",
    frozen=True,
)


class FlagsOnly(BaseSettings):
    """The base of commands that read no environment variables, only flags."""

    model_config = COMMAND_CONFIG

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *args: Any, **kwargs: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out the environment. A variable such as ESM_OPERATOR_NAMESPACE is for other commands."""
        return (init_settings,)


def unknown_variables(fields: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """A message for each variable that has the prefix of settings and is not a setting.

    Variables that Kubernetes sets for a Service, such as ``ESM_OPERATOR_SERVICE_HOST``, are ignored.
    """
    known = {field.upper() for field in fields}
    services = {name.removesuffix(_SERVICE_HOST) for name in environment if name.endswith(_SERVICE_HOST)}
    problems = list[str]()
    for name in sorted(environment):
        own = name.upper().removeprefix(PREFIX)
        service = _SERVICE_VARIABLE.fullmatch(name)
        if own == name.upper() or own in known or (service is not None and service[1] in services):
            continue
        near = difflib.get_close_matches(own, known, n=1, cutoff=0.7)
        remedy = (
            f"Did you mean {PREFIX}{near[0]}? Rename the variable or remove it."
            if near
            else "Correct its name or remove it. `esm-operator run --help` lists the flags. The variable of "
            f"--sweep-interval is {PREFIX}SWEEP_INTERVAL."
        )
        problems.append(f"The environment variable {name} is unknown. {remedy}")
    return problems


def environment_region() -> str:
    """The AWS region of the environment; empty if there is none."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


class CommonSettings(BaseSettings):
    """The settings about the cluster and AWS that ``run`` and ``orphans`` have in common."""

    model_config = COMMAND_CONFIG

    cluster_name: Annotated[str, AfterValidator(is_cluster_name)] = Field(
        default="default", min_length=1, max_length=256
    )
    """Name of this cluster in the owner tags of its mappings. Clusters that share an AWS account need different names.
    Keep the name when you restore a cluster from a backup."""

    region: Region = ""
    """AWS region of a mapping if the resource, its event source ARN and its ProviderConfig have no region. Default:
    AWS_REGION or AWS_DEFAULT_REGION of the environment."""

    more_regions: Annotated[Items, each(known_region)] = Field(default_factory=list[str])
    """AWS regions that this version does not know yet. The operator sends no requests to unknown regions."""

    endpoint_url: Endpoint = ""
    """URL of a server that the operator calls instead of AWS Lambda, STS and the Resource Groups Tagging API. Examples
    are a proxy and a test server. Do not set this flag for VPC endpoints. For these, use private DNS names, or set
    AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API. Default:
    AWS_ENDPOINT_URL of the environment, or the endpoints of AWS."""

    ownership: Literal["tags", "resource-only"] = "tags"
    """Where the operator records the owner of a mapping. With `tags`, it uses tags of the mapping. With
    `resource-only`, it uses only the status of the resource. Use `resource-only` in regions where event source mappings
    have no tags. A ProviderConfig can override this setting."""

    namespaces: Annotated[Items, each(is_namespace)] = Field(default_factory=list[str])
    """Namespaces whose resources the operator manages. Wildcards are not possible. Default: all namespaces."""

    @property
    def owner_tags(self) -> bool:
        return self.ownership == "tags"

    def default_region(self) -> str:
        """The region of mappings that name none; empty if there is none."""
        return self.region or environment_region()


class Settings(CommonSettings):
    """Run the operator until it is stopped."""

    selector: Annotated[str, AfterValidator(_selector)] = ""
    """Label selector of the resources to manage, such as `team=shop,tier in (a, b)`. Several operators can share a
    cluster if each resource matches the selector of only one of them. All users who can label a resource can choose its
    operator. If operators have different AWS credentials, use --namespace-selector or --namespaces instead. Default:
    all resources."""

    namespace_selector: Annotated[str, AfterValidator(_selector)] = ""
    """Label selector of the namespaces whose resources the operator manages, such as `team=shop`. Use it, or
    --namespaces, to separate operators that have different AWS credentials. The label selector of resources
    (--selector) does not separate them. This setting needs the permission to list and watch namespaces, and excludes
    --namespaces. Default: all namespaces."""

    operator_credentials: Literal["Never", "WithoutProviderConfig"] = "Never"
    """The use of the operator's own AWS credentials. With `Never`, each resource needs a ProviderConfig. The resource
    names it, or the label lambda.esm-operator.io/provider-config of its namespace, or the ProviderConfig named
    `default` applies. With `WithoutProviderConfig`, all resources to which no
    ProviderConfig applies use the operator's own credentials. A ProviderConfig without roleARN always uses them."""

    watch_namespace_labels: bool = True
    """Watch the labels of namespaces. The namespaceSelector of a ProviderConfig needs these labels, and so does the
    default ProviderConfig of a namespace (label lambda.esm-operator.io/provider-config). If you turn this off, the
    operator needs no permission to list namespaces. But then no namespace can use a ProviderConfig that has a
    namespaceSelector, and the label has no effect. This setting does not select the managed namespaces. For that, use
    --namespaces or --namespace-selector."""

    takeover_from_clusters: Annotated[Items, each(is_cluster_name)] = Field(default_factory=list[str])
    """Names of other clusters. Resources of this cluster may take over mappings of these clusters with
    spec.adoption.takeOverFrom, and may observe them. When you rename this cluster, add its former name. Default:
    none."""

    default_tags: Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)] = Field(default_factory=dict[str, str])
    """AWS tags of every mapping. The defaultTags of a ProviderConfig override tags with the same keys. Default:
    none."""

    requests_per_second: float = Field(default=10.0, gt=0, le=1000)
    """Maximum number of requests per second to AWS Lambda, for each account and region. The quota of AWS is 15. All
    clients of the Lambda API in the account and region share it."""

    targets_per_namespace: int = Field(default=limits.TARGETS_PER_NAMESPACE, ge=1, le=10_000)
    """Maximum number of targets that a namespace may use. A target is a region that the operator reaches with one role
    and one endpoint. Each target takes up to 8 threads and about 1 MB of memory. The limit is twice as high for targets
    in regions in which the namespace has mappings already."""

    max_targets: int = Field(default=limits.MAX_TARGETS, ge=1, le=100_000)
    """Maximum number of targets that all namespaces use together. For a new target, the number of free targets must be
    greater than the number of targets that the namespace uses. The first target of a namespace is always allowed. For
    targets in regions in which the namespace has mappings already, the limit is twice as high, and one free target is
    enough."""

    max_mappings: int = Field(default=limits.MAX_MAPPINGS, ge=100, le=500_000)
    """Maximum number of mappings in an account and region, including mappings that the operator does not manage. The
    operator keeps all of them in memory. The memory of all mappings and tags of an account and region is limited too:
    to 6,000 bytes times this number. If an account and region exceeds a limit, the operator manages none of its
    mappings. The limits protect the memory of the operator from endless lists."""

    kubernetes_requests_per_second: float = Field(default=100.0, ge=1, le=100_000)
    """Maximum number of requests per second to the Kubernetes API server. Watches and requests for the Lease are not
    counted. The operator sends five requests for each mapping that it creates."""

    deletions_per_minute: int = Field(default=300, ge=1, le=100_000)
    """Maximum number of mappings that the operator deletes in AWS per minute. Other deletions wait, and their resources
    have the reason DeletionsHeld."""

    sweep_interval: float = Field(default=60.0, ge=1, le=86400)
    """Seconds between two sweeps. A sweep lists all mappings in AWS to find drift."""

    tag_sweep_interval: float = Field(default=600.0, ge=1, le=86400)
    """Seconds between two tag sweeps. A tag sweep reads the tags of all mappings from the Resource Groups Tagging
    API."""

    lease_name: Annotated[str, AfterValidator(_is_dns_name)] = Field(
        default="esm-operator", min_length=1, max_length=253
    )
    """Name of the Lease for leader election. Replicas with the same Lease are one operator, and one of them is active.
    Operators that manage different namespaces or labels need different names."""

    lease_namespace: Annotated[str, AfterValidator(_is_dns_name)] = Field(default="", max_length=63)
    """Namespace of the Lease. Default: the namespace of the pod; outside of a pod, `default`."""

    identity: str = Field(default="", max_length=253)
    """Holder identity in the Lease. It must be unique among running replicas. A restarted process should have the same
    identity as before, so that it regains the Lease immediately. Default: POD_NAME and POD_UID of the environment,
    which the chart sets. Without these, the host name with a random suffix."""

    lease_duration: float = Field(default=20.0, ge=10, le=600)
    """Seconds after which a standby takes over if the active replica has failed. The active replica renews the Lease
    every 2 seconds. If it cannot renew the Lease, it starts no more writes 7 seconds before the Lease expires."""

    probe_address: Annotated[str, AfterValidator(_address)] = "0.0.0.0:8081"
    """Address of the HTTP server for the probes /healthz and /readyz. An empty value turns the server off."""

    metrics_address: Annotated[str, AfterValidator(_address)] = "0.0.0.0:8080"
    """Address of the HTTP server for /metrics. An empty value turns the server off."""

    metrics_certificate_file: str = ""
    """File with the TLS certificate of the server for /metrics, and with its intermediate certificates, as PEM. If
    the file changes, the operator reads it again. Without this flag, the server does not use TLS."""

    metrics_key_file: str = ""
    """File with the private key of the certificate, as PEM."""

    metrics_authentication: bool = False
    """Require authentication for /metrics. Kubernetes must accept the bearer token of the client, and its user must
    have the permission to get /metrics. The metrics then show the IDs of AWS accounts."""

    metrics_per_mapping: bool = False
    """Expose three more metric series for each mapping. They show the names of resources, so they need
    --metrics-authentication."""

    log_format: Literal["text", "json"] = "text"
    """Format of log lines."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity of log lines."""

    def problem(self) -> str:
        """Why these settings cannot be used together, as a sentence with its remedy; empty: they can."""
        if self.namespace_selector and self.namespaces:
            return "--namespace-selector and --namespaces are both set. Remove one of them."
        if self.namespace_selector and not self.watch_namespace_labels:
            return "--namespace-selector needs the labels of namespaces. Remove --no-watch-namespace-labels."
        if bool(self.metrics_certificate_file) != bool(self.metrics_key_file):
            return "--metrics-certificate-file and --metrics-key-file need each other. Set both, or none."
        if self.metrics_authentication and not self.metrics_certificate_file:
            return (
                "--metrics-authentication needs TLS, because clients send their tokens. Set --metrics-certificate-file "
                "and --metrics-key-file."
            )
        if self.metrics_per_mapping and not self.metrics_authentication:
            return (
                "--metrics-per-mapping shows the names of resources to everybody who can reach the port. Set "
                "--metrics-authentication too, or leave --metrics-per-mapping out."
            )
        return ""

    def summary(self) -> str:
        """The settings for the first line of the log, without values of tags and without credentials in a URL."""
        changed = [
            f"{name.replace('_', '-')}={_shown(getattr(self, name))}"
            for name, field in Settings.model_fields.items()
            if name not in _ALWAYS_SHOWN and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        return (
            f"Cluster name {self.cluster_name}, identity {self.identity}, lease {self.lease_namespace}/"
            f"{self.lease_name}, region {self.region or 'not set'}, namespaces {', '.join(self.namespaces) or 'all'}, "
            f"label selector {self.selector or 'not set'}. Settings that differ from their defaults: "
            f"{', '.join(changed) or 'none'}."
        )


#: The settings that :meth:`Settings.summary` shows even if they have their default.
_ALWAYS_SHOWN = frozenset(
    {"cluster_name", "identity", "lease_namespace", "lease_name", "region", "namespaces", "selector"}
)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "+".join(sorted(map(str, cast("dict[str, str]", value))))
    return re.sub(r"(?<=://)[^/@]*@", "", str(value))
