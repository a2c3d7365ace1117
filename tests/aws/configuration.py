"""The configuration of a mapping: the defaults of a Create, and the changes of an Update.

A member that an Update leaves out stays unchanged. Some members have a value that restores AWS's default. Both are
tables in this module. `validation` and `rules` refuse requests, this module does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from .settings import DestinationReset, Settings
from .sources import CONSUMER_GROUP, FILLED_IN, POLLERS, Source

Config = dict[str, Any]

# Members of a request that do not belong to the configuration.
_ELSEWHERE = frozenset({"UUID", "FunctionName", "Enabled", "Tags"})

# Values that restore the default of AWS.
RESETS: dict[str, Callable[[Any], bool]] = {
    "FilterCriteria": lambda value: not value.get("Filters"),
    "ScalingConfig": lambda value: value.get("MaximumConcurrency") is None,
    "ProvisionedPollerConfig": lambda value: not value,
    "MetricsConfig": lambda value: not value.get("Metrics"),
    "KMSKeyArn": lambda value: value == "",
    "FunctionResponseTypes": lambda value: value == [],
    "SourceAccessConfigurations": lambda value: value == [],
    "DestinationConfig": lambda value: value.get("OnFailure", {}).get("Destination") == "",
}
_STANDARD = Settings()


def created(source: Source, uuid: str, parameters: Mapping[str, Any]) -> Config:
    """The configuration of a new mapping: the members of the request, and AWS's defaults for the others."""
    config: Config = deepcopy(dict(FILLED_IN[source].members))
    if consumption_mode(parameters) == "Queue":
        del config["StartingPosition"]
        config["MaximumRetryAttempts"] = 0
    if source in CONSUMER_GROUP:
        config[CONSUMER_GROUP[source]] = {"ConsumerGroupId": uuid}
    if "DocumentDBEventSourceConfig" in parameters:
        config["DocumentDBEventSourceConfig"] = {"FullDocument": "Default"}
    return updated(source, config, parameters)


def updated(source: Source, config: Config, parameters: Mapping[str, Any], settings: Settings = _STANDARD) -> Config:
    """The configuration after an Update. Settings decide which values reset a member if AWS's behaviour is unknown."""
    config = deepcopy(config)
    for member, value in parameters.items():
        if member in _ELSEWHERE or value is None:
            continue
        if _resets(member, value, settings):
            _put_back(source, config, member)
        elif member in ("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"):
            config[member] = _kafka(config.get(member, {}), value, settings.empty_resets)
        elif member == "LoggingConfig" and not value:
            if settings.empty_resets:
                config.pop(member, None)
        else:
            config[member] = _VALUES.get(member, _as_asked)(source, config.get(member), deepcopy(value))
    return config


def consumption_mode(config: Mapping[str, Any]) -> str | None:
    return config.get("SelfManagedKafkaEventSourceConfig", {}).get("ConsumptionMode")


def _resets(member: str, value: Any, settings: Settings) -> bool:
    if member == "DestinationConfig" and settings.destination_reset is DestinationReset.EMPTY_STRUCTURE:
        return not value
    reset = RESETS.get(member)
    return reset is not None and reset(value)


def _put_back(source: Source, config: Config, member: str) -> None:
    kept = _virtual_hosts(config.get(member)) if member == "SourceAccessConfigurations" else None
    if kept:
        config[member] = kept
    elif member in FILLED_IN[source].members:
        config[member] = deepcopy(FILLED_IN[source].members[member])
    else:
        config.pop(member, None)


def _kafka(before: Config, asked: Config, empty_resets: bool) -> Config:
    config = {**before, **deepcopy(asked)}
    if "SchemaRegistryConfig" in asked and not asked["SchemaRegistryConfig"]:
        config.pop("SchemaRegistryConfig")
        if not empty_resets and "SchemaRegistryConfig" in before:
            config["SchemaRegistryConfig"] = before["SchemaRegistryConfig"]
    return config


def _virtual_hosts(entries: list[dict[str, str]] | None) -> list[dict[str, str]]:
    return [entry for entry in entries or [] if entry.get("Type") == "VIRTUAL_HOST"]


def _as_asked(_source: Source, _before: Any, value: Any) -> Any:
    return value


def _pollers(source: Source, _before: Any, value: Config) -> Config:
    limits = POLLERS.get(source)
    if limits is None:
        return value
    minimum = value.get("MinimumPollers", limits.lowest)
    return {"MinimumPollers": minimum, "MaximumPollers": max(limits.default_maximum, minimum), **value}


def _access(_source: Source, before: Any, value: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep the virtual host, because Update cannot name it. AWS returns the entries in its own order."""
    entries = value if _virtual_hosts(value) else value + _virtual_hosts(before)
    return sorted(entries, key=lambda entry: (entry.get("Type", ""), entry.get("URI", "")))


def _destination(source: Source, before: Any, value: Config) -> Any:
    return value or before or deepcopy(FILLED_IN[source].members.get("DestinationConfig", {}))


def _endpoints(_source: Source, _before: Any, value: Config) -> Config:
    return {"Endpoints": {kind: sorted(servers) for kind, servers in value.get("Endpoints", {}).items()}}


def _document_db(_source: Source, before: Any, value: Config) -> Config:
    return {**(before or {}), **value}


_VALUES: dict[str, Callable[[Source, Any, Any], Any]] = {
    "ProvisionedPollerConfig": _pollers,
    "SourceAccessConfigurations": _access,
    "DestinationConfig": _destination,
    "SelfManagedEventSource": _endpoints,
    "DocumentDBEventSourceConfig": _document_db,
}
