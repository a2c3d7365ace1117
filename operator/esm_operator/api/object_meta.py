"""The metadata of a manifest, checked as the API server does when an object is created.

The rules are those of Kubernetes (``objectmeta.go`` in ``k8s.io/apimachinery/pkg/api/validation``). ``validate`` uses
them. The CRDs have none of them, because the API server itself checks the metadata of all kinds.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from esm_operator.api.models import Int64, PointInTime, Structure

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LONGEST_SUBDOMAIN, _LONGEST_LABEL, _LONGEST_ANNOTATIONS = 253, 63, 256 * 1024
_CHARACTERS = "letters, digits, '-', '_' and '.', with a letter or digit first and last"


def _is_subdomain(text: str) -> bool:
    return len(text) <= _LONGEST_SUBDOMAIN and bool(_SUBDOMAIN.fullmatch(text))


def _name(text: str) -> str:
    if not _is_subdomain(text):
        raise ValueError(
            "must be lower-case letters, digits, '-' and '.', with a letter or digit before and after each '.', and at "
            f"most {_LONGEST_SUBDOMAIN} characters"
        )
    return text


def _name_prefix(text: str) -> str:
    if text:
        _name(f"{text[:-1]}a" if text.endswith("-") else text)
    return text


def _namespace(text: str) -> str:
    if text and not (len(text) <= _LONGEST_LABEL and re.fullmatch(_LABEL, text)):
        raise ValueError(f"must be lower-case letters, digits and '-', and at most {_LONGEST_LABEL} characters")
    return text


def _problem_of_key(key: str) -> str:
    """Why a text is not the key of a label or an annotation; empty if it is."""
    prefix, slash, name = key.rpartition("/")
    if slash and not _is_subdomain(prefix):
        return f"the prefix of the key {key} must be a DNS name"
    if not (len(name) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(name)):
        return f"the key {key} must be {_CHARACTERS}, and at most {_LONGEST_LABEL} characters after the '/'"
    return ""


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if problem := _problem_of_key(key):
            raise ValueError(problem)
        if value and not (len(value) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(value)):
            raise ValueError(f"the value of {key} must be {_CHARACTERS}, and at most {_LONGEST_LABEL} characters")
    return labels


def _annotations(annotations: dict[str, str]) -> dict[str, str]:
    for key in annotations:
        if problem := _problem_of_key(key.lower()):
            raise ValueError(problem)
    if sum(len(text.encode()) for pair in annotations.items() for text in pair) > _LONGEST_ANNOTATIONS:
        raise ValueError(f"all annotations together can have at most {_LONGEST_ANNOTATIONS:,} bytes")
    return annotations


def _finalizers(finalizers: list[str]) -> list[str]:
    for finalizer in finalizers:
        if problem := _problem_of_key(finalizer):
            raise ValueError(problem)
    return finalizers


class _OwnerReference(Structure):
    """An owner, for the garbage collection of Kubernetes."""

    api_version: Annotated[str, Field(min_length=1)]
    kind: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    uid: Annotated[str, Field(min_length=1)]
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Structure):
    """The fields of ``metadata``. Those that only the API server sets are ignored in a manifest."""

    name: Annotated[str, AfterValidator(_name)] | None = None
    generate_name: Annotated[str, AfterValidator(_name_prefix)] | None = None
    namespace: Annotated[str, AfterValidator(_namespace)] | None = None
    labels: Annotated[dict[str, str], AfterValidator(_labels)] | None = None
    annotations: Annotated[dict[str, str], AfterValidator(_annotations)] | None = None
    finalizers: Annotated[list[str], AfterValidator(_finalizers)] | None = None
    owner_references: list[_OwnerReference] | None = None
    self_link: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: Int64 | None = None
    creation_timestamp: PointInTime | None = None
    deletion_timestamp: PointInTime | None = None
    deletion_grace_period_seconds: Int64 | None = None
    managed_fields: list[Mapping[str, Any]] | None = None


def missing_name(metadata: Mapping[str, Any]) -> Iterator[str]:
    """The problem if an object has no name."""
    if not metadata.get("name") and not metadata.get("generateName"):
        yield "Required value: a resource needs a name."
