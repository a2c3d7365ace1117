"""The site: its navigation has the parts of docs/, and the hook .ci/site.py makes the pages fit for it."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: Lines of a page that is read from the start to the end.
LONGEST = 300
#: Where readers look facts up.
LOOKED_UP = (DOCS / "reference", DOCS / "contributing" / "guards.md")
PARTS = ["tutorial", "how-to", "reference", "explanation", "contributing"]


def hook() -> Any:
    """The module of the hook."""
    spec = importlib.util.spec_from_file_location("site_hook", ROOT / ".ci" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SITE = hook()


def paths(entries: Any) -> list[str]:
    """The pages of a part of the navigation, in order."""
    if isinstance(entries, str):
        return [entries]
    if isinstance(entries, dict):
        return [path for entry in entries.values() for path in paths(entry)]
    return [path for entry in entries for path in paths(entry)]


NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]


def test_the_navigation_has_the_parts() -> None:
    home, *parts = NAV
    assert paths(home) == ["index.md"]
    assert [{path.partition("/")[0] for path in paths(part)} for part in parts] == [{part} for part in PARTS]


def test_the_runbooks_are_one_entry() -> None:
    assert [path for path in paths(NAV) if "runbooks" in path] == ["how-to/runbooks/README.md"]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_pages_are_short_unless_facts_are_looked_up_there(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= LONGEST or any(map(page.is_relative_to, LOOKED_UP))


def converted(markdown: str, page: str, repo_url: str | None = None) -> str:
    """The Markdown of a page as the hook returns it."""
    return SITE.on_page_markdown(
        markdown,
        page=SimpleNamespace(file=SimpleNamespace(src_uri=page)),
        config=SimpleNamespace(docs_dir=str(DOCS), repo_url=repo_url),
        files=None,
    )


@pytest.mark.parametrize(
    ("markdown", "repo_url", "expected"),
    [
        ("see [the license](../LICENSE)", None, "see the license (`LICENSE`)"),
        ("see [LICENSE](../LICENSE)", None, "see LICENSE"),
        ("[it](../LICENSE#a)", "https://example.com/x/", "[it](https://example.com/x/blob/main/LICENSE#a)"),
        ("[Fields](reference/fields.md)", None, "[Fields](reference/fields.md)"),
    ],
)
def test_links_out_of_docs(markdown: str, repo_url: str | None, expected: str) -> None:
    assert converted(markdown, "index.md", repo_url) == expected


@pytest.mark.parametrize(
    "diagram", sorted((DOCS / "explanation" / "pictures").glob("*.svg")), ids=lambda path: path.stem
)
def test_diagrams_are_parts_of_the_page(diagram: Path) -> None:
    made = converted(f"before\n\n![A diagram](pictures/{diagram.name})\n\nafter", "explanation/concepts.md")
    assert made == f'before\n\n<div class="diagram-frame">\n{diagram.read_text()}</div>\n\nafter'


def test_other_pictures_stay_pictures() -> None:
    picture = "![A session](session.svg)"
    assert converted(picture, "tutorial/getting-started.md") == picture


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<td><code>spec.tags</code></td>", "<td><code><span>spec.tags</span></code></td>"),
        (
            "<td><code>spec.destinationConfig.onFailure.destination</code></td>",
            "<td><code><span>spec.</span><wbr><span>destinationConfig.</span><wbr><span>onFailure.</span><wbr>"
            "<span>destination</span></code></td>",
        ),
        (
            "<td><code>lambda.esm-operator.io/reconcile-at</code></td>",
            "<td><code><span>lambda.esm-operator.io/reconcile-at</span></code></td>",
        ),
        ('<td align="left"><code>--a-b</code></td>', '<td align="left"><code><span>--a-b</span></code></td>'),
        ("<td><code>1.5 s</code></td>", "<td><code><span>1.5 s</span></code></td>"),
        ("<p><code>spec.tags</code></p>", "<p><code>spec.tags</code></p>"),
        ("<p><code>run --a-b=1 c-d</code></p>", "<p><code>run <span>--a-b</span>=1 c-d</code></p>"),
        ("<p>--a-b</p>", "<p>--a-b</p>"),
    ],
)
def test_names_in_tables_and_flags_do_not_break(html: str, expected: str) -> None:
    assert SITE.on_page_content(html, page=None, config=None, files=None) == expected
