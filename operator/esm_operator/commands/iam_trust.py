"""Trust policies of the operator's role, and of roles that it assumes.

IRSA and EKS Pod Identity are as in the Amazon EKS User Guide. Their conditions admit one ServiceAccount only.
"""

from collections.abc import Sequence

from esm_operator.commands.iam_permissions import VERSION, Document


def irsa(provider: str, *, partition: str, account: str, namespace: str, service_account: str) -> Document:
    """The trust policy for IAM roles for service accounts. The provider is without ``https://``."""
    return _document(
        {
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:{partition}:iam::{account}:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{provider}:aud": "sts.amazonaws.com",
                    f"{provider}:sub": f"system:serviceaccount:{namespace}:{service_account}",
                }
            },
        }
    )


def pod_identity(*, namespace: str, service_account: str, cluster_arn: str, account: str) -> Document:
    """The trust policy for EKS Pod Identity, of any EKS cluster or account if these are empty."""
    tags = {
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": service_account,
        "aws:RequestTag/eks-cluster-arn": cluster_arn,
        "aws:SourceAccount": account,
    }
    return _document(
        {
            "Sid": "ServiceAccount",
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {key: value for key, value in tags.items() if value}},
        }
    )


def other_account(operators: Sequence[str], *, external_id: str, session_tags: bool) -> Document:
    """The trust policy of a role that a ProviderConfig names, usually in another account.

    Args:
        operators: ARNs of the operators' own roles.
        external_id: the ProviderConfig's externalID, or empty.
        session_tags: whether the operators' sessions have transitive tags (EKS Pod Identity).
    """
    principal = {"AWS": operators[0] if len(operators) == 1 else list(operators)}
    assume: Document = {"Sid": "Operator", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if external_id:
        assume["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    # A statement of its own, because sts:TagSession does not have the condition key sts:ExternalId.
    tag: Document = {"Sid": "SessionTags", "Effect": "Allow", "Principal": principal, "Action": "sts:TagSession"}
    return _document(assume, *([tag] if session_tags else []))


def _document(*statements: Document) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
