"""What the site has besides the files in docs/: the project's own page, an example of its configuration, its changes, its own endpoints; and every
link that leads out of docs/."""

import posixpath
import re
from pathlib import Path

import openapi
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]

# Files of the project that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "gateway.toml.example": "example.md",
}

LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
FENCE = re.compile(r"^\s*(```|~~~)")
ITEM = re.compile(r"^(?:[-*]|\d+\.) ")


def on_config(config):
    """A folder in the navigation stands for every page in it."""
    docs = Path(config.docs_dir)

    def open_up(entry):
        if isinstance(entry, dict):
            return {title: [open_up(one) for one in below] if isinstance(below, list) else below for title, below in entry.items()}
        if not (docs / entry).is_dir():
            return entry
        pages = sorted((docs / entry).glob("*.md"))
        return {entry.capitalize(): [page.relative_to(docs).as_posix() for page in pages]}

    config.nav = [open_up(entry) for entry in config.nav]
    listed = str(config.nav)
    # Pages that came since then, so that nobody has to know of this file.
    new = [page.name for page in sorted(docs.glob("*.md")) if f"'{page.name}'" not in listed]
    if new:
        config.nav.append({"More": new})
    return config


def on_files(files, config):
    for source, page in PAGES.items():
        text = (ROOT / source).read_text()
        if source.endswith(".example"):
            text = f"# A whole configuration\n\n`{source}`: every key of `gateway.toml`, with a value. [The reference](configuration.md) has their forms and bounds.\n\n```toml\n{text}```\n"
        files.append(File.generated(config, page, content=text))
    document = (ROOT / "crates/issuer/src/openapi.json").read_text()
    files.append(File.generated(config, "api.md", content=openapi.page(document)))
    files.append(File.generated(config, "openapi.json", content=document))
    return files


def on_page_markdown(markdown, page, config, files):
    origin = next((source for source, name in PAGES.items() if name == page.file.src_uri), None)
    folder = posixpath.dirname(origin if origin else f"docs/{page.file.src_uri}")
    lines, fenced, before = [], False, ""
    for line in markdown.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            line = LINK.sub(lambda found: rewritten(found, folder, page.file.src_uri), line)
            # A list needs an empty line before it here, and none on other renderers.
            if ITEM.match(line) and before.strip() and not ITEM.match(before) and not before.startswith((" ", "#")):
                lines.append("")
        lines.append(line)
        before = line
    return "\n".join(lines)


def rewritten(found, folder, here):
    text, target = found.groups()
    path, hash_, anchor = target.partition("#")
    if not path or "://" in path or path.startswith("mailto:"):
        return found.group(0)
    at = posixpath.normpath(posixpath.join(folder, path))
    page = PAGES.get(at) or (at.removeprefix("docs/") if at.startswith("docs/") else None)
    if page and not (ROOT / at).is_dir():
        return f"[{text}]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{hash_}{anchor})"
    # A folder, or a file of the source: named, since the site does not have it; and left as a link that fails where it is nowhere.
    return text if (ROOT / at).exists() else found.group(0)
