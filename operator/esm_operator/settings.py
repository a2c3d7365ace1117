"""The operator's settings: one table, from flags and environment variables.

``esm-operator run --help`` and the documentation's table are made from it. A flag wins over its environment variable
(``--sweep-interval``: ``ESM_OPERATOR_SWEEP_INTERVAL``). An unknown variable with that prefix is an error.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from esm_operator.api import limits

PREFIX = "ESM_OPERATOR_"
#: The variables that Kubernetes sets in a pod for a Service ``NAME`` of its namespace, after ``NAME`` in capitals:
#: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_HOST = "_SERVICE_HOST"
_SERVICE_VARIABLE = re.compile(
    rf"(.+?)({_SERVICE_HOST}|_SERVICE_PORT(_\w+)?|_PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)"
)
_DNS_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL_KEY = rf"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_LABEL}"
_LAST_PORT = 65535
#: One requirement of a label selector, with the comma behind it (Kubernetes, labels and selectors).
_REQUIREMENT = re.compile(
    rf"\s*({_LABEL_KEY}\s*(=|==|!=)\s*({_LABEL})?|{_LABEL_KEY}\s+(not)?in\s*\(\s*{_LABEL}(\s*,\s*{_LABEL})*\s*\)"
    rf"|!?\s*{_LABEL_KEY})\s*(,(?=.)|$)"
)


def items(value: str | Iterable[str]) -> list[str]:
    """``a,b`` (or several of it) as a list."""
    texts = [value] if isinstance(value, str) else value
    return [item.strip() for text in texts for item in text.split(",") if item.strip()]


def _pairs(value: str | list[str] | dict[str, str]) -> dict[str, str]:
    """``k=v,l=w`` (or several of it) as a mapping."""
    if isinstance(value, dict):
        return value
    texts = items(value)
    if not all("=" in text for text in texts):
        raise ValueError("write each as key=value, separated by commas")
    pairs = dict(text.split("=", 1) for text in texts)
    reserved = sorted(key for key in pairs if key.lower().startswith(("aws:", "esm-operator.io/")))
    if reserved:
        raise ValueError(f"{', '.join(reserved)}: keys that begin with aws: or esm-operator.io/ are reserved")
    return pairs


def matches(pattern: str, problem: str, *, empty: bool = True) -> Callable[[str], str]:
    """A validator of texts that a pattern matches as a whole, and of the empty text if ``empty``.

    ``{}`` in ``problem`` is replaced by the text.
    """

    def check(text: str) -> str:
        if not (empty and not text) and not re.fullmatch(pattern, text):
            raise ValueError(problem.format(text))
        return text

    return check


def each(check: Callable[[str], str]) -> AfterValidator:
    """A validator of the items of a list."""
    return AfterValidator(lambda texts: [check(text) for text in cast("list[str]", texts)])


#: A list whose items are separated by commas, or repeated.
Items = Annotated[list[str], NoDecode, BeforeValidator(items)]
known_region = matches(limits.REGION_PATTERN, "`{}` is not an AWS region such as eu-west-1")
Region = Annotated[str, AfterValidator(known_region)]
#: The address of AWS's APIs.
Endpoint = Annotated[
    str, AfterValidator(matches(r"https?://[^/]+.*", "`{}` is no URL such as https://lambda.example.com"))
]
#: What AWS takes in a tag's value (AWS Lambda API, TagResource), except the slash, which separates the parts of owners.
_is_tag_value = matches(
    r"[\w .:=+\-@]+",
    "`{}` can't stand in a tag at AWS: use letters, digits, spaces and _ . : = + - @ only (no /)",
    empty=False,
)
_is_namespace = matches(
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    "`{}` is no name of a namespace: lower case letters, digits and - make one",
)


def _selector(text: str) -> str:
    """A label selector that the API server takes."""
    rest = text.strip()
    while rest:
        requirement = _REQUIREMENT.match(rest)
        if requirement is None:
            raise ValueError(
                f"`{rest}` is no label selector. Write requirements such as key=value, key!=value, key in (a, b), "
                "key notin (a, b), key or !key, separated by commas"
            )
        rest = rest[requirement.end() :]
    return text.strip()


def _address(text: str) -> str:
    """``host:port``, or nothing."""
    _, colon, port = text.rpartition(":")
    if text and not (colon and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= _LAST_PORT):
        raise ValueError(
            f"`{text}` is no address. Write host:port, such as 0.0.0.0:8080, with a port up to {_LAST_PORT}"
        )
    return text


#: How commands take their settings.
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


def unknown_variables(fields: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Sentences about the variables of an environment that look like settings of the operator and are not.

    Variables that Kubernetes sets for a Service, such as ``ESM_OPERATOR_SERVICE_HOST``, are left out.
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
            f"Did you mean {PREFIX}{near[0]}? Rename it, or remove it."
            if near
            else "Correct it, or remove it. `esm-operator run --help` lists the flags, and each flag such as "
            f"--sweep-interval has a variable such as {PREFIX}SWEEP_INTERVAL."
        )
        problems.append(f"The environment variable {name} is unknown. {remedy}")
    return problems


def environment_region() -> str:
    """The AWS region that the environment names; empty: none."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


class Reach(BaseSettings):
    """Which cluster, and which part of AWS: the settings that all commands that read both have in common."""

    model_config = COMMAND_CONFIG

    cluster_name: Annotated[str, AfterValidator(_is_tag_value)] = Field(default="default", min_length=1, max_length=256)
    """Name of this cluster in the owner tags of its mappings. Two clusters on one AWS account need two
    names; it must survive a restore from backup."""

    region: Region = ""
    """AWS region of mappings whose resource, event source ARN and ProviderConfig name none. Default: the
    environment's AWS_REGION or AWS_DEFAULT_REGION."""

    endpoint_url: Endpoint = ""
    """URL at which Lambda, STS and the tagging API all answer, such as a proxy's or a test server's. VPC endpoints have
    one each: use their private DNS names, or set AWS_ENDPOINT_URL_LAMBDA and the like. Default: AWS's own, or
    AWS_ENDPOINT_URL."""

    ownership: Literal["tags", "resource-only"] = "tags"
    """Where the owner of a mapping is recorded, unless a ProviderConfig sets it: in tags of the mapping, or on the
    resource alone (`resource-only`), for regions in which AWS takes no tags on event source mappings."""

    namespaces: Annotated[Items, each(_is_namespace)] = Field(default_factory=list[str])
    """Namespaces to work in, by their full names, separated by commas or repeated. Default: all."""

    @property
    def owner_tags(self) -> bool:
        return self.ownership == "tags"

    def default_region(self) -> str:
        """The region of mappings that name none; empty: there is none."""
        return self.region or environment_region()


class Settings(Reach):
    """Run the operator until it is stopped."""

    selector: Annotated[str, AfterValidator(_selector)] = ""
    """Label selector of the resources to work on, as of kubectl: `team=shop,tier in (a, b)`. Default: all. With it
    several operators share a cluster; each resource must be selected by one of them only."""

    watch_namespace_labels: bool = True
    """Watch the labels of namespaces, which a ProviderConfig's namespaceSelector selects by. Without it the operator
    needs no right to list namespaces, and such a ProviderConfig admits none. It does not choose the namespaces to work
    in; `--namespaces` does."""

    default_tags: Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)] = Field(default_factory=dict[str, str])
    """Tags that every mapping gets where there is no ProviderConfig: key=value, repeated or separated by
    commas."""

    requests_per_second: float = Field(default=10.0, gt=0, le=1000)
    """Requests a second to AWS Lambda, for each account and region. AWS's quota is 15, shared with
    everything else that calls the Lambda API there."""

    kubernetes_requests_per_second: float = Field(default=100.0, ge=1, le=100_000)
    """Requests a second to the API server, beside the watches and those for the lease. One mapping that is made
    takes three writes and an Event."""

    deletions_per_minute: int = Field(default=300, ge=1, le=100_000)
    """Mappings that may be deleted at AWS in a minute; more wait for their turn, and say so."""

    sweep_interval: float = Field(default=60.0, ge=1, le=86400)
    """Seconds between two sweeps of all mappings while nothing happens."""

    tag_sweep_interval: float = Field(default=600.0, ge=1, le=86400)
    """Seconds between two looks at the tags of all mappings, by the resource groups tagging API."""

    lease_name: str = Field(default="esm-operator", pattern=_DNS_NAME, max_length=253)
    """Name of the Lease by which, of several operators, one works and the others stand by. Operators that work
    in different namespaces of one cluster, or on different labels, need different names."""

    lease_namespace: str = Field(default="", pattern=rf"^$|{_DNS_NAME}", max_length=63)
    """Namespace of the Lease. Default: that of the operator's own pod; outside of a pod, `default`."""

    identity: str = Field(default="", max_length=253)
    """Holder identity in the Lease. It must be unique among running replicas. A restarted process should keep it, so
    that it regains the Lease immediately. Default: the environment's POD_NAME and POD_UID, as the chart sets them; else
    the host name with a random suffix."""

    lease_duration: float = Field(default=20.0, ge=10, le=600)
    """Seconds after which another operator takes over from one that died. It is renewed every 2 s, and no write
    begins in its last 7 s."""

    probe_address: Annotated[str, AfterValidator(_address)] = "0.0.0.0:8080"
    """Address of the HTTP probes /healthz and /readyz, and of /metrics, as host:port; empty: none."""

    metrics_per_mapping: bool = False
    """Expose metrics of each mapping too: three series more for each."""

    log_format: Literal["text", "json"] = "text"
    """How log lines look."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log lines that are written."""

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
