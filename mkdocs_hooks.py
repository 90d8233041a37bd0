"""Puts what pages link to outside docs/ into the site, below ``repository/``.

So one link works in the checkout, where it leads out of ``docs/``, and in the site, which has nothing else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)")
_TOP = ("CHANGELOG.md", "ARCHITECTURE.md")
_FOLDER = "repository"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to, and those that stand in the navigation."""
    root = Path(config.docs_dir).parent
    linked = {name for page in files.documentation_pages() for name in _OUTSIDE.findall(page.content_string)}
    for name in sorted(linked.union(_TOP)):
        files.append(File.generated(config, f"{_FOLDER}/{name}", abs_src_path=str(root / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links there, and those of the files that came in back to the pages."""
    if page.file.src_uri.startswith(f"{_FOLDER}/"):
        return markdown.replace("](docs/", "](../")
    return _OUTSIDE.sub(rf"]({_FOLDER}/\1", markdown)
