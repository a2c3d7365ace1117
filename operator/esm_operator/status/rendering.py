"""Renders the messages of ``status/reason_table.py`` with the values of one mapping."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from esm_operator.api.foreign_text import ANSWER, VALUE, shown
from esm_operator.api.reasons import EventReason, ProviderConfigReason
from esm_operator.api.recorded_status import Condition
from esm_operator.api.references import Reference
from esm_operator.planning import actions
from esm_operator.planning.access import ANOTHER_OWNER
from esm_operator.planning.differences import describe, describe_source
from esm_operator.planning.finding import Finding
from esm_operator.planning.managers import Manager
from esm_operator.planning.ownership import Owner
from esm_operator.status.failure import Failure
from esm_operator.status.next_attempt import Next
from esm_operator.status.reason_table import TABLE, Ends, Row
from esm_operator.status.subject import Subject

#: The patterns and the characters of a value that a message shows, because a status has limits.
_MOST_PATTERNS, _LONGEST_VALUE = 5, 200

_VERBS: Mapping[type[actions.Action], str] = {
    actions.Create: "create the mapping",
    actions.Update: "change the mapping",
    actions.Tag: "change the tags of the mapping",
    actions.Adopt: "adopt the mapping",
    actions.Replace: "delete the mapping and create it again",
    actions.Discard: "delete a second mapping",
    actions.Delete: "delete the mapping",
    actions.RemoveOwnerTags: "remove its tags from the mapping",
}


def _rescue(owner_tags: bool | None) -> str:
    """The text that explains how to prevent an unwanted deletion. Empty if nothing is deleted (None)."""
    if owner_tags is None:
        return ""
    return (
        " To keep the mapping instead, set the annotation lambda.esm-operator.io/orphan to true. The resource is then "
        "deleted without its mapping, and a resource of the same name that you create later manages the mapping again"
        f"{'' if owner_tags else ' if its spec.adoption.policy is IfExists'}."
    )


def _action(action: actions.Action) -> str:
    verb = _VERBS[type(action)]
    return f"{verb} ({describe(action)})" if isinstance(action, actions.Update) else verb


def _manager(manager: Manager) -> str:
    if not manager.name:
        return ""
    tags = ", ".join(f"{shown(key, VALUE)}={shown(value, VALUE)}" for key, value in manager.tags.items())
    return f" The tags of the mapping show that {manager.name} manages it ({tags})."


def _whose(owner: Owner | None) -> str:
    if owner is None:
        return "belongs to no resource"
    return "belongs to another owner" if owner == ANOTHER_OWNER else f"belongs to {owner} (cluster/namespace/name)"


def _patterns(patterns: tuple[str, ...]) -> str:
    more = f" and {len(patterns) - _MOST_PATTERNS} more" if len(patterns) > _MOST_PATTERNS else ""
    return f"{', '.join(patterns[:_MOST_PATTERNS])}{more}" if patterns else "nothing"


def _object(reference: Reference) -> str:
    where = f' in the namespace "{reference.namespace}"' if reference.namespace else ""
    return f'{reference.kind} "{reference.name}"{where}'


def _last_value(value: str) -> str:
    """The effect of a reference without a value on the mapping."""
    if value:
        return f' The mapping keeps the last value, which is "{shown(value, _LONGEST_VALUE)}".'
    return " The operator changes nothing in AWS without the value."


def _heir_problem(ready: Condition) -> str:
    """Why the resource that takes a mapping over has not done so yet. Empty: not known."""
    if not ready.reason:
        return ""
    return f' That resource is not Ready ({ready.reason}). Its message is "{shown(ready.message, ANSWER)}"'


def _grant(project: str) -> str:
    """How the chart grants the permission to watch the kinds of a project. An empty project: another kind."""
    if project:
        return f"Set references.{project}.enabled to true in the values of the chart."
    return "Add the kind to references.additionalRules in the values of the chart."


#: The functions that format values, by the name of the value. Other values are not changed.
_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "action": lambda action: action if isinstance(action, str) else _action(action),
    "aws_reason": lambda text: f' AWS reports the state transition reason "{text}".' if text else "",
    "fields": lambda paths: ", ".join(f"spec.{path}" for path in paths),
    "found": describe_source,
    "grant": _grant,
    "gone": lambda gone: " any more" if gone else "",
    "heir_problem": _heir_problem,
    "holder": lambda name: f", but to {name}" if name else "",
    "last_value": _last_value,
    "object": _object,
    "kept": lambda uuid: f" This resource keeps its mapping {uuid} unchanged." if uuid else "",
    "left": lambda uuid: f"Mapping {uuid} remains" if uuid else "A mapping that was created remains",
    "manager": _manager,
    "patterns": _patterns,
    "value": lambda text: text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}...",
    "ownership": lambda config: f"of the ProviderConfig {config}" if config else "of the operator (--ownership)",
    "problems": lambda problems: " ".join(map(message_of, problems)),
    "references": lambda found: ", ".join(f'spec.{reference.path} "{value}"' for reference, value in found),
    "rescue": _rescue,
    "resources": lambda count: f"{count} resource{'' if count == 1 else 's'}",
    "update": describe,
    "ring": " -> ".join,
    "rival": lambda name: f"The resource {name}" if name else "A resource of another namespace",
    "taker": lambda owner: f"{owner.namespace}/{owner.name}",
    "whose": _whose,
    "with_uuid": lambda uuid: f" (UUID {uuid})" if uuid else "",
}
#: A subject of which nothing is known.
_UNKNOWN = Subject()


def ends_of(what: Finding | Failure) -> Ends:
    """What can end the state that a finding or an AWS error causes."""
    return TABLE[what.reason, what.case].ends


def stalls(what: Finding | Failure) -> bool:
    """Whether only a person can end it, so that the resource is Stalled."""
    return ends_of(what) is not Ends.ITSELF


def message(
    reason: EventReason | ProviderConfigReason, case: str = "", *, subject: Subject = _UNKNOWN, **values: object
) -> str:
    """The message of a reason: the sentence and the remedy with these values, and when the operator acts next."""
    row = TABLE[reason, case]
    return _joined(row, subject, values, next_sentence=row.next.sentence)


def message_of(finding: Finding, subject: Subject = _UNKNOWN) -> str:
    """The message of a finding."""
    return message(finding.reason, finding.case, subject=subject, **finding.values)


def message_of_failure(failure: Failure, subject: Subject = _UNKNOWN) -> str:
    """The message of an AWS error."""
    row, next_sentence = TABLE[failure.reason, failure.case], Next[failure.disposition.name].sentence
    return _joined(row, subject, failure.values, failure.answer, failure.remedy, next_sentence)


def answer_and_remedy(failure: Failure) -> str:
    """A part of the message of an AWS error, for texts that name the place and the request themselves."""
    row = replace(TABLE[failure.reason, failure.case], sentence="")
    return _joined(row, _UNKNOWN, failure.values, failure.answer, failure.remedy)


def _joined(
    row: Row,
    subject: Subject,
    values: Mapping[str, object],
    answer: str = "",
    remedy: str = "",
    next_sentence: str = "",
) -> str:
    texts: dict[str, object] = {**subject.values()}
    for name, value in values.items():
        made = _SHOWN[name](value) if name in _SHOWN else value
        texts[name] = shown(made) if isinstance(made, str) else made
    parts = (row.sentence.format(**texts), shown(answer), remedy or row.remedy.format(**texts), next_sentence)
    return shown(" ".join(part for part in parts if part))
