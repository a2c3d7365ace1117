"""A hook of mkdocs that makes the pages fit for the site. On a host of repositories they work as they are.

Links to files outside of docs/ lead to ``repo_url``, if mkdocs.yml has one. Otherwise the page shows the path. Diagrams
become a part of the page, because a picture in a file cannot follow the light or dark mode of the site. Names in tables
do not break, except long paths of fields after a dot, and flags do not break.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

#: A link to another file that is not a picture: text, path, anchor.
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
#: A picture in a paragraph of its own: path.
_PICTURE = re.compile(r"^!\[[^\]]*\]\((?P<path>[^)\s]+\.svg)\)$", re.MULTILINE)
#: The cell of a table, and code in it, as HTML.
_CELL = re.compile(r"<td[^>]*>.*?</td>", re.DOTALL)
_CODE = re.compile(r"(?<=<code>)[^<]+(?=</code>)")
#: A flag, which browsers would break after its dashes.
_FLAG = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
#: The path of a field that is too long for a line.
_LONG_PATH = re.compile(r"[A-Za-z.\[\]]{31,}")
_AFTER_DOT = re.compile(r"(?<=\.)(?=[A-Za-z])")
_DIAGRAM = '<svg class="diagram"'


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text of a page with those links and diagrams replaced."""
    folder = posixpath.dirname(page.file.src_uri)

    def linked(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", folder, link["path"]))
        if path.startswith("docs/"):
            return link[0]
        if config.repo_url:
            return f"[{link['text']}]({config.repo_url.rstrip('/')}/blob/main/{path}{link['anchor'] or ''})"
        return link["text"] if link["text"].strip("`") == path else f"{link['text']} (`{path}`)"

    def drawn(picture: re.Match[str]) -> str:
        text = Path(config.docs_dir, folder, picture["path"]).read_text()
        return f'<div class="diagram-frame">\n{text}</div>' if text.startswith(_DIAGRAM) else picture[0]

    return _PICTURE.sub(drawn, _LINK.sub(linked, markdown))


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The HTML of a page in which names in tables, and flags, are in spans that do not break."""

    def name(code: re.Match[str]) -> str:
        parts = _AFTER_DOT.split(code[0]) if _LONG_PATH.fullmatch(code[0]) else [code[0]]
        return "<wbr>".join(f"<span>{part}</span>" for part in parts)

    def flags(code: re.Match[str]) -> str:
        return _FLAG.sub(r"<span>\g<0></span>", code[0])

    return _CODE.sub(flags, _CELL.sub(lambda cell: _CODE.sub(name, cell[0]), html))
