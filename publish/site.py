"`make docs`: the whole course as a folder of pages that need no network, made from the notebooks that nbdev has processed."

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell

from publish.lessons import ROOT, address, write_folder
from publish.myst import adapt, front_matter
from publish.refresh import slug


def sections(
    contents: list = None,  # as in the sidebar file, which is read without
    caption: str = "",  # the section these belong to
) -> list:  # pairs (caption, paths of notebooks below `nbs`), in order
    "The sidebar as a flat list of sections."
    if contents is None:
        contents = yaml.safe_load((ROOT / "nbs" / "sidebar.yml").read_text(encoding="utf-8"))[
            "website"
        ]["sidebar"]["contents"]
    here, below = [], []
    for entry in contents:
        if isinstance(entry, str):
            here.append(entry)
        else:
            below += sections(entry["contents"], entry["section"])
    return [(caption, here), *below] if here else below


def page_names(
    notebooks: dict,  # path below `nbs` to the processed notebook
) -> dict:  # path below `nbs` to the path of the page, without `.html`
    "A name for each page, as nbdev chose it; `ValueError` if two are the same, for one of the two pages would be lost."
    pages = {
        name: (Path(name).parent / front_matter(notebook, name)["output-file"])
        .with_suffix("")
        .as_posix()
        for name, notebook in notebooks.items()
    }
    for name, page in pages.items():
        if twins := [other for other in pages if other != name and pages[other] == page]:
            raise ValueError(
                f"{name} and {twins[0]} would both become {page}.html, since nbdev takes the number off. Give one of them another name."
            )
    return pages


PACKAGES = {
    "mathjax": (
        "3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
    )
}


def _genuine(path, integrity):
    method, _, digest = integrity.partition("-")
    return (
        path.is_file()
        and base64.b64encode(hashlib.new(method, path.read_bytes()).digest()).decode() == digest
    )


def npm_package(
    name: str,  # one of `PACKAGES`
    cache: Path,  # folder that keeps it
) -> Path:  # the package as npm packs it, verified
    "Fetch a package from npm once; `OSError` if that cannot be done, or what came is not what was pinned."
    version, integrity = PACKAGES[name]
    path = cache / f"{name}-{version}.tgz"
    if _genuine(path, integrity):
        return path
    cache.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        if npm := shutil.which("npm"):
            subprocess.run(
                [npm, "pack", f"{name}@{version}", "--silent", "--pack-destination", str(cache)],
                check=True,
                capture_output=True,
                text=True,
                timeout=300,
            )
        else:
            import requests

            answer = requests.get(
                f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz", timeout=60
            )
            answer.raise_for_status()
            path.write_bytes(answer.content)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        raise OSError(
            f"{name} {version} could not be fetched from npm ({reason}). It is needed once, with a network; or put {path.name} into {cache} yourself."
        ) from None
    if not _genuine(path, integrity):
        path.unlink(missing_ok=True)
        raise OSError(
            f"What npm gave as {name} {version} is not what was pinned in helpers/site.py, so it is not used."
        )
    return path


def _write(path, text):
    "Write a file if it differs: Sphinx reads again what is newer than its last look."
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def contents(
    pages: dict,  # as `page_names` gives them
    titles: dict,  # path below `nbs` to the title
) -> str:  # Markdown for the end of the front page
    "The sidebar, as Sphinx wants it: lessons with their number."
    text = []
    for caption, names in sections():
        entries = [
            f"{Path(name).name[:2]} {titles[name]} <{pages[name]}>"
            if re.match(r"\d\d_", name)
            else pages[name]
            for name in names
            if pages[name] != "index"
        ]
        if entries:
            text.append(
                "\n".join(
                    [
                        ":::{toctree}",
                        ":hidden:",
                        *([f":caption: {caption}"] if caption else []),
                        "",
                        *entries,
                        ":::",
                    ]
                )
            )
    return "\n\n".join(text)


def write_sources(
    proc: Path,  # the folder of notebooks that nbdev processed
    folder: Path,  # where Sphinx reads
):
    "Translate every page; only files that differ are written, and those of pages that are gone are removed."
    from nbdev.config import get_config

    names = [name for _, part in sections() for name in part]
    if lost := sorted(
        {path.relative_to(proc).as_posix() for path in proc.rglob("*.ipynb")} ^ set(names)
    ):
        raise ValueError(f"Either nbs/sidebar.yml or the folder nbs lacks {lost[0]}.")
    notebooks = {name: nbformat.read(proc / name, as_version=4) for name in names}
    pages, titles = (
        page_names(notebooks),
        {name: front_matter(notebook, name)["title"] for name, notebook in notebooks.items()},
    )
    config = get_config()
    documentation = f"{config.doc_host}{config.doc_baseurl}".rstrip("/") + "/"
    written = {folder / f"{page}.ipynb" for page in pages.values()}
    for name, notebook in notebooks.items():
        page = adapt(notebook, name, pages, documentation)
        if pages[name] == "index":
            page.cells.append(new_markdown_cell(contents(pages, titles), id="contents"))
        _write(folder / f"{pages[name]}.ipynb", nbformat.writes(page))
    for path in folder.rglob("*.ipynb"):
        if path not in written:
            path.unlink()
            (folder.parent / "html" / path.relative_to(folder)).with_suffix(".html").unlink(
                missing_ok=True
            )


def anchors(app, doctree):
    "Give headings the anchors that Quarto gives them, code cells their ids, and columns without a name one that is heard, not seen."
    from docutils import nodes

    known, taken = app.env.metadata[app.env.docname].setdefault("myst_slugs", {}), {}
    known.clear()
    for section in doctree.findall(nodes.section):
        title = section[0].astext()
        wanted = slug(title)
        taken[wanted] = taken.get(wanted, -1) + 1
        section["ids"] = [wanted if not taken[wanted] else f"{wanted}-{taken[wanted]}"]
        known[section["ids"][0]] = (None, section["ids"][0], title)
    for cell in doctree.findall(
        lambda node: isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"
    ):
        anchor = cell["cell_metadata"]["anchor"]
        cell["ids"] = [anchor]
        known[anchor] = (None, anchor, anchor)
    for head in doctree.findall(nodes.thead):
        for entry in head.findall(nodes.entry):
            if not entry.astext().strip():
                entry.children = [
                    nodes.paragraph("", "", nodes.inline("", "name", classes=["visually-hidden"]))
                ]


def setup(app):
    "What Sphinx calls: this module is one of its extensions."
    app.add_config_value(
        "course_code", hashlib.sha256(Path(__file__).read_bytes()).hexdigest(), "env"
    )  # other code, and every page is read again
    app.connect("doctree-read", anchors, priority=100)
    app.connect(
        "env-before-read-docs",
        lambda app, env, names: print(
            f"{len(names)} of {len(env.found_docs)} pages to be read: {', '.join(names[:5])}{' …' if names[5:] else ''}"
        ),
    )
    return {"parallel_read_safe": True}


def processed() -> Path:  # the folder of processed notebooks
    "Let nbdev process the notebooks that have changed; all of them if one of the course's own processors (`doc_procs`) has."
    import importlib

    from nbdev.config import get_config
    from nbdev.serve import proc_nbs

    mine = [
        Path(importlib.import_module(name.partition(":")[0]).__file__).stat().st_mtime
        for name in get_config().doc_procs
    ]
    folder = ROOT / "_proc"
    return proc_nbs(
        str(ROOT / "nbs"),
        n_workers=0,
        force=folder.is_dir() and max(mine, default=0) > folder.stat().st_mtime,
    )


def build() -> int:  # 0 if all is well
    "Process the notebooks with nbdev, translate them, let Sphinx write the site, and put it into `_site`."
    from sphinx.application import Sphinx

    os.chdir(ROOT)
    cache, assets = ROOT / "data" / "cache" / "site", ROOT / "nbs" / "assets"
    write_sources(processed(), cache / "source")
    with tarfile.open(npm_package("mathjax", ROOT / "data" / "cache" / "npm")) as package:
        mathjax = package.extractfile("package/es5/tex-svg.js").read().decode()
    _write(cache / "assets" / "tex-svg.js", mathjax)
    _write(
        cache / "templates" / "course-logo.html",
        '<nav aria-label="Course">{% include "navbar-logo.html" %}</nav>',
    )  # the name of the course is a way to go, for those who hear the page
    settings = dict(
        project="What's Inside a Neural Net?",
        html_title="What's Inside a Neural Net?",
        language="en",
        extensions=["myst_nb", "sphinx.ext.mathjax", "publish.site"],
        nb_execution_mode="off",
        nb_render_markdown_format="myst",
        myst_enable_extensions=["attrs_inline", "colon_fence", "dollarmath"],
        myst_heading_anchors=6,
        myst_dmath_allow_space=False,
        myst_dmath_allow_digits=False,
        myst_dmath_double_inline=True,
        mathjax_path="tex-svg.js",
        mathjax3_config={"options": {"enableMenu": False}},
        html_theme="sphinx_book_theme",
        html_static_path=[str(assets), str(cache / "assets")],
        html_css_files=["site.css"],
        html_js_files=["site.js"],
        html_favicon=str(assets / "favicon.svg"),
        html_logo=str(assets / "favicon.svg"),
        templates_path=[str(cache / "templates")],
        html_sidebars={
            "**": ["course-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"]
        },
        html_use_index=False,
        html_copy_source=False,
        html_show_sourcelink=False,
        html_show_search_summary=False,
        html_show_copyright=False,
        html_show_sphinx=False,
        html_context={"default_mode": "auto"},
        html_theme_options=dict(
            repository_url=address(),
            use_repository_button=True,
            use_download_button=False,
            use_fullscreen_button=False,
            navbar_persistent=[],
            show_toc_level=2,
            logo=dict(text="What's Inside a Neural Net?", alt_text=""),
            pygments_light_style="a11y-high-contrast-light",
            pygments_dark_style="a11y-high-contrast-dark",
        ),
    )
    app = Sphinx(
        cache / "source",
        None,
        cache / "html",
        cache / "doctrees",
        "html",
        settings,
        status=None,
        warningiserror=True,
    )
    app.build()
    if app.statuscode:
        shutil.rmtree(cache / "doctrees")  # so that the next run warns again
    else:
        files = [path for path in (cache / "html").rglob("*") if path.is_file()]
        names = {path.relative_to(cache / "html").as_posix(): path for path in files}
        wanted = [name for name in names if not re.match(r"\.buildinfo|objects\.inv", name)]
        write_folder(ROOT / "_site", {name: names[name].read_bytes() for name in wanted})
    return app.statuscode


def main(arguments):
    "Entry point of `make docs`."
    start = time.time()
    try:
        failed = build()
    except (OSError, ValueError) as error:
        sys.exit(f"make docs: {error}")
    if not failed:
        print(
            f"The site is in {ROOT / '_site'} ({time.time() - start:.0f} s). Open _site/index.html."
        )
    return failed
