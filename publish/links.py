"""Links between notebooks: `05_optimizers.ipynb`, and `glossary.ipynb#cell-id=adam` for a cell.

JupyterLab follows them as they are. The site has anchors, a single file the public addresses."""

import os
import re
from functools import lru_cache
from pathlib import Path

import nbformat

from publish.lessons import ROOT, colab, pyproject, single_files
from publish.refresh import headings

NBS = ROOT / "nbs"
LINK = re.compile(r'(\]\(|href=")(?!\w+:)([^)\s"#]+\.ipynb)(#cell-id=([\w-]+))?(?=[)"])')
LEFT_OUT = re.compile(r"^#\| *(export|exporti|hide|default_exp)( |$)", re.MULTILINE)  # by nbdev


def texts(
    cell,  # of a notebook
):  # of pairs: what holds a text, and its key there
    "Where links may stand: a Markdown cell, and the stored outputs of a code cell."
    if cell.cell_type == "markdown":
        yield cell, "source"
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        for kind in ("text/html", "text/markdown"):
            if kind in data:
                data[kind] = "".join(data[kind])  # in a file it may be a list of lines
                yield data, kind


def replace_links(
    cells,  # of a notebook
    change,  # from a notebook's name as it is written, and the id of a cell or '', to a link
):
    "Change the links to notebooks in cells and in their outputs."

    def changed(match):
        begin, name, _, cell_id = match.groups("")
        return begin + change(name, cell_id)

    for cell in cells:
        for holder, key in texts(cell):
            holder[key] = LINK.sub(changed, holder[key])


# --- what a page has


def target(
    page: Path,  # the notebook with the link
    name: str,  # as the link writes it
) -> Path:  # of the notebook where it leads
    "Where a link leads; `ValueError` if there is no such notebook."
    path = Path(os.path.normpath(page.parent / name))
    if not path.is_file():
        raise ValueError(f"{page.name} links to {name}, and there is no such notebook.")
    return path


@lru_cache(maxsize=64)
def _read(path, changed):
    "A notebook as it is since it was changed; many links lead to the same one."
    return nbformat.read(path, as_version=4)


def anchor(
    path: Path,  # a notebook
    cell_id: str,  # of one of its cells
) -> str:  # '' for the cell with the title
    "What the site calls a cell; `ValueError` where it has no name for it."
    notebook = _read(path, path.stat().st_mtime_ns)
    found = [cell for cell in notebook.cells if cell.id == cell_id]
    if not found:
        raise ValueError("there is no such cell")
    [cell] = found
    if cell.cell_type == "code":
        if LEFT_OUT.search(cell.source):
            raise ValueError("the site leaves that cell out")
        return cell_id
    if cell is notebook.cells[0]:
        return ""
    for _, name, identity in headings(notebook):
        if identity == cell_id:
            return name
    raise ValueError("that cell has no heading")


def on_site(
    page: Path,  # the notebook with the link
    name: str,  # as the link writes it
    cell_id: str,  # '' for the notebook itself
) -> str:
    "A link as the site has it; `ValueError` names page and link if it leads nowhere."
    path = target(page, name)
    if not cell_id:
        return name
    try:
        place = anchor(path, cell_id)
    except ValueError as error:
        raise ValueError(f"{page.name} links to {name}#cell-id={cell_id}: {error}.") from None
    return f"{name}#{place}" if place else name


class links_proc:
    "Links to cells lead to the anchors of the site. nbdev calls it for each cell (`doc_procs`)."

    def __init__(self, nb):
        self.path = Path(nb.path_)

    def __call__(self, cell):
        def change(name, cell_id):
            return on_site(self.path, name, cell_id)

        replace_links([cell], change)


# --- what a single file has


def public(
    page: Path,  # the notebook with the link
    name: str,  # as the link writes it
    cell_id: str,  # '' for the notebook itself
) -> str:
    "Where a link of a single file leads: to another single file, else to the site."
    path = target(page, name)
    if not cell_id and path in single_files():
        return colab(path.name)
    site = pyproject()["project"]["urls"]["Documentation"].rstrip("/")
    place = on_site(page, name, cell_id).partition("#")[2]
    folder = path.parent.relative_to(NBS).as_posix()
    html = re.sub(r"^\d+[a-z]*_", "", path.stem) + ".html"  # as nbdev names it
    address = "/".join([site, *folder.split("/"), html]).replace("/./", "/")
    return f"{address}#{place}" if place else address


def make_public(
    notebook,  # it is changed
    page: Path,  # where it comes from
):
    "Let the links of a single file lead to public addresses."

    def change(name, cell_id):
        return public(page, name, cell_id)

    replace_links(notebook.cells, change)
