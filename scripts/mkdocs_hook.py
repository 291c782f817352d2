"""Lets the documentation follow the checkout: README.md is its home page, docs/design/ is listed as it is."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FIRST = "overview.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the section Design of the navigation, the overview first."""
    pages = sorted(
        Path(config.docs_dir).glob("design/*.md"), key=lambda page: (page.name != FIRST, page.name)
    )
    design = {"Design": [f"design/{page.name}" for page in pages]}
    config.nav = [*(config.nav or []), *([design] if pages else [])]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds README.md as index.md."""
    readme = Path(config.config_file_path).parent / "README.md"
    text = LINK.sub(lambda link: seen_from_docs(link, files), readme.read_text("utf-8"))
    files.append(File.generated(config, "index.md", content=text))
    return files


def seen_from_docs(link: re.Match[str], files: Files) -> str:
    """The link as it has to be in docs/; a file of the checkout that is no page keeps its text only."""
    target, hash_sign, anchor = link["target"].partition("#")
    if not target or "://" in target:
        return link[0]
    page = posixpath.relpath(target, "docs")
    if files.get_file_from_path(page) is None:
        return link["text"]
    return f"{link['image']}[{link['text']}]({page}{hash_sign}{anchor})"
