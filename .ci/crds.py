"""Writes crds/ and docs/fields.md from the models; with --check it only says whether they are what the models say."""

import sys
from pathlib import Path

from esm_operator.api import crd, reference

ROOT = Path(__file__).resolve().parents[1]
CRDS = ROOT / "crds"
REFERENCE = ROOT / "docs" / "fields.md"


def main() -> int:
    wanted = {CRDS / name: text for name, text in crd.files().items()}
    wanted |= {CRDS / "kustomization.yaml": crd.kustomization(), REFERENCE: reference.markdown()}
    there = {path: path.read_text() for path in (*CRDS.glob("*.yaml"), REFERENCE) if path.exists()}
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


if __name__ == "__main__":
    sys.exit(main())
