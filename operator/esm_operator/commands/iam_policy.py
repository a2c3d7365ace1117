"""The command ``esm-operator iam-policy``."""

import json
import re
import sys
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from esm_operator.commands import iam_permissions as iam
from esm_operator.settings import Items, each

_EKS_PROVIDER = re.compile(r"oidc\.eks\.(?P<region>[a-z0-9-]+)\.")
_PROVIDER_ARN = re.compile(rf"arn:{iam.PARTITION}:iam::\d{{12}}:oidc-provider/(?P<provider>.+)")


_is_provider = iam.like(
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
        iam.is_region(eks["region"])
    return provider


_is_eks_cluster = iam.like(
    rf"(?a:arn:{iam.PARTITION}:eks:[a-z0-9-]+:\d{{12}}:cluster/[\w-]+)",
    "the ARN of an EKS cluster such as arn:aws:eks:eu-west-1:123456789012:cluster/blue",
)
_is_external_id = iam.like(r"[\w+=,.@:/-]{2,1224}", "an external id: 2 to 1224 letters, digits or + = , . @ : / - _")
_is_service_account = iam.like(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "the name of a ServiceAccount")
_is_namespace = iam.like(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a namespace")

#: The flags that a trust policy is made of; the others are of permissions. Account and partition are of both.
_TRUST_FLAGS = {
    "irsa": ("oidc_provider", "namespace", "service_account"),
    "pod-identity": ("eks_cluster_arn", "namespace", "service_account"),
    "role": ("trusted_roles", "external_id", "session_tags"),
}
_OF_BOTH = ("trust", "account", "partition")
_ONLY_OF_TRUST = frozenset[str]().union(*_TRUST_FLAGS.values()) - {"session_tags"}


class IamPolicy(iam.Scope):
    """Print the least IAM policy as JSON: what the operator may do at AWS, or, with --trust, who may work as its role.

    Without options: all that the operator does, in every region of the role's account.
    """

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

    trusted_roles: Annotated[Items, each(iam.is_role)] = Field(default_factory=list[str])
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
        most = iam.MOST_TRUST_CHARACTERS if self.trust else iam.MOST_CHARACTERS
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
        partitions = {iam.partition_of(region) for region in self.regions} | ({self.partition} - {""})
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

    def document(self) -> iam.Document:
        """The policy; there must be no problem."""
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
        """The trust by IAM roles for service accounts (Amazon EKS User Guide), of one ServiceAccount only."""
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
        """The trust by EKS Pod Identity (Amazon EKS User Guide), of one ServiceAccount only."""
        tags = {
            "aws:RequestTag/kubernetes-namespace": self.namespace,
            "aws:RequestTag/kubernetes-service-account": self.service_account,
            "aws:RequestTag/eks-cluster-arn": self.eks_cluster_arn,
            "aws:SourceAccount": self.account,
        }
        actions = ["sts:AssumeRole", "sts:TagSession"]
        return _statement("ServiceAccount", {"Service": "pods.eks.amazonaws.com"}, actions, tags)

    def _role(self) -> list[iam.Document]:
        """The trust of a role that a ProviderConfig names, usually in another account."""
        roles = {"AWS": iam.one_or_all(self.trusted_roles)}
        assume = _statement("Operator", roles, "sts:AssumeRole", {"sts:ExternalId": self.external_id})
        # A statement of its own, because sts:TagSession does not have the condition key sts:ExternalId.
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
