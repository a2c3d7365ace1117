"""The reference of all messages, docs/reference/messages.md, from the table of messages with real values."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM, PREFIX, explain
from esm_operator.api.identity import ConsumerGroup
from esm_operator.api.limits import MAX_WATCHES, WATCHES_PER_NAMESPACE
from esm_operator.api.reasons import of_state
from esm_operator.api.recorded_status import Condition
from esm_operator.api.references import Reference, ResolvedReference
from esm_operator.api.rule import listed
from esm_operator.aws import error_table
from esm_operator.planning import actions
from esm_operator.planning.access import ANOTHER_OWNER
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import TRANSITIONS, ObservedMapping
from esm_operator.planning.managers import Manager
from esm_operator.planning.ownership import Owner
from esm_operator.planning.target import PROVIDER_CONFIG_LABEL
from esm_operator.reconcile.change_log import VERBS, Cause
from esm_operator.status.failure import Failure
from esm_operator.status.messages import tagged
from esm_operator.status.next_attempt import Next
from esm_operator.status.reason_table import TABLE
from esm_operator.status.rendering import message, message_of_failure
from esm_operator.status.subject import Subject
from tools.generated import DOCS, Files

PAGE = DOCS / "reference" / "messages.md"
OTHER_SOURCE = "arn:aws:sqs:eu-west-1:123456789012:orders-2"
UUID = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"
OTHER = "99887766-5544-4332-8110-ffeeddccbbaa"
SUBJECT = Subject(
    function="orders",
    event_source="arn:aws:sqs:eu-west-1:123456789012:orders",
    uuid=UUID,
    region="eu-west-1",
    account="123456789012",
)
_GROUP = ConsumerGroup("orders-group", "arn:aws:kafka:eu-west-1:123456789012:cluster/shop/1-2-3")
_UPDATE = actions.Update(UUID, {"batchSize": 10}, frozenset(), {"batchSize": 5})
_ANSWER = 'AWS answered CreateEventSourceMapping with "Function does not exist."'
_PROBLEM = Finding("InvalidSpec", "Rule", {"message": "batchSize must be at least 1; set a greater value."})
_REFERENCE = Reference("eventSourceRef", "sqs.services.k8s.aws/v1alpha1", "Queue", "orders", "shop")
_ELSEWHERE = _REFERENCE._replace(namespace="platform")
#: A real value for each name in the table.
VALUES: Mapping[str, Any] = {
    "action": _UPDATE,
    "account": "123456789012",
    "adopted": "spec.startingPosition (AWS has LATEST)",
    "ago": "",
    "allowed": "eu-central-1, eu-west-1",
    "annotation": f"{PREFIX}pause",
    "api_version": _REFERENCE.api_version,
    "answer": 'AWS answered with KMSDisabledException and "The key is disabled."',
    "aws_reason": "User initiated",
    "cause": "the ProviderConfig",
    "change": "batchSize: 5 -> 10",
    "code": "KMSDisabledException",
    "config": "shop",
    "config_map": "orders-mapping",
    "count": 52,
    "default": "team",
    "detail": "an object",
    "error": "ValueError: an unexpected value",
    "excess": 2,
    "field": "eventSourceARN",
    "fields": ("eventSourceARN",),
    "found": ObservedMapping(OTHER, "Enabled", {"functionName": "orders", "eventSourceARN": SUBJECT.event_source}),
    "gone": False,
    "grant": "ack",
    "group": _GROUP,
    "heir": "shop/new-orders",
    "heir_problem": Condition("Ready", "False", "FunctionNotFound", 'The function "orders" was not found.'),
    "holder": "EventSourceMapping returns",
    "kept": "",
    "kept_fields": "AWS keeps the last value of spec.loggingConfig.systemLogLevel.",
    "kind": _REFERENCE.kind,
    "label": PROVIDER_CONFIG_LABEL,
    "last_value": "",
    "left": UUID,
    "limit": 20,
    "list": "allowedEventSources",
    "manager": Manager("", {}),
    "max_watches": MAX_WATCHES,
    "message": f"{_ANSWER} Create the function, or correct spec.functionName. {Next.SLOW.sentence}",
    "most": 50,
    "namespace": "shop",
    "new": OTHER_SOURCE,
    "now": "account 222222222222",
    "object": _REFERENCE,
    "old": SUBJECT.event_source,
    "other": "esm-operator/esm-operator-b",
    "own": "esm-operator/esm-operator",
    "owner": Owner("default", "shop", "orders"),
    "ownership": "shop",
    "patterns": ("arn:aws:sqs:*:*:shop_*", "kafka://*.shop.example.com:9092"),
    "position": message("Created", "FromStart"),
    "previous": Owner("old", "shop", "orders"),
    "problems": (_PROBLEM,),
    "replaced": _REFERENCE.value_path,
    "references": (ResolvedReference(_REFERENCE, SUBJECT.event_source),),
    "refused": "",
    "region": "us-west-2",
    "remedy": explain(f"{PREFIX}pause").partition("it. ")[2],
    "rescue": True,
    "resources": 12,
    "result": "PROBLEM: Function call failed.",
    "rival": "shop/orders-2",
    "ring": ("shop/orders", "shop/bills", "shop/orders"),
    "sentence": "The key is disabled.",
    "setting": "spec.eventSourceARN",
    "settled": message("InSync", subject=SUBJECT, state="enabled"),
    "state": "Updating",
    "successor": OTHER,
    "tags": "team",
    "taker": Owner("default", "shop", "orders-2"),
    "update": _UPDATE,
    "users": "shop/orders, shop/payments",
    "uuid": UUID,
    "value": SUBJECT.event_source,
    "value_field": _REFERENCE.place,
    "watches": WATCHES_PER_NAMESPACE,
    "whose": Owner("default", "shop", "orders"),
    "with_uuid": "",
}
#: The values of rows for which the usual ones make no sense.
SPECIAL: Mapping[tuple[str, str], Mapping[str, Any]] = {
    **{(of_state(state), ""): {"state": state} for state in TRANSITIONS},
    ("AccessDenied", ""): {"action": "lambda:CreateEventSourceMapping"},
    **{("DisabledInAWS", case): {"aws_reason": "Lambda initiated"} for case in ("", "Ignored")},
    ("FilterCriteriaError", ""): {"remedy": message("FilterCriteriaError", "Remedy")},
    **{("Conflict", case): {"whose": ANOTHER_OWNER} for case in ("Hidden", "HiddenNamed", "HiddenRecorded")},
    ("Conflict", "ConsumerGroupHidden"): {"whose": ANOTHER_OWNER},
    ("Conflict", "Managed"): {"manager": Manager("Terraform", {"managed-by": "terraform"})},
    ("Conflict", "ConsumerGroup"): {
        "found": ObservedMapping(
            OTHER, "Enabled", {"functionName": "payments", "eventSourceARN": _GROUP.cluster, "topics": ("orders",)}
        )
    },
    ("InSync", ""): {"state": "enabled"},
    ("InSync", "Unseen"): {"message": f'AWS answered GetEventSourceMapping with "Rate exceeded." {Next.SOON.sentence}'},
    ("InUse", ""): {"count": "2 EventSourceMappings use"},
    ("InvalidSpec", "Rule"): _PROBLEM.values,
    ("InvalidSpec", "TooManyTags"): {"own": 4},
    ("KeptByAWS", ""): {"fields": ("loggingConfig.systemLogLevel",)},
    ("RefusedByAWS", "UnknownCode"): {"code": "UnsupportedException"},
    ("MappingsRemain", ""): {"count": "2 EventSourceMappings use"},
    ("ResourcesRefused", ""): {"count": "2 EventSourceMappings"},
    ("Observed", ""): {"state": "enabled"},
    ("OutputsForbidden", ""): {
        "error": "GET /api/v1/namespaces/shop/configmaps/orders-mapping failed with status 403 and "
        '"configmaps "orders-mapping" is forbidden: User "system:serviceaccount:esm-operator:esm-operator" cannot '
        'get resource "configmaps" in API group "" in the namespace "shop""'
    },
    ("OutputsNotWritten", ""): {
        "error": "POST /api/v1/namespaces/shop/configmaps failed with status 403 and "
        '"configmaps "orders-mapping" is forbidden: exceeded quota"'
    },
    ("Paused", ""): {"rescue": None},
    ("PredecessorDeleting", "ConsumerGroup"): {"group": _GROUP.name},
    ("ProcessingRecovered", ""): {"result": 'Lambda reports "OK."'},
    **{key: {"field": _REFERENCE.path} for key in TABLE if "Reference" in "".join(key)},
    ("AdoptedMappingDiffers", "Reference"): {},
    ("ImmutableFieldChanged", "Reference"): {"fields": ("eventSourceARN",)},
    ("InvalidSpec", "ReferenceKind"): {"field": _REFERENCE.path, "api_version": "v1", "kind": "Secret"},
    ("InvalidSpec", "ReferenceOutputs"): {
        "field": _REFERENCE.path,
        "object": _REFERENCE._replace(api_version="v1", kind="ConfigMap", name="orders-mapping"),
    },
    ("ReferenceForbidden", ""): {
        "field": _REFERENCE.path,
        "object": _ELSEWHERE,
        "annotation": ALLOW_REFERENCES_FROM,
    },
    ("ReferenceForbidden", "Namespace"): {"field": _REFERENCE.path, "object": _ELSEWHERE},
    ("Replacing", "SameGroup"): {"group": _GROUP.name},
    ("Tagged", ""): {"change": tagged(actions.Tag(UUID, {"team": "shop"}, frozenset({"stage"})))},
}
#: Sentences of AWS or of its SDK, by the reason that the operator finds in them.
ANSWERS: Mapping[str, str] = {
    "AWSResourceNotFound": "The secret orders could not be found.",
    "AWSUnavailable": "An error occurred and the request cannot be processed.",
    "AWSUnreachable": "Could not connect to the endpoint URL: 'https://lambda.eu-west-1.amazonaws.com/'.",
    "AccessDenied": "User: arn:aws:sts::123456789012:assumed-role/operator/session is not authorized to perform: "
    "lambda:CreateEventSourceMapping on resource: * because no identity-based policy allows the "
    "lambda:CreateEventSourceMapping action.",
    "ClockSkewed": "Signature expired: 20260101T131223Z is now earlier than 20260101T131534Z (20260101T132034Z - 5 "
    "min.).",
    "CredentialsRefused": "The security token included in the request is expired.",
    "EventSourceNotFound": "The specified queue does not exist.",
    "FunctionNotFound": "Function does not exist.",
    "KMSKeyRefused": "Lambda was unable to decrypt the filter criteria.",
    "NoCredentials": "Unable to locate credentials.",
    "NotFound": "The resource you requested does not exist.",
    "OperationInProgress": "Cannot update the event source mapping because it is in use.",
    "QuotaExceeded": "The limit of event source mappings is exceeded.",
    "RefusedByAWS": "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds.",
    "RegionDisabled": "STS is not activated in this region.",
    "RequestNotUnderstood": "Could not parse request body into json.",
    "RoleLacksPermission": "The provided execution role does not have permissions to call ReceiveMessage on SQS.",
    "RoleNotAssumable": "User: arn:aws:sts::123456789012:assumed-role/operator/session is not authorized to perform: "
    "sts:AssumeRole on resource: arn:aws:iam::123456789012:role/shop.",
    "TagsNotSupported": "Tags not supported in request.",
    "Throttled": "Rate exceeded.",
    "WebIdentityRefused": "Not authorized to perform sts:AssumeRoleWithWebIdentity.",
}
#: The operation of an answer, if it is not CreateEventSourceMapping.
OPERATIONS: Mapping[str, str] = {
    "ClockSkewed": "ListEventSourceMappings",
    "CredentialsRefused": "ListEventSourceMappings",
    "KMSKeyRefused": "UpdateEventSourceMapping",
    "NotFound": "UpdateEventSourceMapping",
    "OperationInProgress": "UpdateEventSourceMapping",
    "RegionDisabled": "AssumeRole",
    "RoleNotAssumable": "AssumeRole",
    "WebIdentityRefused": "AssumeRoleWithWebIdentity",
}
#: Reasons of resources that have no mapping yet.
WITHOUT_MAPPING = (
    "CreateOutcomeUnknown",
    "NothingToAdopt",
    "WaitingForSweep",
    "FunctionNotFound",
    "InvalidSpec",
    "ProviderConfigDeleting",
)
_HEAD = """# Messages

Conditions, Events and log lines of the operator have these messages, with a reason for programs. `kubectl describe esm`
shows the messages of one resource. A message names the mapping, the region and the account, quotes AWS's own sentence,
and ends with what to do and when the operator acts next. [Troubleshooting](../how-to/troubleshooting.md) has a section
for each reason.

The examples are about mapping `{uuid}` of the function `orders`.

## Log lines about changes

The log has one line for each request that has changed a mapping in AWS. All lines have the same form:

```text
Updated mapping {uuid} in eu-west-1 (account 123456789012). Cause: drift. Change: batchSize: 5 -> 10
```

- The prefix of the line has the namespace and the name of the resource.
- The first word is {verbs}.
- The cause is {causes}.
- If AWS does not answer a request, the line begins with "AWS did not answer".
- With `--log-format=json`, the line has the members `namespace`, `name`, `uuid`, `account`, `region`, `change` (the
  operation of the API) and `cause`.

"""


def files() -> Files:
    """docs/reference/messages.md."""
    return {PAGE: page()}


def page() -> str:
    """The page."""
    lines: list[str] = []
    for reason in sorted({reason for reason, _ in TABLE}):
        shown = [f"- {text}" for key, text in rendered() if key[0] == reason]
        lines += [f"## {reason}", *shown, ""] if shown else []
    verbs, causes = listed(VERBS.values(), "or"), listed((f"`{cause}`" for cause in Cause), "or")
    return _HEAD.format(uuid=UUID, verbs=verbs, causes=causes) + "\n".join(lines).rstrip() + "\n"


def rendered() -> Iterator[tuple[tuple[str, str], str]]:
    """Each message with real values, by reason and case. Parts of other messages are left out."""
    for key, row in TABLE.items():
        if row.next is Next.FAILURE:
            yield key, failed(key)
        elif row.next is not Next.PART:
            yield key, example(key)


def example(key: tuple[Any, str]) -> str:
    """A message with real values."""
    return message(key[0], key[1], subject=_subject(key[0]), **{**VALUES, **SPECIAL.get(key, {})})


def failed(key: tuple[Any, str]) -> str:
    """The message of an AWS error, or of an exception of the AWS SDK."""
    reason, case = key
    known = (*error_table.TABLE, error_table.OTHER)
    rules = [rule.disposition for rule in known if (rule.reason, rule.case) == (reason, case)]
    rules += [disposition for _, one, disposition in error_table.EXCEPTIONS if one == reason]
    from_sdk = any(one == reason for _, one, _ in error_table.EXCEPTIONS)
    operation = OPERATIONS.get(reason, "CreateEventSourceMapping")
    answer = f'{"The AWS SDK reported" if from_sdk else f"AWS answered {operation} with"} "{ANSWERS[reason]}"'
    failure = Failure(reason, rules[0], answer=answer, case=case, values=SPECIAL.get(key, {}))
    return message_of_failure(failure, _subject(reason))


def _subject(reason: str) -> Subject:
    return replace(SUBJECT, uuid="") if reason in WITHOUT_MAPPING else SUBJECT
