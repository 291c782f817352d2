"""Lets the documentation follow the checkout: README.md is its home page, docs/design/ is listed whole."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
INTERNALS = "Internals"
OVERVIEW = "design/overview.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of docs/design/ into the section Internals of the navigation: the overview first."""
    for section in config.nav or []:
        if INTERNALS in section:
            named: list[dict[str, str]] = section[INTERNALS]
            there = {page for entry in named for page in entry.values()}
            design = [f"design/{path.name}" for path in Path(config.docs_dir).glob("design/*.md")]
            others = sorted(page for page in design if page not in there and page != OVERVIEW)
            section[INTERNALS] = [OVERVIEW, *named, *others]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md as index.md."""
    readme = Path(config.config_file_path).parent / "README.md"
    text = LINK.sub(lambda link: seen_from_docs(link, files), readme.read_text("utf-8"))
    files.append(File.generated(config, "index.md", content=text))
    return files


def seen_from_docs(link: re.Match[str], files: Files) -> str:
    """Return the link as it has to be in docs/; of a file of the checkout that is no page, its text."""
    target, hash_sign, anchor = link["target"].partition("#")
    if not target or "://" in target:
        return link[0]
    page = posixpath.relpath(target, "docs")
    if files.get_file_from_path(page) is None:
        return link["text"]
    return f"{link['image']}[{link['text']}]({page}{hash_sign}{anchor})"
