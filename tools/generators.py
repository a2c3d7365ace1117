"""All generators by name. Each is a function that returns the files that it makes, with their contents."""

from collections.abc import Callable, Mapping

from tools import (
    chart,
    crds,
    fields,
    guards,
    iam,
    messages,
    metrics,
    migrating,
    reference_roles,
    references,
    settings,
)
from tools.generated import Files
from tools.phrases import table as phrases

GENERATORS: Mapping[str, Callable[[], Files]] = {
    "crds": crds.files,
    "fields": fields.files,
    "settings": settings.files,
    "metrics": metrics.files,
    "guards": guards.files,
    "migrating": migrating.files,
    "iam": iam.files,
    "messages": messages.files,
    "reference-roles": reference_roles.files,
    "references": references.files,
    "chart": chart.files,
    "phrases": phrases.files,
}
