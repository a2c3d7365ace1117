"""The rules of both kinds, in the order of their messages. The CRDs and ``esm-operator validate`` have them.

The rules about one field are made from tables (``field_rules``), those about several fields are here. They refuse only
what AWS always refuses. CEL in a CRD has no clock and can't read JSON; those checks are in ``offline``. Rules about
changes are in ``tools/transition_rules.py``.
"""

from collections.abc import Iterator

from esm_operator.api import field_rules, limits, reference_rules
from esm_operator.api.expressions import present, quoted, quoted_list, reads_from
from esm_operator.api.field_rules import takers
from esm_operator.api.fields import BY_PATH
from esm_operator.api.ignore_changes import ENTRIES, IDENTITY_ENTRIES, TAG, TAGS
from esm_operator.api.reference_kinds import DESTINATION, KMS_KEY, TOPIC
from esm_operator.api.rule import Rule, about, forbidden, listed, needed, only, titles
from esm_operator.api.sources import ALL, ARN_SERVICES, KAFKA, TITLES, SourceType

_SQS, _DYNAMODB, _SELF_MANAGED = SourceType.SQS, SourceType.DYNAMODB, SourceType.SELF_MANAGED_KAFKA
_TIMESTAMPED = BY_PATH["startingPositionTimestamp"].sources
_POSITIONED = BY_PATH["startingPosition"].sources
_AT_TIMESTAMP = "self.startingPosition == 'AT_TIMESTAMP' && has(self.startingPosition)"
_FIFO = f"{reads_from([_SQS])} && self.eventSourceARN.endsWith('.fifo')"
_STANDARD = f"{reads_from([_SQS])} && !self.eventSourceARN.endsWith('.fifo')"
_QUEUE_MODE = (
    f"{present('selfManagedKafkaEventSourceConfig.consumptionMode')} "
    "&& self.selfManagedKafkaEventSourceConfig.consumptionMode == 'Queue'"
)
_POLLERS = "provisionedPollerConfig"
_DESTINATION = "destinationConfig.onFailure.destination"


def _function() -> Iterator[Rule]:
    yield needed(
        "functionName",
        "has(self.functionName) != has(self.functionRef)",
        "A mapping has one function. Set either functionName or functionRef, and remove the other.",
    )


def _source() -> Iterator[Rule]:
    yield needed(
        "eventSourceARN",
        "has(self.eventSourceARN) || has(self.eventSourceRef) || has(self.selfManagedEventSource)",
        f"The spec has no source. Set eventSourceARN or eventSourceRef ({titles(ALL - {_SELF_MANAGED}, 'or')}), or "
        f"selfManagedEventSource ({TITLES[_SELF_MANAGED]}).",
    )
    yield about(
        "eventSourceRef",
        "!has(self.eventSourceARN) && !has(self.selfManagedEventSource)",
        "A mapping has one source, but eventSourceRef is set together with eventSourceARN or selfManagedEventSource. "
        "Remove one of them.",
        forbidden,
    )
    yield needed(
        "selfManagedEventSource",
        "has(self.selfManagedEventSource.endpoints) != has(self.selfManagedEventSource.bootstrapServersRef)",
        "{source} needs either endpoints or bootstrapServersRef in selfManagedEventSource. Set one of the two, and "
        "remove the other.",
        sources=frozenset({_SELF_MANAGED}),
        given="selfManagedEventSource",
    )
    yield about(
        "selfManagedEventSource",
        "!has(self.eventSourceARN)",
        "A mapping has one source, but eventSourceARN ({source}) and selfManagedEventSource "
        f"({TITLES[_SELF_MANAGED]}) are both set. Remove one of the two.",
        forbidden,
        sources=ALL - {_SELF_MANAGED},
    )
    arn, services = f"self.eventSourceARN.matches({quoted(limits.ARN_PATTERN)})", "|".join(ARN_SERVICES)
    readable = f"self.eventSourceARN.matches({quoted(f'^arn:[^:]*:({services}):')})"
    yield about(
        "eventSourceARN",
        f"!{arn} || {readable}",
        f"eventSourceARN is the ARN of a service that Lambda cannot read from. Set the ARN of a source of "
        f"{titles(ALL - {_SELF_MANAGED}, 'or')} (service {listed(ARN_SERVICES, 'or')}).",
    )
    region = limits.REGION_PATTERN.strip("^$")
    forms = "|".join(f"{row.service}:{region}:[0-9]{{12}}:{row.resource}" for row in limits.SOURCE_ARNS)
    form = f"self.eventSourceARN.matches({quoted(f'^arn:[^:]*:({forms})$')})"
    yield about(
        "eventSourceARN",
        f"{form} || !{arn} || !{readable}",
        "eventSourceARN is not the ARN of a source. {source} needs the ARN of {form}.",
        parts={"form": _form_of_arn()},
        sources=ALL - {_SELF_MANAGED},
    )
    yield about(
        "region",
        f"!has(self.eventSourceARN) || self.eventSourceARN.contains(':' + self.region + ':') || !{arn}",
        "region is {region}, but the source ({source}) is in another region ({arn}). A mapping is in the region of its "
        "source. Correct or remove region.",
        parts={"region": "self.region", "arn": "self.eventSourceARN"},
        sources=ALL - {_SELF_MANAGED},
    )


def _values_and_references() -> Iterator[Rule]:
    """Fields that are set as a value and as a reference. Those of function and source have rules of their own."""
    for value, reference in (("topics", TOPIC), ("kmsKeyARN", KMS_KEY)):
        yield about(
            value,
            f"!has(self.{reference})",
            f"{value} and {reference} are both set. Remove one of the two.",
            forbidden,
        )
    yield needed(
        "destinationConfig.onFailure",
        f"has(self.{_DESTINATION}) != has(self.{DESTINATION})",
        "destinationConfig.onFailure needs either destination or destinationRef. Set one of the two, and remove the "
        "other.",
        given="destinationConfig.onFailure",
    )
    access = "sourceAccessConfigurations"
    yield about(
        access,
        f"!self.{access}.exists(item, has(item.uri) && has(item.uriRef))",
        f"An entry in {access} has both uri and uriRef. Remove one of the two.",
        forbidden,
    )


def _form_of_arn() -> str:
    """The CEL expression of the ARN that the spec's source type needs, for a message."""
    result = quoted("a source")
    for row in limits.SOURCE_ARNS:
        words = f"{row.what}, such as arn:aws:{row.service}:eu-west-1:123456789012:{row.example}"
        result = f"{reads_from([ARN_SERVICES[row.service]])} ? {quoted(words)} : {result}"
    return result


def _positions() -> Iterator[Rule]:
    yield about(
        "startingPosition",
        f"self.startingPosition != 'AT_TIMESTAMP' || !({reads_from(_POSITIONED - _TIMESTAMPED)})",
        f"{{source}} does not take startingPosition AT_TIMESTAMP. {only(_TIMESTAMPED, 'it')} Set startingPosition to "
        "TRIM_HORIZON or LATEST.",
        forbidden,
        sources=_POSITIONED - _TIMESTAMPED,
    )
    yield needed(
        "startingPositionTimestamp",
        f"!({_AT_TIMESTAMP}) || !({reads_from(_TIMESTAMPED)}) || has(self.startingPositionTimestamp)",
        "startingPosition AT_TIMESTAMP needs startingPositionTimestamp ({source}). Set startingPositionTimestamp, or "
        "choose another startingPosition.",
        sources=_TIMESTAMPED,
    )
    yield about(
        "startingPositionTimestamp",
        f"!({reads_from(_TIMESTAMPED)}) || ({_AT_TIMESTAMP})",
        "startingPositionTimestamp needs startingPosition AT_TIMESTAMP ({source}). Set startingPosition, or remove "
        "startingPositionTimestamp.",
        forbidden,
        sources=_TIMESTAMPED,
    )


def _batches() -> Iterator[Rule]:
    sqs = frozenset({_SQS})
    yield about(
        "batchSize",
        f"self.batchSize <= 10 || !({_FIFO})",
        "batchSize must be at most 10 for FIFO queues of {source}. Lower batchSize.",
        sources=sqs,
    )
    window = "maximumBatchingWindowInSeconds"
    yield about(
        window,
        f"self.{window} == 0 || !({_FIFO})",
        f"FIFO queues of {{source}} take no {window}. Remove {window}.",
        forbidden,
        sources=sqs,
    )
    yield needed(
        window,
        f"self.batchSize <= 10 || !has(self.batchSize) || !({_STANDARD}) || (self.{window} >= 1 && has(self.{window}))",
        f"{{source}} needs {window} of at least 1 if batchSize is greater than 10. Set {window}, or lower batchSize.",
        sources=sqs,
    )
    for path in ("startingPosition", "startingPositionTimestamp", window):
        yield about(
            path,
            f"!({_QUEUE_MODE})",
            f"{{source}} takes no {path} in consumptionMode Queue. Remove {path}.",
            forbidden,
            sources=frozenset({_SELF_MANAGED}),
        )
    yield about(
        "maximumRetryAttempts",
        f"!({_QUEUE_MODE}) || self.maximumRetryAttempts != -1",
        "{source} takes no maximumRetryAttempts of -1 in consumptionMode Queue. Set maximumRetryAttempts to 0 or more, "
        "or remove it.",
        sources=frozenset({_SELF_MANAGED}),
    )


def _pollers() -> Iterator[Rule]:
    minimum, maximum = f"{_POLLERS}.minimumPollers", f"{_POLLERS}.maximumPollers"
    yield about(
        _POLLERS,
        f"!has(self.{minimum}) || !has(self.{maximum}) || self.{minimum} <= self.{maximum}",
        f"minimumPollers must not be greater than maximumPollers in {_POLLERS} for {{source}}. Lower minimumPollers, "
        "or raise maximumPollers.",
        sources=takers(_POLLERS),
    )
    yield about(
        "scalingConfig",
        f"!has(self.{_POLLERS})",
        f"{{source}} does not take scalingConfig together with {_POLLERS}. Remove one of the two.",
        forbidden,
    )
    for registry in limits.REGISTRIES:
        yield needed(
            _POLLERS,
            f"has(self.{_POLLERS})",
            f"{{source}} needs {_POLLERS} if {registry} is set. Add {_POLLERS}, or remove schemaRegistryConfig.",
            sources=takers(registry),
            given=registry,
        )


def _others() -> Iterator[Rule]:
    metrics = "metricsConfig.metrics"
    extra = "item in ['ErrorCount', 'KafkaMetrics']"
    yield about(
        metrics,
        f"!({reads_from(ALL - KAFKA)}) || !self.{metrics}.exists(item, {extra})",
        f"{{source}} does not take ErrorCount or KafkaMetrics in {metrics}. {only(KAFKA, 'these metrics')} Remove "
        "ErrorCount and KafkaMetrics.",
        forbidden,
        sources=ALL - KAFKA,
    )
    yield about(
        _DESTINATION,
        f"!self.{_DESTINATION}.startsWith('kafka://') || !({reads_from(ALL - KAFKA)})",
        f"{{source}} does not take a Kafka topic as {_DESTINATION}. {only(KAFKA, 'a topic')} Set the ARN of an SQS "
        "queue, an SNS topic or an S3 bucket.",
        forbidden,
        sources=takers(_DESTINATION) - KAFKA,
    )
    collection = "documentDBEventSourceConfig.collectionName"
    yield about(
        collection,
        f"!self.{collection}.startsWith('system.')",
        f"{{source}} does not read system collections, so {collection} must not begin with 'system.'. Name another "
        "collection.",
        sources=takers(collection),
    )
    filters = "filterCriteria.filters"
    yield about(
        filters,
        f"self.{filters}.all(item, size(item.pattern) <= {limits.LONGEST_PATTERN})",
        f"A pattern in {filters} ({{source}}) has more than {limits.LONGEST_PATTERN:,} characters. Shorten the "
        "pattern, or split it into several filters.",
    )


def _adoption() -> Iterator[Rule]:
    yield Rule(
        "adoption.policy",
        "has(self.adoption.policy) && self.adoption.policy != 'Never'",
        "adoption.uuid names a mapping to adopt, but adoption.policy is Never or absent. Set adoption.policy to "
        "IfExists or Required, or remove adoption.uuid.",
        given="adoption.uuid",
    )
    yield Rule(
        "adoption.policy",
        "has(self.adoption.policy) && self.adoption.policy != 'Never'",
        "adoption.takeOverFrom names the owner of a mapping to take over, but adoption.policy is Never or absent. Set "
        "adoption.policy to IfExists or Required, or remove adoption.takeOverFrom.",
        given="adoption.takeOverFrom",
    )


def _ignore_changes() -> Iterator[Rule]:
    """The entries of ignoreChanges. An ``enum`` of the CRD could not explain them, and has no place for tags.KEY."""
    field, known = "ignoreChanges", quoted_list((*ENTRIES, TAGS, *IDENTITY_ENTRIES))
    unknown = f"!(item in {known}) && !(item.startsWith({quoted(TAG)}) && size(item) > {len(TAG)})"
    yield about(
        field,
        f"!self.{field}.exists(item, {unknown})",
        f"{{entry}} in {field} is not a field that others can change. Write the path of a field, tags, or tags.KEY. "
        f"Possible entries are {listed((*ENTRIES, TAGS), 'and')}.",
        parts={"entry": f"self.{field}.filter(item, {unknown})[0]"},
    )
    identity = f"item in {quoted_list(IDENTITY_ENTRIES)}"
    yield about(
        field,
        f"!self.{field}.exists(item, {identity})",
        f"{{entry}} cannot be in {field}, because the operator finds the mapping by it. If others could change it, the "
        "operator could lose the mapping. Remove the entry.",
        forbidden,
        parts={"entry": f"self.{field}.filter(item, {identity})[0]"},
    )
    reserved = f"item.matches({quoted('^tags[.]' + limits.RESERVED_TAG_KEY[1:])})"
    yield about(
        field,
        f"!self.{field}.exists(item, {reserved})",
        f"{{entry}} in {field} is a reserved tag. Only AWS and the operator use keys that begin with "
        f"{listed(limits.RESERVED_TAG_PREFIXES, 'or')}. Remove the entry.",
        forbidden,
        parts={"entry": f"self.{field}.filter(item, {reserved})[0]"},
    )


#: The rules about several fields of AWS.
COMBINATION_RULES: tuple[Rule, ...] = (*_positions(), *_batches(), *_pollers(), *_others())

#: The rules that a spec without references can break, in the order in which people should read them.
RULES_OF_VALUES: tuple[Rule, ...] = (
    *_function(),
    *_source(),
    *_values_and_references(),
    *field_rules.not_taken(),
    *field_rules.required(),
    *COMBINATION_RULES,
    *field_rules.access_configurations(),
    *field_rules.counts(),
    *field_rules.ranges(),
    *field_rules.words(),
    *field_rules.texts(),
    *field_rules.tags("tags", " ({source})"),
    *_adoption(),
    *_ignore_changes(),
)

#: The rules of EventSourceMapping.
MAPPING_RULES: tuple[Rule, ...] = (*RULES_OF_VALUES, *reference_rules.reference_rules())


def _provider_config() -> Iterator[Rule]:
    yield from field_rules.tags("defaultTags", "")
    url = "a URL with only a scheme, a host, a port and a path, such as https://aws-proxy.example.com"
    role = "the ARN of a role such as arn:aws:iam::123456789012:role/esm-operator"
    for path, pattern, what in (
        ("region", limits.REGION_PATTERN, "a region such as eu-west-1"),
        ("roleARN", "^arn:aws[a-zA-Z0-9-]*:iam::[0-9]{12}:role/.+$", role),
        ("endpointURL", limits.ENDPOINT_PATTERN, url),
    ):
        yield about(path, f"self.{path}.matches({quoted(pattern)})", f"{path} must be {what}.")
    region = f"item.matches({quoted(limits.REGION_PATTERN)})"
    yield about(
        "allowedRegions",
        f"self.allowedRegions.all(item, {region})",
        "allowedRegions must have only regions such as eu-west-1.",
    )
    yield about(
        "region",
        "!has(self.allowedRegions) || self.region in self.allowedRegions",
        "region is not in allowedRegions. Add the region to allowedRegions, or choose another region.",
    )
    yield about(
        "externalID", "has(self.roleARN)", "externalID needs roleARN. Add roleARN, or remove externalID.", forbidden
    )
    yield about(
        "defaultTags",
        "size(self.defaultTags) == 0 || !has(self.ownership) || self.ownership != 'ResourceOnly'",
        "defaultTags cannot be set if ownership is ResourceOnly, because the operator then sends no tags to AWS. "
        "Remove defaultTags, or set ownership to Tags.",
        forbidden,
    )
    for path, pattern, what in (
        (
            "allowedFunctions",
            limits.FUNCTION_PATTERNS,
            "names or ARNs of functions, with or without * and ${namespace}: ${namespace}_*, "
            "arn:aws:lambda:*:*:function:orders, *",
        ),
        (
            "allowedEventSources",
            limits.SOURCE_PATTERNS,
            "ARNs of event sources or kafka://HOST:PORT, with or without * and ${namespace}: "
            "arn:aws:sqs:*:*:${namespace}_*, kafka://*.kafka.example.com:9092, *",
        ),
        (
            "allowedDestinations",
            limits.DESTINATION_PATTERNS,
            "ARNs of SQS queues, SNS topics and S3 buckets or kafka://TOPIC, with or without * and ${namespace}: "
            "arn:aws:sqs:*:*:${namespace}_*, arn:aws:s3:::${namespace}.*, *",
        ),
    ):
        yield about(
            path,
            f"self.{path}.all(item, item.matches({quoted(pattern)}))",
            f"{path} must have only patterns of {what}.",
        )
    selector = "self.namespaceSelector"
    yield about(
        "namespaceSelector",
        f"has({selector}.matchLabels) && size({selector}.matchLabels) > 0 || "
        f"has({selector}.matchExpressions) && size({selector}.matchExpressions) > 0",
        "namespaceSelector is empty, so it does not show which namespaces may use this ProviderConfig. Add matchLabels "
        "or matchExpressions, and check the spelling. To admit all namespaces, remove namespaceSelector.",
    )
    expressions = "namespaceSelector.matchExpressions"
    yield from field_rules.words(limits.PROVIDER_CONFIG_WORDS)
    counted = "(item.operator in ['In', 'NotIn']) == (has(item.values) && size(item.values) > 0)"
    yield about(
        expressions,
        f"self.{expressions}.all(item, {counted})",
        f"In and NotIn in {expressions} need values. Exists and DoesNotExist take no values.",
    )


#: The rules of ProviderConfig.
PROVIDER_CONFIG_RULES: tuple[Rule, ...] = tuple(_provider_config())

#: The rules that the CRDs have as ``enum``. Only the offline check evaluates them.
ENUM_RULES: tuple[Rule, ...] = (*field_rules.words(), *field_rules.words(limits.PROVIDER_CONFIG_WORDS))
