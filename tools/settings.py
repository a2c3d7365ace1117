"""The table of settings in docs/reference/settings.md, from the model of the settings."""

from typing import Literal, get_args, get_origin

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
        shown = f"`{_text(default)}`" if default not in ("", {}, []) else ""
        meaning = " ".join((field.description or "").split())
        if words := _words(field.annotation):
            meaning += f" Values: {', '.join(f'`{word}`' for word in words)}."
        rows.append(f"| `--{name.replace('_', '-')}`<br>`{PREFIX}{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(rows)


def _words(annotation: object) -> tuple[str, ...]:
    """The values of a setting that is one of a few words; none for other settings."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _text(default: object) -> str:
    """A default as a flag takes it."""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)
