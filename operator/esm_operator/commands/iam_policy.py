"""The command ``esm-operator iam-policy``."""

import json
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from esm_operator import terminal
from esm_operator.api.manifests import ManifestError
from esm_operator.commands import iam_permissions as iam
from esm_operator.commands.iam_provider_config import restrictions
from esm_operator.settings import COMMAND_CONFIG, FlagsOnly, Items, each

_EKS_PROVIDER = re.compile(r"oidc\.eks\.(?P<region>[a-z0-9-]+)\.")
_PROVIDER_ARN = re.compile(rf"arn:{iam.PARTITION}:iam::\d{{12}}:oidc-provider/(?P<provider>.+)")


_is_provider = iam.like(
    r"(?a:[a-z0-9.-]+\.[a-z0-9-]+(/[\w./-]+)?)",
    "an OIDC provider such as https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF; "
    "`aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer` prints it",
)


def _provider(text: str) -> str:
    """The OIDC provider without https://, or its ARN."""
    if _PROVIDER_ARN.fullmatch(text):
        return text
    provider = _is_provider(text.removeprefix("https://").rstrip("/"))
    eks = _EKS_PROVIDER.match(provider)
    if eks:
        iam.is_region(eks["region"])
    return provider


_is_eks_cluster = iam.like(
    rf"(?a:arn:{iam.PARTITION}:eks:[a-z0-9-]+:\d{{12}}:cluster/[\w-]+)",
    "the ARN of an EKS cluster such as arn:aws:eks:eu-west-1:123456789012:cluster/blue",
)
_is_external_id = iam.like(r"[\w+=,.@:/-]{2,1224}", "an external id: 2 to 1224 letters, digits or + = , . @ : / - _")
_is_service_account = iam.like(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "the name of a ServiceAccount")
_is_namespace = iam.like(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a namespace")

#: The flags that each kind of trust policy uses. Other flags are for permissions. Account and partition are for both.
_TRUST_FLAGS = {
    "irsa": ("oidc_provider", "namespace", "service_account"),
    "pod-identity": ("eks_cluster_arn", "namespace", "service_account"),
    "role": ("trusted_roles", "external_id", "session_tags"),
}
_OF_BOTH = ("trust", "account", "partition")
_ONLY_OF_TRUST = frozenset[str]().union(*_TRUST_FLAGS.values()) - {"session_tags"}


class IamPolicy(iam.Scope, FlagsOnly):
    """Print the least IAM policy that the operator needs, as JSON.

    Without flags, the policy allows all actions of the operator in all regions of its account. With --trust, the
    command prints a trust policy, which states who can assume a role. The command sends no requests.
    """

    model_config = COMMAND_CONFIG

    provider_config: str = ""
    """File with a ProviderConfig, or - for standard input. The policy allows only its allowedFunctions and
    allowedRegions. The name of a namespace becomes `*`, because IAM does not know namespaces."""

    trust: Literal["irsa", "pod-identity", "role"] | None = None
    """Print a trust policy: for the role of the operator with IAM roles for service accounts (irsa) or with EKS Pod
    Identity (pod-identity), or for a role that the operator assumes (role), usually in another account."""

    oidc_provider: Annotated[str, AfterValidator(_provider)] = ""
    """OIDC provider of the cluster, as URL or ARN, for --trust irsa."""

    eks_cluster_arn: Annotated[str, AfterValidator(_is_eks_cluster)] = ""
    """ARN of the cluster whose pods can assume the role, for --trust pod-identity. Default: all clusters."""

    namespace: Annotated[str, AfterValidator(_is_namespace)] = "esm-operator"
    """Namespace of the operator, for --trust irsa and pod-identity."""

    service_account: Annotated[str, AfterValidator(_is_service_account)] = "esm-operator"
    """ServiceAccount of the operator, for --trust irsa and pod-identity."""

    trusted_roles: Annotated[Items, each(iam.is_role)] = Field(default_factory=list[str])
    """ARNs of the operators' own roles, for --trust role."""

    external_id: Annotated[str, AfterValidator(_is_external_id)] = ""
    """External ID that the ProviderConfig has in spec.externalID, for --trust role."""

    def cli_cmd(self) -> None:
        problem = self.problem()
        if problem:
            terminal.stop(problem, 2)
        document = self._restricted().document()
        terminal.put(json.dumps(document, indent=2))
        most = iam.MOST_TRUST_CHARACTERS if self.trust else iam.MOST_CHARACTERS
        length = len(re.sub(r"\s", "", json.dumps(document)))
        if length > most:
            terminal.say(
                f"The policy has {length} characters. IAM accepts at most {most}, unless AWS has raised "
                "the quota. Use wildcards, or several roles."
            )

    def _restricted(self) -> Self:
        """The flags with the restrictions of the ProviderConfig. Exits if they cannot be combined."""
        if not self.provider_config:
            return self
        try:
            update = restrictions(self.provider_config, read_only=self.read_only)
            twice = [name for name in ("functions", "regions") if name in update and name in self.model_fields_set]
            if twice:
                problem = f"The ProviderConfig sets this already, so {_flag(twice[0])} cannot be set too. Remove it."
                raise ManifestError(0, problem)
            copy = self.model_copy(update={**update, **self.model_dump(include=self.model_fields_set)})
            if problem := copy.problem():
                raise ManifestError(0, problem)
        except ManifestError as error:
            terminal.stop(f"{self.provider_config}: {error}", 2)
        return copy

    def problem(self) -> str:
        """Why the flags cannot be combined, as a sentence with its remedy; empty if they can."""
        given = [name for name in type(self).model_fields if name in self.model_fields_set]
        for name in given:
            homes = [kind for kind, flags in _TRUST_FLAGS.items() if name in flags]
            if name not in _OF_BOTH and (self.trust not in homes if self.trust else name in _ONLY_OF_TRUST):
                home = f"--trust {' and '.join(homes)}" if homes else "permissions policies, not for --trust"
                return f"{_flag(name)} is only for {home}."
        needs_roles = {"own_account", "assume_roles", "session_tags", *_OF_BOTH}
        useless = [] if self.own_account else [_flag(name) for name in given if name not in needs_roles]
        partitions = {iam.partition_of(region) for region in self.regions} | ({self.partition} - {""})
        all_or_none = "restricts changes, and --read-only allows none. IAM cannot restrict which mappings are listed."
        problems = (
            (
                self.trust == "irsa" and not self.oidc_provider,
                "--trust irsa needs --oidc-provider. `aws eks describe-cluster --name CLUSTER --query "
                "cluster.identity.oidc.issuer` prints the value.",
            ),
            (
                self.trust == "irsa" and not (self.account or _PROVIDER_ARN.fullmatch(self.oidc_provider)),
                "--trust irsa needs --account, or the ARN of the OIDC provider.",
            ),
            (
                self.trust == "role" and not self.trusted_roles,
                "--trust role needs --trusted-roles, the ARN of the operator's own role.",
            ),
            (self.read_only and self.functions, f"--functions {all_or_none}"),
            (self.read_only and self.cluster_name, f"--cluster-name {all_or_none}"),
            (
                self.takeover_from_clusters and not self.cluster_name,
                "--takeover-from-clusters needs --cluster-name. Without --cluster-name, the policy allows changes of "
                "all mappings.",
            ),
            (
                self.cluster_name in self.takeover_from_clusters,
                "--takeover-from-clusters contains the cluster of --cluster-name. Name only other clusters.",
            ),
            (
                self.ownership == "resource-only" and self.cluster_name,
                "--cluster-name restricts changes by tags. With --ownership resource-only, mappings have no owner "
                "tags.",
            ),
            (
                not self.own_account and not self.assume_roles,
                "--no-own-account needs --assume-roles. Otherwise the policy allows nothing.",
            ),
            (
                useless,
                f"{''.join(useless[:1])} restricts the operator's own role. --no-own-account leaves this role out.",
            ),
            (
                self.session_tags and not self.trust and not self.assume_roles,
                "--session-tags needs --assume-roles.",
            ),
            (
                len(partitions) > 1,
                f"--regions and --partition are in several partitions ({', '.join(sorted(partitions))}). Print one "
                "policy for each partition.",
            ),
        )
        return next((sentence for wrong, sentence in problems if wrong), "")

    def document(self) -> iam.Document:
        """The policy. :meth:`problem` must be empty."""
        match self.trust:
            case "irsa":
                statements = [self._irsa()]
            case "pod-identity":
                statements = [self._pod_identity()]
            case "role":
                statements = self._role()
            case None:
                return iam.permissions(self)
        return {"Version": iam.VERSION, "Statement": statements}

    def _irsa(self) -> iam.Document:
        """Trust one ServiceAccount, with IAM roles for service accounts (Amazon EKS User Guide)."""
        provider, eks = self.oidc_provider, _EKS_PROVIDER.match(self.oidc_provider)
        partition = self.partition or (iam.partition_of(eks["region"]) if eks else "aws")
        arn = f"arn:{partition}:iam::{self.account}:oidc-provider/{provider}"
        given = _PROVIDER_ARN.fullmatch(provider)
        if given:
            arn, provider = provider, given["provider"]
        subject = f"system:serviceaccount:{self.namespace}:{self.service_account}"
        equals = {f"{provider}:aud": "sts.amazonaws.com", f"{provider}:sub": subject}
        return _statement("ServiceAccount", {"Federated": arn}, "sts:AssumeRoleWithWebIdentity", equals)

    def _pod_identity(self) -> iam.Document:
        """Trust one ServiceAccount, with EKS Pod Identity (Amazon EKS User Guide)."""
        tags = {
            "aws:RequestTag/kubernetes-namespace": self.namespace,
            "aws:RequestTag/kubernetes-service-account": self.service_account,
            "aws:RequestTag/eks-cluster-arn": self.eks_cluster_arn,
            "aws:SourceAccount": self.account,
        }
        actions = ["sts:AssumeRole", "sts:TagSession"]
        return _statement("ServiceAccount", {"Service": "pods.eks.amazonaws.com"}, actions, tags)

    def _role(self) -> list[iam.Document]:
        """Trust the roles of operators, in a role that a ProviderConfig names."""
        roles = {"AWS": iam.one_or_all(self.trusted_roles)}
        assume = _statement("Operator", roles, "sts:AssumeRole", {"sts:ExternalId": self.external_id})
        # This is a separate statement, because sts:TagSession does not have the condition key sts:ExternalId.
        tag = _statement("SessionTags", roles, "sts:TagSession", {})
        return [assume, tag] if self.session_tags else [assume]


def _statement(sid: str, principal: iam.Document, action: str | list[str], equals: dict[str, str]) -> iam.Document:
    """A statement of a trust policy. Conditions with an empty value are left out."""
    given = {key: value for key, value in equals.items() if value}
    statement: iam.Document = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action}
    return {**statement, "Condition": {"StringEquals": given}} if given else statement


def _flag(name: str) -> str:
    off = "no-" if name in ("tagging_api", "own_account") else ""
    return f"--{off}{name.replace('_', '-')}"
