"""Reads the service, operation, account, region and members of a call from an HTTP request.

The account comes from the access key, as in moto: keys that IAM or STS of moto created belong to their account. In
addition, an access key of twelve digits means that account, so a test can have any number of accounts. The region comes
from the scope of the signature. Signatures are not checked.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

from . import model
from .arns import DEFAULT_ACCOUNT, DEFAULT_REGION
from .errors import AwsError

TAGGING_TARGET = "ResourceGroupsTaggingAPI_20170126"

# Members that have another name in the query string, or are not strings.
_QUERY_NAMES = {"tagKeys": "TagKeys"}
_QUERY_LISTS = frozenset({"TagKeys"})
_QUERY_NUMBERS = frozenset({"MaxItems"})

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Call:
    """A request as operations, faults, counts and the log see it."""

    service: str
    operation: str
    account: str
    region: str
    members: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    account: str
    region: str
    service: str


def caller_of(headers: Mapping[str, str]) -> Caller:
    match = _CREDENTIAL.search(headers.get("Authorization", ""))
    if match is None:
        return Caller(DEFAULT_ACCOUNT, DEFAULT_REGION, "unsigned")
    access_key, region, service = match.groups()
    return Caller(_account_of(access_key), region, service)


def _account_of(access_key: str) -> str:
    if re.fullmatch(r"\d{12}", access_key):
        return access_key
    if "moto.iam.models" not in sys.modules:  # no request has created a key
        return DEFAULT_ACCOUNT
    from moto.iam.models import get_account_id_from

    return get_account_id_from(access_key)


def call_of(caller: Caller, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Read a request. Requests to other services get a name too, for faults and counts."""
    if caller.service == "lambda":
        return _lambda_call(caller, method, raw_path, body)
    operation, members = _other(method, headers, body)
    return Call(caller.service, operation, caller.account, caller.region, members)


def _lambda_call(caller: Caller, method: str, raw_path: str, body: bytes) -> Call:
    path, _, raw_query = raw_path.partition("?")
    found = model.operation_of(method, path)
    if found is None:
        return Call("lambda", f"{method} {path}", caller.account, caller.region, {})
    operation, in_path = found
    members: dict[str, Any] = dict(in_path)
    query = parse_qs(raw_query, keep_blank_values=True)
    for name, values in query.items():
        name = _QUERY_NAMES.get(name, name)
        members[name] = values if name in _QUERY_LISTS else _number(values[0], name)
    if "EventSourceMapping" in operation or operation == "TagResource":
        members.update(_json(body))
    known = model.members(operation)
    return Call(
        "lambda",
        operation,
        caller.account,
        caller.region,
        {name: value for name, value in members.items() if name in known and value is not None},
    )


def _number(text: str, name: str) -> Any:
    return int(text) if name in _QUERY_NUMBERS and text.isdigit() else text


def _json(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        parsed: Any = json.loads(body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise AwsError("SerializationException", "Could not parse request body into json.")
    return cast(dict[str, Any], parsed)


def _other(method: str, headers: Mapping[str, str], body: bytes) -> tuple[str, dict[str, Any]]:
    target = headers.get("X-Amz-Target")
    if target:
        members = _json(body) if target.startswith(TAGGING_TARGET) else {}
        return target.rpartition(".")[2], members
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body.decode(errors="replace"))
        return form.get("Action", [method])[0], {name: values[0] for name, values in form.items()}
    return method, {}
