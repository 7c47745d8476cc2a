"What nbdev writes for Quarto, as MyST reads it: links, callouts, options of cells, functions."

import os
import re
from html import escape

import yaml
from nbformat.v4 import new_markdown_cell, new_notebook

from publish.lessons import is_buttons
from publish.refresh import without_code

# --- texts


class Links:
    "Translates the links of one page."

    def __init__(
        self,
        name: str,  # path of its notebook below `nbs`
        pages: dict,  # as `page_names` gives them
        documentation: str = "",  # public address of the site: nbdev's links to functions begin so
    ):
        self.name = name
        self.pages = pages
        self.documentation = documentation
        self.folder = os.path.dirname(name)

    def _relative(self, page):
        "The way from this page to another one."
        return os.path.relpath(page, self.folder or ".").replace(os.sep, "/")

    def _page(self, notebook):
        "The way to the page of a notebook; `ValueError` if there is none."
        target = os.path.normpath(os.path.join(self.folder, notebook)).replace(os.sep, "/")
        if target not in self.pages:
            raise ValueError(
                f"{self.name} links to {target}, which nbs/sidebar.yml does not list. "
                "Was that notebook renamed?"
            )
        return self._relative(self.pages[target])

    def translate(self, text):
        "Links to notebooks, and to functions that are documented, lead to pages."

        def to_notebook(link):
            return f"]({self._page(link[1])}.ipynb"

        def to_page(link):
            return f'href="{self._page(link[1])}.html'

        def to_function(link):
            return f"]({self._relative(link[1])}.ipynb"

        text = re.sub(r"\]\((?!\w+:)([^)#\s]+\.ipynb)(?=[)#])", to_notebook, text)
        text = re.sub(r'href="(?!\w+:)([^"#]+\.ipynb)(?=["#])', to_page, text)
        if self.documentation:
            begin = re.escape(self.documentation)
            text = re.sub(rf"\]\({begin}([\w/-]+)\.html(?=[)#])", to_function, text)
        return text


def translate(
    text: str,  # Markdown or HTML, of a cell or of an output
    links: Links,
) -> str:  # Markdown for MyST
    "Links, callouts and attributes as MyST reads them."
    text = links.translate(text)
    text = re.sub(r"^:::+ *\{\.callout-(\w+)[^}\n]*\}", r":::{\1}", text, flags=re.MULTILINE)
    text = re.sub(r'!\[[^\]]*\](\([^)\s]+\))\{fig-alt="([^"]*)"[^}\n]*\}', r"![\2]\1", text)
    return re.sub(r"(\]\([^)\s]*\))\{target=[^}\n]*\}", r"\1", text)


# --- code cells

WIDGET = "application/vnd.jupyter.widget-view+json"
OPTIONS = {"fig-alt", "echo", "output", "eval", "exports", "code-fold", "code-summary"}


def outputs(cell, links):
    "The outputs of a code cell that a page can show."
    shown = []
    for output in cell.outputs:
        data = output.get("data", {})
        if WIDGET in data:
            continue
        if len(data) > 1:
            data.pop("text/plain", None)
        for kind in ("text/markdown", "text/html"):
            if kind in data:
                text = translate(data[kind], links)
                data[kind] = text.replace("<th></th>", "<td></td>")
        shown.append(output)
    return shown


def has_picture(cell) -> bool:
    "True if a code cell has a stored picture."
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


def read_options(
    cell,  # of code
    name: str,  # path of its notebook, for the error message
) -> dict:
    "The options that Quarto reads (`#| fig-alt: …`); `ValueError` for one that is not known."
    lines = re.findall(r"^#\| *([\w-]+:.*)$", cell.source, re.MULTILINE)
    try:
        options = yaml.safe_load("\n".join(lines)) or {}
    except yaml.YAMLError:
        raise ValueError(
            f"{name}: the options of this cell are not YAML, which Quarto wants. "
            f"Put quotes around a text with a colon:\n{cell.source}"
        ) from None
    unknown = set(options) - OPTIONS
    if unknown:
        raise ValueError(f"{name}: `make docs` does not know the option {min(unknown)}.")
    if has_picture(cell) and "fig-alt" not in options:
        raise ValueError(
            f"{name} draws a picture without alternative text. "
            f'Put what it shows into the cell\'s metadata, as "alt":\n{cell.source}'
        )
    return options


def code(cell, links):
    "Turn the options that Quarto reads into the metadata that myst-nb reads."
    options = read_options(cell, links.name)
    lines = [line for line in cell.source.splitlines() if not line.startswith("#|")]
    cell.source = "\n".join(lines).strip()
    tags = []
    if options.get("echo") is False:
        tags.append("remove-input")
    if options.get("output") is False:
        tags.append("remove-output")
    if options.get("code-fold") in (True, "true"):
        tags.append("hide-input")
    image = {"alt": options.get("fig-alt", "")}
    cell.metadata = {"tags": tags, "anchor": cell.id, "mystnb": {"image": image}}
    cell.outputs = outputs(cell, links)
    return cell


def documented(
    cell,  # with a call of `show_doc`
    level: int,  # of the heading
) -> str:  # Markdown
    "The documentation of an exported function as text."
    texts = [output.get("data", {}).get("text/markdown", "") for output in cell.outputs]
    text = re.sub(r"^---\s*", "", "".join(texts))

    def heading(line):
        return "#" * level + " " + line[1].replace("_", r"\_")

    text = re.sub(r"^#+ (.*)$", heading, text, count=1, flags=re.MULTILINE)
    signature = re.compile(r"^```python\n.*?^```$", re.MULTILINE | re.DOTALL)
    return signature.sub(r":::{container} api\n\g<0>\n:::", text, count=1)


# --- pages

FACTS = {
    "minutes": "Minutes",
    "runs": "Runs in",
    "prerequisites": "You need",
    "data": "Data",
    "hardware": "Hardware",
}


def front_matter(
    notebook,  # as nbdev processed it
    name: str,  # its path below `nbs`, for the error message
) -> dict:
    "Title, description and page name of a processed notebook; `ValueError` if it has none."
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "raw":
        raise ValueError(
            f'{name} has no title. Begin it with a cell of two lines: "# Title" and '
            '"> What it is about."'
        )
    return yaml.safe_load(first.source.strip().strip("-"))


def front(
    facts: dict,  # as from `front_matter`
    opening: str,  # Markdown of the cell with the buttons, or ''
) -> list:  # cells
    "The first cells of a page: title, what it is about, buttons, what a lesson needs."
    texts = [f"# {facts['title']}"]
    if facts.get("description"):
        texts.append(f":::{{container}} about\n{facts['description']}\n:::")
    links = re.findall(r"\[([^\]]+)\]\(([^)]+)\)", opening)
    if links:
        labels = [f'<a class="btn" href="{escape(url)}">{label}</a>' for label, url in links]
        texts.append(f'<p class="launch">{" ".join(labels)}</p>')
    lines = [f"- **{label}** {facts[key]}" for key, label in FACTS.items() if facts.get(key)]
    if lines:
        texts.append("\n".join([":::{container} facts", *lines, ":::"]))
    return [new_markdown_cell(text) for text in texts]


def adapt(
    notebook,  # as nbdev processed it; it is changed
    links: Links,  # of its page
):  # the notebook that myst-nb reads
    "Translate a processed notebook, cell by cell."
    opening = ""
    level = 1  # of the last heading
    cells = []
    for cell in notebook.cells[1:]:
        if cell.cell_type == "code":
            if not cell.source.strip():
                continue
            if re.search(r"^show_doc\(", cell.source, re.MULTILINE):
                text = translate(documented(cell, level + 1), links)
                cells.append(new_markdown_cell(text))
            else:
                cells.append(code(cell, links))
        elif cell.cell_type == "markdown":
            if is_buttons(cell):
                way, _, opening = cell.source.partition("\n\n")
                cell.source = way
            if cell.source.startswith("<!-- WARNING"):
                continue
            cell.source = translate(cell.source, links)
            for marks in re.findall(r"^(#+) ", without_code(cell.source), re.MULTILINE):
                level = len(marks)
            cells.append(cell)
    cells = front(front_matter(notebook, links.name), opening) + cells
    for number, cell in enumerate(cells):
        cell.id = f"{number}"
    kernel = {"display_name": "python3", "language": "python", "name": "python3"}
    language = {"name": "python", "pygments_lexer": "ipython3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": language})
