"What nbdev writes for Quarto, as MyST reads it: links, callouts, options of cells, the documentation of functions."

import os
import re
from html import escape

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell


def translate(
    text: str,  # Markdown or HTML, of a cell or of an output
    name: str,  # path of its notebook below `nbs`
    pages: dict,  # as `page_names` gives them
    documentation: str = "",  # public address of the site: nbdev's links to documented functions begin with it
) -> str:  # Markdown for MyST
    "Links, callouts and attributes as MyST reads them; `ValueError` for a link to a notebook that does not exist."
    folder = os.path.dirname(name)

    def relative(page):
        return os.path.relpath(page, folder or ".").replace(os.sep, "/")

    def page(target):
        target = os.path.normpath(os.path.join(folder, target)).replace(os.sep, "/")
        if target not in pages:
            raise ValueError(
                f"{name} links to {target}, which nbs/sidebar.yml does not list. Was that notebook renamed?"
            )
        return relative(pages[target])

    text = re.sub(
        r"\]\((?!\w+:)([^)#\s]+\.ipynb)(?=[)#])", lambda link: f"]({page(link[1])}.ipynb", text
    )
    text = re.sub(
        r'href="(?!\w+:)([^"#]+\.ipynb)(?=["#])', lambda link: f'href="{page(link[1])}.html', text
    )
    if documentation:
        text = re.sub(
            rf"\]\({re.escape(documentation)}([\w/-]+)\.html(?=[)#])",
            lambda link: f"]({relative(link[1])}.ipynb",
            text,
        )
    text = re.sub(r"^:::+ *\{\.callout-(\w+)[^}\n]*\}", r":::{\1}", text, flags=re.M)
    text = re.sub(r'!\[[^\]]*\](\([^)\s]+\))\{fig-alt="([^"]*)"[^}\n]*\}', r"![\2]\1", text)
    return re.sub(r"(\]\([^)\s]*\))\{target=[^}\n]*\}", r"\1", text)


WIDGET = "application/vnd.jupyter.widget-view+json"


def outputs(cell, name, pages, documentation=""):
    "The outputs of a code cell that a page can show."
    shown = []
    for output in cell.outputs:
        if data := output.get("data"):
            if WIDGET in data:
                continue
            if len(data) > 1:
                data.pop("text/plain", None)
            for kind in ("text/markdown", "text/html"):
                if kind in data:
                    data[kind] = translate(data[kind], name, pages, documentation).replace(
                        "<th></th>", "<td></td>"
                    )
        shown.append(output)
    return shown


def code(cell, name):
    "Turn the options that Quarto reads (`#| fig-alt: …`) into the metadata that myst-nb reads; `ValueError` for one that it does not know."
    lines = cell.source.splitlines()
    try:
        options = (
            yaml.safe_load(
                "\n".join(line[2:].strip() for line in lines if re.match(r"#\| *[\w-]+:", line))
            )
            or {}
        )
    except yaml.YAMLError:
        raise ValueError(
            f"{name}: the options of this cell are not YAML, which Quarto wants. Put quotes around a text with a colon:\n{cell.source}"
        ) from None
    cell.source = "\n".join(line for line in lines if not line.startswith("#|")).strip()
    if unknown := set(options) - {
        "fig-alt",
        "echo",
        "output",
        "eval",
        "exports",
        "code-fold",
        "code-summary",
    }:
        raise ValueError(f"{name}: `make docs` does not know the option {min(unknown)}.")
    if "fig-alt" not in options and any(
        "image/png" in output.get("data", {}) for output in cell.outputs
    ):
        raise ValueError(
            f'{name} draws a picture without alternative text. Begin the cell with "#| fig-alt: What the picture shows.":\n{cell.source}'
        )
    tags = [
        tag
        for tag, wanted in (
            ("remove-input", options.get("echo") is False),
            ("remove-output", options.get("output") is False),
            ("hide-input", options.get("code-fold") in (True, "true")),
        )
        if wanted
    ]
    cell.metadata = {
        "tags": tags,
        "anchor": cell.id,
        "mystnb": {"image": {"alt": options.get("fig-alt", "")}},
    }
    return cell


def documented(cell, level):
    "The documentation of an exported function as text, its heading at the given level."
    text = "".join(
        output["data"]["text/markdown"]
        for output in cell.outputs
        if "text/markdown" in output.get("data", {})
    )
    text = re.sub(r"^---\s*", "", text)
    text = re.sub(
        r"^#+ (.*)$",
        lambda heading: "#" * level + " " + heading[1].replace("_", r"\_"),
        text,
        count=1,
        flags=re.M,
    )
    return re.sub(
        r"^```python\n.*?^```$", r":::{container} api\n\g<0>\n:::", text, count=1, flags=re.M | re.S
    )


def front_matter(
    notebook,  # as nbdev processed it
    name: str,  # its path below `nbs`, for the error message
) -> dict:
    "Title, description and page name of a processed notebook; `ValueError` if it has none."
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "raw":
        raise ValueError(
            f'{name} has no title. Begin it with a cell of two lines: "# Title" and "> What it is about."'
        )
    return yaml.safe_load(first.source.strip().strip("-"))


def front(facts, opening):
    "The first cells of a page: title, what it is about, buttons, what a lesson needs."
    text = [f"# {facts['title']}"]
    if about := facts.get("description"):
        text.append(f":::{{container}} about\n{about}\n:::")
    if opening:
        text.append(
            '<p class="launch">'
            + " ".join(
                f'<a class="btn" href="{escape(url)}">{label}</a>'
                for label, url in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", opening)
            )
            + "</p>"
        )
    known = [
        (label, facts[key])
        for key, label in (
            ("minutes", "Minutes"),
            ("prerequisites", "You need"),
            ("data", "Data"),
            ("hardware", "Hardware"),
        )
        if facts.get(key)
    ]
    if known:
        text.append(
            ":::{container} facts\n"
            + "\n".join(f"- **{label}** {value}" for label, value in known)
            + "\n:::"
        )
    return [new_markdown_cell(part) for part in text]


def adapt(
    notebook,  # as nbdev processed it; it is changed
    name: str,  # its path below `nbs`
    pages: dict,  # as `page_names` gives them
    documentation: str = "",  # public address of the site
):  # the notebook that myst-nb reads
    "Translate a processed notebook, cell by cell."
    facts, opening, cells, level = front_matter(notebook, name), "", [], 1
    for cell in notebook.cells[1:]:
        if cell.cell_type == "code" and cell.source.strip():
            if re.search(r"^show_doc\(", cell.source, re.M):
                cells.append(
                    new_markdown_cell(
                        translate(documented(cell, level + 1), name, pages, documentation)
                    )
                )
            else:
                cells.append(code(cell, name))
                cell.outputs = outputs(cell, name, pages, documentation)
        elif cell.cell_type == "markdown" and cell.source.startswith("[Open in Colab]"):
            opening = cell.source
        elif cell.cell_type == "markdown" and not cell.source.startswith("<!-- WARNING"):
            cell.source = translate(cell.source, name, pages, documentation)
            for heading in re.findall(
                r"^(#+) ", re.sub(r"^```.*?^```", "", cell.source, flags=re.M | re.S), re.M
            ):
                level = len(heading)
            cells.append(cell)
    cells = front(facts, opening) + cells
    for place, cell in enumerate(cells):
        cell.id = f"{place}"
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "python3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        },
    )
