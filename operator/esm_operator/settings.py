"""The operator's settings: one table, from flags and environment variables.

``esm-operator run --help`` and the documentation's table are made from it. A flag wins over its
environment variable (``--sweep-interval``: ``ESM_OPERATOR_SWEEP_INTERVAL``).
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "ESM_OPERATOR_"


def _items(value: Any) -> Any:
    """``a,b`` (or several of it) as a list."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return [item.strip() for text in texts for item in text.split(",") if item.strip()]
    return value


def _pairs(value: Any) -> Any:
    """``k=v,l=w`` (or several of it) as a mapping."""
    if isinstance(value, dict):
        return value
    items = _items(value)
    if isinstance(items, list) and not all("=" in item for item in items):
        raise ValueError("write each as key=value, separated by commas")
    pairs = dict(item.split("=", 1) for item in items)
    reserved = sorted(key for key in pairs if key.lower().startswith(("aws:", "esm-operator.io/")))
    if reserved:
        raise ValueError(f"{', '.join(reserved)}: keys that begin with aws: or esm-operator.io/ are reserved")
    return pairs


class Settings(BaseSettings):
    """Run the operator until it is stopped."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_prog_name="esm-operator run",
        cli_hide_none_type=True,
        cli_avoid_json=True,
        use_attribute_docstrings=True,
        extra="ignore",
        frozen=True,
    )

    cluster_name: str = Field(default="default", min_length=1, max_length=256, pattern=r"^[^/]+$")
    """Name of this cluster in the owner tags of its mappings. Two clusters on one AWS account need two
    names; it must survive a restore from backup."""

    region: str = ""
    """AWS region of mappings whose resource, event source ARN and ProviderConfig name none. Default: the
    environment's AWS_REGION or AWS_DEFAULT_REGION."""

    endpoint_url: str = Field(default="", pattern=r"^(https?://[^/]+.*)?$")
    """URL of the AWS endpoints, for a private or a test endpoint. Default: AWS's own, or AWS_ENDPOINT_URL."""

    default_tags: Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)] = Field(default_factory=dict[str, str])
    """Tags that every mapping gets where there is no ProviderConfig: key=value, repeated or separated by
    commas."""

    namespaces: Annotated[list[str], NoDecode, BeforeValidator(_items)] = Field(default_factory=list[str])
    """Namespaces to work in, by their full names, separated by commas or repeated. Default: all."""

    requests_per_second: float = Field(default=10.0, gt=0, le=1000)
    """Requests a second to AWS Lambda, for each account and region. AWS's quota is 15, shared with
    everything else that calls the Lambda API there."""

    sweep_interval: float = Field(default=60.0, ge=1, le=86400)
    """Seconds between two sweeps of all mappings while nothing happens."""

    probe_address: str = Field(default="0.0.0.0:8080", pattern=r"^(.*:\d{1,5})?$")
    """Address of the HTTP probes /healthz and /readyz, as host:port; empty: none."""

    log_format: Literal["text", "json"] = "text"
    """How log lines look."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log lines that are written."""


def table() -> str:
    """The settings as a Markdown table, for the documentation."""
    rows = ["| flag | environment variable | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = f"`{default}`" if default not in ("", {}, []) else ""
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `--{name.replace('_', '-')}` | `{PREFIX}{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(rows)
