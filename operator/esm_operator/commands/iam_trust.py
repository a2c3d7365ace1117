"""Trust policies: who may work as the operator's role, or as a role in another account.

Pure; called by the command. IRSA and EKS Pod Identity as the Amazon EKS User Guide has them, with conditions that
admit one ServiceAccount only.
"""

from collections.abc import Sequence

from esm_operator.commands.iam_permissions import VERSION, Document

#: Whom the tokens of EKS's ServiceAccounts are for.
_AUDIENCE = "sts.amazonaws.com"
_POD_IDENTITY = "pods.eks.amazonaws.com"
_TAG = "aws:RequestTag"


def irsa(provider: str, *, partition: str, account: str, namespace: str, service_account: str) -> Document:
    """Of the operator's role, by IAM roles for service accounts.

    Args:
        provider: the cluster's OIDC provider, without ``https://``.
        partition: that of the account.
        account: where the provider is known to IAM; twelve digits.
        namespace: the operator's.
        service_account: the operator's.
    """
    return _document(
        {
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:{partition}:iam::{account}:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{provider}:aud": _AUDIENCE,
                    f"{provider}:sub": f"system:serviceaccount:{namespace}:{service_account}",
                }
            },
        }
    )


def pod_identity(*, namespace: str, service_account: str, cluster_arn: str, account: str) -> Document:
    """Of the operator's role, by EKS Pod Identity.

    Args:
        namespace: the operator's.
        service_account: the operator's.
        cluster_arn: of the EKS cluster; empty: any.
        account: of the EKS cluster; empty: any.
    """
    tags = {
        f"{_TAG}/kubernetes-namespace": namespace,
        f"{_TAG}/kubernetes-service-account": service_account,
        f"{_TAG}/eks-cluster-arn": cluster_arn,
        "aws:SourceAccount": account,
    }
    return _document(
        {
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Service": _POD_IDENTITY},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {key: value for key, value in tags.items() if value}},
        }
    )


def other_account(operators: Sequence[str], *, external_id: str, session_tags: bool) -> Document:
    """Of a role that a ProviderConfig names, mostly in another account.

    Args:
        operators: ARNs of the operators' own roles.
        external_id: what the ProviderConfig's externalID says; empty: nothing.
        session_tags: whether the operators' sessions have tags that go along (EKS Pod Identity).
    """
    principal = {"AWS": operators[0] if len(operators) == 1 else list(operators)}
    assume: Document = {"Sid": "Operator", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if external_id:
        assume["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    # Apart, for sts:TagSession does not know sts:ExternalId; by itself it allows nothing.
    tag: Document = {"Sid": "SessionTags", "Effect": "Allow", "Principal": principal, "Action": "sts:TagSession"}
    return _document(assume, *([tag] if session_tags else []))


def _document(*statements: Document) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
