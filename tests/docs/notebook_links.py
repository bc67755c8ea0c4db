"""A hook of mkdocs: links in notebooks lead to pages of the site; one that leads nowhere is a warning."""

from __future__ import annotations

import logging
import posixpath
import re
from typing import Any

log = logging.getLogger("mkdocs.hooks.notebook_links")
RELATIVE = re.compile(r'(?<=href=")(?![a-z]+:|#|/)([^"#]+)')


def on_page_content(html: str, *, page: Any, files: Any, **_: Any) -> str:
    """The content of a notebook with links as those of other pages."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def of_site(link: re.Match[str]) -> str:
        target = files.get_file_from_path(posixpath.normpath(f"{posixpath.dirname(page.file.src_uri)}/{link[1]}"))
        if target is None:
            log.warning("%s: the link %s leads nowhere", page.file.src_uri, link[1])
            return link[1]
        return str(target.url_relative_to(page.file))

    return RELATIVE.sub(of_site, html)
