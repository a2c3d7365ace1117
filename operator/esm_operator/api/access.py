"""The types of entries of ``sourceAccessConfigurations``, the sources that take them, and their uri.

Source: the documentation of SourceAccessType in the botocore model, and BASIC_AUTH on DocumentDB, which AWS also takes.
"""

from dataclasses import dataclass

from esm_operator.api.sources import KAFKA, SourceType

_SELF_MANAGED = frozenset({SourceType.SELF_MANAGED_KAFKA})


@dataclass(frozen=True, slots=True)
class AccessType:
    """One type of entry."""

    name: str
    uri: str
    """The meaning of its uri; empty if it has none."""
    sources: frozenset[SourceType]
    needs_one_of: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


_SECRET = "the ARN of a Secrets Manager secret"

ACCESS_TYPES: tuple[AccessType, ...] = (
    AccessType(
        "BASIC_AUTH",
        f"{_SECRET} with a user name and a password",
        _SELF_MANAGED | {SourceType.MQ, SourceType.DOCUMENTDB},
    ),
    AccessType("VIRTUAL_HOST", "the name of a RabbitMQ virtual host", frozenset({SourceType.MQ})),
    AccessType("VPC_SUBNET", "a subnet, as subnet:ID", _SELF_MANAGED),
    AccessType("VPC_SECURITY_GROUP", "a security group, as security_group:ID", _SELF_MANAGED),
    AccessType("SASL_SCRAM_512_AUTH", f"{_SECRET} for SASL/SCRAM-512", KAFKA),
    AccessType("SASL_SCRAM_256_AUTH", f"{_SECRET} for SASL/SCRAM-256", _SELF_MANAGED),
    AccessType("CLIENT_CERTIFICATE_TLS_AUTH", f"{_SECRET} with a client certificate and its key", KAFKA),
    AccessType("SERVER_ROOT_CA_CERTIFICATE", f"{_SECRET} with the brokers' root certificate", _SELF_MANAGED),
    AccessType("OAUTHBEARER_AUTH", f"{_SECRET} with OAuth 2.0 credentials", _SELF_MANAGED),
    AccessType("OAUTHBEARER_SCOPE", "an OAuth 2.0 scope", _SELF_MANAGED, ("OAUTHBEARER_AUTH",)),
    AccessType(
        "OAUTHBEARER_AUDIENCE", "an OAuth 2.0 audience", _SELF_MANAGED, ("OAUTHBEARER_AUTH", "IAM_OAUTHBEARER_AUTH")
    ),
    AccessType(
        "OAUTHBEARER_LOGICAL_CLUSTER", "a logical cluster of Confluent Cloud", _SELF_MANAGED, ("OAUTHBEARER_AUTH",)
    ),
    AccessType(
        "OAUTHBEARER_IDENTITY_POOL", "an identity pool of Confluent Cloud", _SELF_MANAGED, ("OAUTHBEARER_AUTH",)
    ),
    AccessType("IAM_AUTH", "", _SELF_MANAGED),
    AccessType(
        "IAM_OAUTHBEARER_AUTH",
        "",
        _SELF_MANAGED,
        needs_one_of=("OAUTHBEARER_AUDIENCE",),
        excludes=("OAUTHBEARER_AUTH", "OAUTHBEARER_SCOPE", "OAUTHBEARER_LOGICAL_CLUSTER", "OAUTHBEARER_IDENTITY_POOL"),
    ),
)
