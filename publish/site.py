"""`make docs`: the whole course as a folder of pages that need no network.

It is made from the notebooks that nbdev has processed. How it looks: publish/conf.py."""

import hashlib
import os
import re
import shutil
import sys
import tarfile
import time
from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell

from publish.lessons import ROOT, write_folder
from publish.myst import Links, adapt, front_matter
from publish.npm import npm_package
from publish.refresh import slug

# --- the sidebar and the names of pages


def sections(
    contents: list = None,  # as in the sidebar file, which is read without
    caption: str = "",  # the section these belong to
) -> list:  # pairs (caption, paths of notebooks below `nbs`), in order
    "The sidebar as a flat list of sections; a section in another one has both captions."
    if contents is None:
        text = (ROOT / "nbs" / "sidebar.yml").read_text(encoding="utf-8")
        contents = yaml.safe_load(text)["website"]["sidebar"]["contents"]
    names = [entry for entry in contents if isinstance(entry, str)]
    parts = [(caption, names)] if names else []
    for entry in contents:
        if not isinstance(entry, str):
            inner = f"{caption}: {entry['section']}" if caption else entry["section"]
            parts += sections(entry["contents"], inner)
    return parts


def page_names(
    notebooks: dict,  # path below `nbs` to the processed notebook
) -> dict:  # path below `nbs` to the path of the page, without `.html`
    "A name for each page, as nbdev chose it; `ValueError` if two are the same: one would be lost."
    pages = {}
    for name, notebook in notebooks.items():
        file = front_matter(notebook, name)["output-file"]
        page = (Path(name).parent / file).with_suffix("").as_posix()
        for other in pages:
            if pages[other] == page:
                raise ValueError(
                    f"{other} and {name} would both become {page}.html, since nbdev takes the "
                    "number off. Give one of them another name."
                )
        pages[name] = page
    return pages


def contents(
    pages: dict,  # as `page_names` gives them
    titles: dict,  # path below `nbs` to the title
) -> str:  # Markdown for the end of the front page
    "The sidebar, as Sphinx wants it: lessons with their number."
    parts = []
    for caption, names in sections():
        entries = []
        for name in names:
            if re.match(r"\d\d_", name):
                entries.append(f"{name[:2]} {titles[name]} <{pages[name]}>")
            elif pages[name] != "index":
                entries.append(pages[name])
        if not entries:
            continue
        head = [":::{toctree}", ":hidden:"]
        if caption:
            head.append(f":caption: {caption}")
        parts.append("\n".join([*head, "", *entries, ":::"]))
    return "\n\n".join(parts)


# --- what Sphinx reads


def _write(path, text):
    "Write a file if it differs: Sphinx reads again what is newer than its last look."
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read_notebooks(
    proc: Path,  # the folder of notebooks that nbdev processed
) -> dict:  # path below `nbs` to the notebook
    "The notebooks of the sidebar; `ValueError` unless they are those of the folder."
    names = [name for _, part in sections() for name in part]
    files = {path.relative_to(proc).as_posix() for path in proc.rglob("*.ipynb")}
    lost = sorted(files ^ set(names))
    if lost:
        raise ValueError(f"Either nbs/sidebar.yml or the folder nbs lacks {lost[0]}.")
    return {name: nbformat.read(proc / name, as_version=4) for name in names}


def write_sources(
    proc: Path,  # the folder of notebooks that nbdev processed
    folder: Path,  # where Sphinx reads
):
    "Translate every page; what does not differ is left alone, pages that are gone are removed."
    from nbdev.config import get_config

    config = get_config()
    documentation = f"{config.doc_host}{config.doc_baseurl}".rstrip("/") + "/"
    notebooks = read_notebooks(proc)
    pages = page_names(notebooks)
    titles = {name: front_matter(notebooks[name], name)["title"] for name in notebooks}
    written = set()
    for name, notebook in notebooks.items():
        page = adapt(notebook, Links(name, pages, documentation))
        if pages[name] == "index":
            page.cells.append(new_markdown_cell(contents(pages, titles), id="contents"))
        path = folder / f"{pages[name]}.ipynb"
        _write(path, nbformat.writes(page))
        written.add(path)
    for path in set(folder.rglob("*.ipynb")) - written:
        path.unlink()
        page = folder.parent / "html" / path.relative_to(folder)
        page.with_suffix(".html").unlink(missing_ok=True)


def forget_links(
    folder: Path,  # of processed notebooks
):
    "Remove what links to cells of a notebook that has changed: their headings may be others."
    notebooks = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("nbs/**/*.ipynb")}
    before = folder.stat().st_mtime
    changed = [path.name for path in notebooks if path.stat().st_mtime > before]
    for path, text in notebooks.items():
        if any(f"{name}#cell-id=" in text for name in changed):
            (folder / path.relative_to(ROOT / "nbs")).unlink(missing_ok=True)


def processed() -> Path:  # the folder of processed notebooks
    """Let nbdev process the notebooks that have changed, and those that link to their cells.

    All of them if our own processors, or what these use, have."""
    from nbdev.serve import proc_nbs

    folder = ROOT / "_proc"
    if folder.is_dir():
        forget_links(folder)
    files = [path for path in Path(__file__).parent.iterdir() if path.is_file()]
    newest = max(path.stat().st_mtime for path in files)
    changed = folder.is_dir() and newest > folder.stat().st_mtime
    return proc_nbs(str(ROOT / "nbs"), n_workers=0, force=changed)


# --- what Sphinx calls: this module is one of its extensions


def anchors(app, doctree):
    "Give headings the anchors that Quarto gives them, code cells their ids."
    from docutils import nodes

    known = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    known.clear()
    counts = {}
    for section in doctree.findall(nodes.section):
        title = section[0].astext()
        anchor = slug(title)
        number = counts.get(anchor, 0)
        counts[anchor] = number + 1
        if number:
            anchor = f"{anchor}-{number}"
        section["ids"] = [anchor]
        known[anchor] = (None, anchor, title)
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            anchor = cell["cell_metadata"]["anchor"]
            cell["ids"] = [anchor]
            known[anchor] = (None, anchor, anchor)


def name_columns(app, doctree):
    "Give columns without a name one that is heard, not seen."
    from docutils import nodes

    for head in doctree.findall(nodes.thead):
        for entry in head.findall(nodes.entry):
            if not entry.astext().strip():
                name = nodes.inline("", "name", classes=["visually-hidden"])
                entry.children = [nodes.paragraph("", "", name)]


def say_what_is_read(app, env, names):
    "Print which pages have changed."
    some = ", ".join(names[:5]) + (" …" if names[5:] else "")
    print(f"{len(names)} of {len(env.found_docs)} pages to be read: {some}")


def setup(app):
    "What Sphinx calls first."
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    app.add_config_value("course_code", code, "env")  # other code, and every page is read again
    app.connect("doctree-read", anchors, priority=100)
    app.connect("doctree-read", name_columns, priority=100)
    app.connect("env-before-read-docs", say_what_is_read)
    return {"parallel_read_safe": True}


# --- building


def build() -> bool:  # True if all is well
    "Process the notebooks, translate them, let Sphinx write the site, and put it into `_site`."
    from sphinx.application import Sphinx

    os.chdir(ROOT)
    cache = ROOT / "data" / "cache" / "site"
    write_sources(processed(), cache / "source")
    with tarfile.open(npm_package("mathjax", ROOT / "data" / "cache" / "npm")) as package:
        script = package.extractfile("package/es5/tex-svg.js").read().decode()
    _write(cache / "assets" / "tex-svg.js", script)
    app = Sphinx(
        cache / "source",
        Path(__file__).parent,  # where conf.py is
        cache / "html",
        cache / "doctrees",
        "html",
        status=None,
        warningiserror=True,
    )
    app.build()
    if app.statuscode:
        shutil.rmtree(cache / "doctrees")  # so that the next run warns again
        return False
    files = {}
    for path in (cache / "html").rglob("*"):
        name = path.relative_to(cache / "html").as_posix()
        if path.is_file() and not re.match(r"\.buildinfo|objects\.inv", name):
            files[name] = path.read_bytes()
    write_folder(ROOT / "_site", files)
    return True


def make_docs() -> bool:  # True if all is well
    "What `make docs` does."
    start = time.time()
    try:
        fine = build()
    except (OSError, ValueError) as error:
        sys.exit(f"make docs: {error}")
    if fine:
        seconds = time.time() - start
        print(f"The site is in {ROOT / '_site'} ({seconds:.0f} s). Open _site/index.html.")
    return fine
