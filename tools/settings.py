"""The table of settings in docs/reference/settings.md, from the model of the settings."""

from esm_operator.settings import PREFIX, Settings
from tools.generated import DOCS, Files, with_part

PAGE = DOCS / "reference" / "settings.md"


def files() -> Files:
    """docs/reference/settings.md."""
    return {PAGE: with_part(PAGE.read_text(), "settings", table())}


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| flag, environment variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = f"`{default}`" if default not in ("", {}, []) else ""
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `--{name.replace('_', '-')}`<br>`{PREFIX}{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(rows)
