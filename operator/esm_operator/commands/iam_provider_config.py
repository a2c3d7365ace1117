"""The restrictions of a policy that a ProviderConfig in a file makes, as values of the flags of ``iam-policy``."""

from collections.abc import Mapping
from typing import Any

from esm_operator.api import manifests
from esm_operator.api.frozen_json import is_object
from esm_operator.api.manifests import ManifestError
from esm_operator.api.sources import parse_arn
from esm_operator.commands.iam_permissions import is_region
from esm_operator.commands.validate import refusals
from esm_operator.planning.allowed import NAMESPACE

_KIND = "ProviderConfig"


def restrictions(file: str, *, read_only: bool) -> dict[str, Any]:
    """The flags that restrict a policy to what a ProviderConfig allows. IAM has no condition for event sources.

    Args:
        file: the name of a file with one ProviderConfig; ``-`` is standard input.
        read_only: whether the policy allows no changes, so that functions do not restrict it.

    Raises:
        ManifestError: the file has no valid ProviderConfig, or several, or it allows no function.
    """
    spec = _spec(file)
    found: dict[str, Any] = {}
    functions: list[str] | None = spec.get("allowedFunctions")
    if functions is not None and not functions and not read_only:
        problem = "allowedFunctions is empty, so the operator may change no mapping. Use --read-only"
        raise ManifestError(0, f"{problem}, or add a pattern.")
    if functions and "*" not in functions and not read_only:
        # IAM does not know the namespace of a resource.
        found["functions"] = [pattern.replace(NAMESPACE, "*") for pattern in functions]
    if spec.get("allowedRegions"):
        found["regions"] = [_region(text) for text in spec["allowedRegions"]]
    role = parse_arn(spec.get("roleARN") or "")
    if role is not None:
        found |= {"account": role.account, "partition": str(spec["roleARN"]).split(":")[1]}
    return found


def _region(text: str) -> str:
    try:
        return is_region(text)
    except ValueError as error:
        raise ManifestError(0, f"spec.allowedRegions: {error}. Correct the region.") from None


def _spec(file: str) -> Mapping[str, Any]:
    values: list[Any] = [document.value for document in manifests.documents(manifests.read(file))]
    configs = [value for value in values if is_object(value) and value.get("kind") == _KIND]
    if len(configs) != 1:
        raise ManifestError(0, f"The file has {len(configs)} objects of the kind {_KIND}. It must have one.")
    for path, message in refusals(_KIND, configs[0]):
        field = ".".join(map(str, path))
        raise ManifestError(0, f"{field}: {message}")
    return configs[0]["spec"]
