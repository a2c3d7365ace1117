"""Writes what is made from the models, or with --check says whether it is what the models say.

It is crds/ and docs/fields.md, and in the chart the CRDs and the part of values.schema.json about ProviderConfigs.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esm_operator.api import crd, reference
from esm_operator.api.provider_config import ProviderConfigSpec

ROOT = Path(__file__).resolve().parents[1]
CRDS = ROOT / "crds"
REFERENCE = ROOT / "docs" / "fields.md"
CHART = ROOT / "helm" / "esm-operator"
CHART_CRDS = CHART / "files" / "crds"
VALUES_SCHEMA = CHART / "values.schema.json"
#: What the JSON schema of values takes over from a CRD's.
KEPT = ("type", "description", "minimum", "maximum", "minLength", "maxLength", "maxItems", "required", "enum")


def main() -> int:
    files = crd.files()
    wanted = {folder / name: text for folder in (CRDS, CHART_CRDS) for name, text in files.items()}
    wanted |= {
        CRDS / "kustomization.yaml": crd.kustomization(),
        REFERENCE: reference.markdown(),
        VALUES_SCHEMA: values_schema(),
    }
    made = (*CRDS.glob("*.yaml"), *CHART_CRDS.glob("*.yaml"), REFERENCE, VALUES_SCHEMA)
    there = {path: path.read_text() for path in made if path.exists()}
    if "--check" not in sys.argv[1:]:
        for path in there.keys() - wanted.keys():
            path.unlink()
        for path, text in wanted.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    elif stale := [path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path)]:
        names = ", ".join(sorted(str(path.relative_to(ROOT)) for path in stale))
        print(f"Not what the models say: {names}. Run: make crds", file=sys.stderr)
        return 1
    return 0


def values_schema() -> str:
    """The schema of the chart's values, with what a ProviderConfig's spec may be from its model."""
    schema = json.loads(VALUES_SCHEMA.read_text())
    schema["$defs"]["providerConfigSpec"] = strict(crd.structural(ProviderConfigSpec))
    return json.dumps(schema, indent=2) + "\n"


def strict(structural: Mapping[str, Any]) -> dict[str, Any]:
    """A structural schema as a JSON schema that refuses fields which it does not know."""
    schema = {key: structural[key] for key in KEPT if key in structural}
    if properties := structural.get("properties"):
        schema |= {
            "additionalProperties": False,
            "properties": {name: strict(part) for name, part in properties.items()},
        }
    elif "additionalProperties" in structural:
        schema["additionalProperties"] = strict(structural["additionalProperties"])
    if "items" in structural:
        schema["items"] = strict(structural["items"])
    return schema


if __name__ == "__main__":
    sys.exit(main())
