"""The command ``esm-operator iam-policy``."""

import json
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Literal

from botocore.exceptions import UnknownRegionError
from botocore.session import get_session
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from esm_operator.commands import iam_permissions, iam_trust
from esm_operator.settings import Items, each, matches

_PARTITION = r"aws[a-z-]*"
_EKS_PROVIDER = re.compile(r"oidc\.eks\.(?P<region>[a-z0-9-]+)\.")
_PROVIDER_ARN = re.compile(
    rf"arn:(?P<partition>{_PARTITION}):iam::(?P<account>\d{{12}}):oidc-provider/(?P<provider>.+)"
)


def _like(pattern: str, what: str) -> Callable[[str], str]:
    return matches(pattern, f"{{}} is not {what}")


@cache
def _partition_of(region: str) -> str:
    """The partition that a region is in. Raises UnknownRegionError."""
    return str(get_session().get_partition_for_region(region))


def _region(text: str) -> str:
    try:
        _partition_of(text)
    except UnknownRegionError:
        raise ValueError(f"{text} is not an AWS region such as eu-west-1") from None
    return text


_is_provider = _like(
    r"(?a:[a-z0-9.-]+\.[a-z0-9-]+(/[\w./-]+)?)",
    "an OIDC provider; it is what `aws eks describe-cluster --query cluster.identity.oidc.issuer` prints, such as "
    "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF",
)


def _provider(text: str) -> str:
    """The OIDC provider as IAM writes it, or its ARN."""
    if _PROVIDER_ARN.fullmatch(text):
        return text
    provider = _is_provider(text.removeprefix("https://").rstrip("/"))
    eks = _EKS_PROVIDER.match(provider)
    if eks:
        _region(eks["region"])
    return provider


_is_role = _like(
    rf"arn:{_PARTITION}:iam::\d{{12}}:role/[\w+=,.@/-]+",
    "the ARN of an IAM role such as arn:aws:iam::222222222222:role/esm-operator",
)
_is_function = _like(
    rf"(?a:(arn:{_PARTITION}:lambda:[a-z0-9*-]+:(\d{{12}}|\*):function:)?[\w*?-]+(:(\$LATEST|[\w*?-]+))?)",
    "a function: its name, perhaps with * or an alias (name:alias), or the ARN of one",
)
_is_key = _like(
    rf"(?a:arn:{_PARTITION}:kms:[a-z0-9-]+:\d{{12}}:key/[\w*-]+)",
    "the ARN of a KMS key such as arn:aws:kms:eu-west-1:123456789012:key/1234abcd (no alias)",
)
_is_eks_cluster = _like(
    rf"(?a:arn:{_PARTITION}:eks:[a-z0-9-]+:\d{{12}}:cluster/[\w-]+)",
    "the ARN of an EKS cluster such as arn:aws:eks:eu-west-1:123456789012:cluster/blue",
)
_is_cluster_name = _like(r"[\w .:=+\-@]{1,256}", "a cluster name: letters, digits, spaces and . : = + - @ _")
_is_external_id = _like(r"[\w+=,.@:/-]{2,1224}", "an external id: 2 to 1224 letters, digits or + = , . @ : / - _")
_is_service_account = _like(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "the name of a ServiceAccount")
_is_namespace = _like(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a namespace")
_is_account = _like(r"\d{12}", "an AWS account: it has twelve digits")
_is_partition = _like(_PARTITION, "a partition such as aws, aws-cn or aws-us-gov")

#: The flags that a trust policy is made of; the others are of permissions. Account and partition are of both.
_TRUST_FLAGS = {
    "irsa": ("oidc_provider", "namespace", "service_account"),
    "pod-identity": ("eks_cluster_arn", "namespace", "service_account"),
    "role": ("trusted_roles", "external_id", "session_tags"),
}
_OF_BOTH = ("trust", "account", "partition")
_ONLY_OF_TRUST = frozenset().union(*_TRUST_FLAGS.values()) - {"session_tags"}


class IamPolicy(BaseModel):
    """Print the least IAM policy as JSON: what the operator may do at AWS, or, with --trust, who may work as its role.

    Without options: all that the operator does, in every region of the role's account.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    read_only: bool = False
    """Allow to look only: enough where every resource has managementPolicy Observe, and for `esm-operator orphans`."""

    tagging_api: bool = True
    """Allow tag:GetResources, by which tags that others change are seen in bulk; without it, slowly one by one."""

    ownership: Literal["tags", "resource-only"] = "tags"
    """Where the owner of a mapping is recorded, as --ownership of `esm-operator run` or the ownership of
    ProviderConfigs. With `resource-only` the operator calls nothing about tags."""

    cluster_name: Annotated[str, AfterValidator(_is_cluster_name)] = ""
    """Allow to change and delete only mappings that carry the owner tag of this cluster, as --cluster-name of
    `esm-operator run`, and to create none without it. Default: all mappings."""

    functions: Annotated[Items, each(_is_function)] = Field(default_factory=list[str])
    """Functions that mappings may be made for, changed and deleted: names, wildcards such as `orders-*`, or ARNs,
    separated by commas or repeated. Default: all."""

    regions: Annotated[Items, each(_region)] = Field(default_factory=list[str])
    """Regions to work in, separated by commas or repeated. Default: all."""

    account: Annotated[str, AfterValidator(_is_account)] = ""
    """The account, for the ARNs. Default: any, which for a role is its own."""

    partition: Annotated[str, AfterValidator(_is_partition)] = ""
    """The partition, for the ARNs. Default: that of --regions, else aws."""

    kms_keys: Annotated[Items, each(_is_key)] = Field(default_factory=list[str])
    """ARNs of the keys that resources name in spec.kmsKeyARN. Default: none is used."""

    assume_roles: Annotated[Items, each(_is_role)] = Field(default_factory=list[str])
    """ARNs of the roles that ProviderConfigs name in spec.roleARN: allow to assume them."""

    own_account: bool = True
    """Allow to work with the operator's own role. Without: only to assume --assume-roles."""

    session_tags: bool = False
    """The operator's role comes from EKS Pod Identity, whose session tags go along when it assumes another role:
    allow sts:TagSession too."""

    trust: Literal["irsa", "pod-identity", "role"] | None = None
    """Print the trust policy instead: of the operator's role by `irsa` or by EKS `pod-identity`; or of a `role` that
    the operator assumes, mostly in another account."""

    oidc_provider: Annotated[str, AfterValidator(_provider)] = ""
    """For --trust irsa: the cluster's OIDC provider, as URL or ARN."""

    eks_cluster_arn: Annotated[str, AfterValidator(_is_eks_cluster)] = ""
    """For --trust pod-identity: admit pods of this cluster only."""

    namespace: Annotated[str, AfterValidator(_is_namespace)] = "esm-operator"
    """For --trust irsa and pod-identity: the operator's namespace."""

    service_account: Annotated[str, AfterValidator(_is_service_account)] = "esm-operator"
    """For --trust irsa and pod-identity: the operator's ServiceAccount."""

    trusted_roles: Annotated[Items, each(_is_role)] = Field(default_factory=list[str])
    """For --trust role: ARNs of the operators' own roles."""

    external_id: Annotated[str, AfterValidator(_is_external_id)] = ""
    """For --trust role: what the ProviderConfig says in spec.externalID."""

    def cli_cmd(self) -> None:
        problem = self.problem()
        if problem:
            print(f"esm-operator: {problem}", file=sys.stderr)
            sys.exit(2)
        document = self.document()
        print(json.dumps(document, indent=2))
        most = iam_permissions.MOST_TRUST_CHARACTERS if self.trust else iam_permissions.MOST_CHARACTERS
        length = len(re.sub(r"\s", "", json.dumps(document)))
        if length > most:
            print(
                f"esm-operator: The policy has {length} characters; IAM takes {most}, unless a quota says else. Use "
                "wildcards, or several roles.",
                file=sys.stderr,
            )

    def problem(self) -> str:
        """Why flags do not go together, as a sentence with its remedy; empty: they do."""
        given = [name for name in type(self).model_fields if name in self.model_fields_set]
        for name in given:
            homes = [kind for kind, flags in _TRUST_FLAGS.items() if name in flags]
            if name not in _OF_BOTH and (self.trust not in homes if self.trust else name in _ONLY_OF_TRUST):
                home = f"--trust {' and '.join(homes)}" if homes else "permissions, not to --trust"
                return f"{_flag(name)} belongs to {home}."
        needs_roles = {"own_account", "assume_roles", "session_tags", *_OF_BOTH}
        useless = [] if self.own_account else [_flag(name) for name in given if name not in needs_roles]
        partitions = {_partition_of(region) for region in self.regions} | ({self.partition} - {""})
        all_or_none = "restricts changes, which --read-only leaves out: AWS lists all mappings or none."
        problems = (
            (
                self.trust == "irsa" and not self.oidc_provider,
                "--trust irsa needs --oidc-provider: what `aws eks describe-cluster --name CLUSTER --query "
                "cluster.identity.oidc.issuer` prints.",
            ),
            (
                self.trust == "irsa" and not (self.account or _PROVIDER_ARN.fullmatch(self.oidc_provider)),
                "--trust irsa needs --account, or the ARN of the OIDC provider.",
            ),
            (
                self.trust == "role" and not self.trusted_roles,
                "--trust role needs --trusted-roles: the ARN of the operator's own role.",
            ),
            (self.read_only and self.functions, f"--functions {all_or_none}"),
            (self.read_only and self.cluster_name, f"--cluster-name {all_or_none}"),
            (
                self.ownership == "resource-only" and self.cluster_name,
                "--cluster-name restricts changes by tags, which mappings have not with --ownership resource-only.",
            ),
            (
                not self.own_account and not self.assume_roles,
                "--no-own-account needs --assume-roles, else nothing is allowed.",
            ),
            (useless, f"{''.join(useless[:1])} restricts the operator's own role, which --no-own-account leaves out."),
            (
                self.session_tags and not self.trust and not self.assume_roles,
                "--session-tags is for assuming other roles: give --assume-roles.",
            ),
            (
                len(partitions) > 1,
                f"--regions and --partition lead to {' and '.join(sorted(partitions))}; print a policy for each.",
            ),
        )
        return next((sentence for wrong, sentence in problems if wrong), "")

    def document(self) -> iam_permissions.Document:
        """The policy; there must be no problem."""
        match self.trust:
            case "irsa":
                arn, eks = _PROVIDER_ARN.fullmatch(self.oidc_provider), _EKS_PROVIDER.match(self.oidc_provider)
                return iam_trust.irsa(
                    arn["provider"] if arn else self.oidc_provider,
                    partition=arn["partition"]
                    if arn
                    else self.partition or (_partition_of(eks["region"]) if eks else "aws"),
                    account=arn["account"] if arn else self.account,
                    namespace=self.namespace,
                    service_account=self.service_account,
                )
            case "pod-identity":
                return iam_trust.pod_identity(
                    namespace=self.namespace,
                    service_account=self.service_account,
                    cluster_arn=self.eks_cluster_arn,
                    account=self.account,
                )
            case "role":
                return iam_trust.other_account(
                    self.trusted_roles, external_id=self.external_id, session_tags=self.session_tags
                )
            case None:
                return iam_permissions.permissions(self._scope())

    def _scope(self) -> iam_permissions.Scope:
        partition = self.partition or (_partition_of(self.regions[0]) if self.regions else "aws")
        return iam_permissions.Scope(
            partition=partition,
            account=self.account,
            regions=self.regions,
            functions=self.functions,
            cluster_name=self.cluster_name,
            kms_keys=self.kms_keys,
            roles=self.assume_roles,
            read_only=self.read_only,
            tagging_api=self.tagging_api,
            owner_tags=self.ownership == "tags",
            own_account=self.own_account,
            session_tags=self.session_tags,
        )


def _flag(name: str) -> str:
    off = "no-" if name in ("tagging_api", "own_account") else ""
    return f"--{off}{name.replace('_', '-')}"
