"""A hook of mkdocs: links that lead out of docs/, to files of the repository, which a site does not have.

On a host of repositories they work as they stand. On the site they lead to ``repo_url``, if mkdocs.yml names one;
else the path is told instead.
"""

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

#: A link to another file that is not a picture: text, path, anchor.
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text of a page with those links replaced."""
    folder = posixpath.dirname(page.file.src_uri)

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", folder, link["path"]))
        if path.startswith("docs/"):
            return link[0]
        if config.repo_url:
            return f"[{link['text']}]({config.repo_url.rstrip('/')}/blob/main/{path}{link['anchor'] or ''})"
        return link["text"] if link["text"].strip("`") == path else f"{link['text']} (`{path}`)"

    return _LINK.sub(replaced, markdown)
