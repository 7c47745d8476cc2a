"""What is made from the lessons: *Then and now* and the glossary; and what is written into them.

*Then and now* has every claim of the lectures with its verdict. The glossary links each term to
the cell that builds it. Into the notebooks go the ways to other lessons, buttons, the set-up cell,
what the exercises need, the folded answers of a quiz and the words of the lesson."""

import html
import json
import re
from collections import Counter
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from helpers.course.quiz import quiz_text
from publish import lessons as project
from publish.exercises import lead_in
from publish.lessons import ROOT, buttons, is_buttons, is_set_up, set_up, single_files

# As the tables have them, as the page has them.
VERDICTS = {
    "holds": "Holds",
    "in part": "In part",
    "does not hold": "Does not hold",
    "not shown": "Not shown",
}
QUIZ_TEXT = "<details><summary>The same questions"  # how the folded answers begin


# --- headings and their anchors


def slug(
    heading: str,  # its text, without the #
) -> str:
    "The anchor that Pandoc gives a heading."
    words = re.sub(r"[^\w\s.-]", "", heading.lower())
    anchor = re.sub(r"\s+", "-", words.strip())
    return re.sub(r"^[^a-z]+", "", anchor) or "section"


def without_code(
    text: str,  # Markdown
) -> str:
    "A text without its blocks of code, in which # begins no heading."
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(
    notebook,  # a lesson
) -> list:  # triples: text, anchor, id of its cell; in order
    "The headings of a notebook; a text that comes again has -1, -2 at its anchor."
    triples = []
    counts = Counter()
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for text in re.findall(r"^#{1,6} +(.+?)\s*$", without_code(cell.source), re.MULTILINE):
            anchor = slug(text)
            number = counts[anchor]
            counts[anchor] += 1
            triples.append((text, f"{anchor}-{number}" if number else anchor, cell.id))
    return triples


def title(
    notebook,  # a lesson
) -> str:
    "The title of a notebook."
    return headings(notebook)[0][0]


def short_title(
    notebook,  # a lesson
) -> str:  # '' where it has no short one
    "The beginning of a title; JupyterLab's tools for a cell lie over the end of a long line."
    short = re.split(r"[:,]|(?<=\?)", title(notebook))[0]
    return short if len(short) <= 31 else ""


def link_to(
    page: str,  # file name of a notebook
    cell: str,  # id of one of its cells
) -> str:
    "The address of a cell: see `publish.links`."
    return f"{page}#cell-id={cell}"


def lessons() -> dict:  # file name to notebook
    "The lessons of the course, in order."
    return {path.name: nbformat.read(path, as_version=4) for path in project.lessons()}


# --- the claims of a lesson


def _table_rows(text):
    "The rows of a Markdown table as dictionaries by column."
    lines = []
    for line in text.splitlines():
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        lines.append([cell.strip().replace("\\|", "|") for cell in cells])
    columns, _, *rows = lines
    return [dict(zip(columns, row)) for row in rows]


def _plain(text):
    "A text that `as_text` made safe for Markdown, as it was."
    return html.unescape(re.sub(r"\\([*_~|$(])", r"\1", text))


def claims(
    notebook,  # a lesson
) -> tuple:  # id of the table's cell, and its rows as dictionaries by column
    "The stored table of a lesson's claims; `ValueError` if there is none."
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if not re.search(r"^then_and_now\(", cell.source, re.MULTILINE):
            continue
        for output in cell.outputs:
            text = output.get("data", {}).get("text/markdown")
            if text:
                rows = _table_rows(text)
                for row in rows:
                    row["checked in"] = _plain(row["checked in"])
                return cell.id, rows
    raise ValueError(
        f"{title(notebook)}: no stored output of then_and_now([...]). Run the lesson and save it."
    )


def sections(
    notebook,  # a lesson
) -> dict:  # heading to id of its cell; headings of exercises begin with 'Exercise: '
    "What a table of claims may name as the place that decided."
    cells = {}
    among = ""
    for text, _, cell in headings(notebook)[1:]:
        cells.setdefault(f"{among}{text}", cell)
        if text == "Exercises":
            among = "Exercise: "
    return cells


def _split(where, known):
    "The headings in a list with commas, [] if one is unknown; a heading may hold a comma too."
    for heading in known:
        if where == heading:
            return [heading]
        if where.startswith(f"{heading}, "):
            others = _split(where.removeprefix(f"{heading}, "), known)
            if others:
                return [heading, *others]
    return []


def decided(
    where: str,  # what the table says: headings in full, several with commas, or 'here'
    notebook,  # the lesson
    cell: str,  # id of the table's cell
    page: str,  # file name of the lesson, where the links lead
) -> str:  # links, as Markdown
    "Where a claim was decided; `ValueError` for a heading that does not exist."
    if where == "here":
        return f"[the table's own cell]({link_to(page, cell)})"
    cells = sections(notebook)
    links = []
    for heading in _split(where, cells):
        links.append(f"[{heading.removeprefix('Exercise: ')}]({link_to(page, cells[heading])})")
    if not links:
        raise ValueError(
            f"{title(notebook)}: the table of claims says {where!r}, and no section is called so. "
            "Write headings in full, with 'Exercise: ' before that of an exercise."
        )
    return " and ".join(links)


# --- the two pages


def page(
    cells: dict,  # id to Markdown
):
    "A notebook of texts, the same whenever it is made from the same texts."
    made = [new_markdown_cell(text, id=identity) for identity, text in cells.items()]
    kernel = {"display_name": "python3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel}
    notebook = dict(nbformat=4, nbformat_minor=5, metadata=metadata, cells=made)
    return nbformat.from_dict(notebook)


def _note(notebook):
    "What stands in brackets under the heading *Then and now*, or an empty text."
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "## Then and now" in cell.source:
            text = cell.source.partition("## Then and now")[2].strip()
            return text if text.startswith("(") else ""
    return ""


def _claims_of(name, notebook):
    "A lesson's part of *Then and now*: its Markdown, and how often each verdict is given."
    cell, rows = claims(notebook)
    counts = Counter(row["verdict"] for row in rows)
    unknown = set(counts) - set(VERDICTS)
    if unknown:
        raise ValueError(f"{title(notebook)}: unknown verdict {', '.join(sorted(unknown))}.")
    subtitle = re.search(r"^> (.+)$", notebook.cells[0].source, re.MULTILINE)[1]
    parts = [f"## {_claims_heading(name, notebook)}", f"{subtitle} [Open the lesson]({name})."]
    note = _note(notebook)
    if note:
        parts.append(note)
    for n, row in enumerate(rows, start=1):
        verdict = VERDICTS[row["verdict"]]
        links = decided(row["checked in"], notebook, cell, name)
        parts.append(
            f"{n}. {row['said']}\n\n   **{verdict}:** {row['found here']}. Decided in {links}."
        )
    return "\n\n".join(parts), counts


def _claims_heading(name, notebook):
    return f"Lesson {name[:2]}: {title(notebook)}"


def _markdown_table(rows):
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _in_words(counts):
    "How many claims there are of each verdict, for the top of the page."
    words = [
        f"{counts['holds']} hold",
        f"{counts['in part']} hold in part",
        f"{counts['does not hold']} do not",
    ]
    if counts["not shown"]:
        words.append(f"{counts['not shown']} are not shown either way")
    return ", ".join(words)


def then_and_now_page():
    "The page *Then and now*."
    parts = {}
    total = Counter()
    table = [["lesson", *VERDICTS], ["---", *["--:"] * len(VERDICTS)]]
    for name, notebook in lessons().items():
        part, counts = _claims_of(name, notebook)
        identity = f"lesson-{name[:2]}"
        parts[identity] = part
        total += counts
        link = f"[{name[:2]} {title(notebook)}]({link_to('then_and_now.ipynb', identity)})"
        table.append([link, *(counts[verdict] for verdict in VERDICTS)])
    table.append(["all", *(total[verdict] for verdict in VERDICTS)])
    first = (
        "# Then and now\n\n"
        f"> {sum(total.values())} claims of the lectures and notes that this course follows, "
        f"each with the verdict of a cell that was run: {_in_words(total)}."
    )
    explained = (
        "The course follows lectures, their spreadsheets and a learner's notes on them; each "
        "lesson says which. Each ends with a table of what was said there and what its own cells "
        "found, on real data. Here are all of these tables. **Holds** means that we found the "
        "same; **in part**, that it is true under a condition, or came out near; **does not "
        "hold**, that the cells show something else; **not shown**, that they decide neither way. "
        "The link leads to the section that decided, where you can run it again."
    )
    others = f"{HOME} | [Glossary](glossary.ipynb)"
    opening = {"title": first, "ways": others, "verdicts": explained}
    return page({**opening, "table": _markdown_table(table), **parts})


def place(
    term: str,
    lesson: str,  # its number
    where: str,  # a heading with its #, or a piece of code
    notebooks: dict,  # as from `lessons`
) -> tuple:  # file name of the lesson and id of the cell; `ValueError` unless there is exactly one
    "Where a term of the glossary is built."
    names = [name for name in notebooks if name.startswith(f"{lesson}_")]
    if not names:
        raise ValueError(f"Glossary, {term!r}: there is no lesson {lesson}.")
    [name] = names
    if where.startswith("#"):
        kind = "headings"
        heading = where.lstrip("# ")
        cells = [cell for text, _, cell in headings(notebooks[name]) if text == heading]
    else:
        kind = "code cells"
        code = [cell for cell in notebooks[name].cells if cell.cell_type == "code"]
        cells = [cell.id for cell in code if where in cell.source]
    if len(cells) != 1:
        raise ValueError(
            f"Glossary, {term!r}: {where!r} stands in {len(cells) or 'no'} {kind} of {name}; "
            'it should be exactly one. Change "where" in data/glossary.json.'
        )
    return name, cells[0]


def terms() -> list:  # dictionaries: term, definition, lesson, where
    "What the glossary explains, in the order of the alphabet."
    entries = json.loads((ROOT / "data" / "glossary.json").read_text(encoding="utf-8"))
    return sorted(entries, key=lambda entry: (entry["term"].lower(), entry["term"]))


def glossary_page():
    "The glossary: a cell for each letter and each term."
    entries = terms()
    notebooks = lessons()
    first = (
        "# Glossary\n\n"
        f"> {len(entries)} terms as this course uses them, each with a link to the cell that "
        "builds it."
    )
    cells = {"title": first, "ways": f"{HOME} | [Then and now](then_and_now.ipynb)"}
    for entry in entries:
        term = entry["term"]
        name, cell = place(term, entry["lesson"], entry["where"], notebooks)
        link = f"[{name[:2]} {title(notebooks[name])}]({link_to(name, cell)})"
        letter = term[0].upper()
        cells.setdefault(f"letter-{letter}", f"## {letter}")
        cells[slug(term)] = f"### {term}\n\n{entry['definition']} Built in {link}."
    return page(cells)


# --- what is written into a notebook

HOME = "[All lessons](index.ipynb)"
TAKEN_WHOLE = re.compile(r"^```.*?^```|<details>.*?</details>", re.MULTILINE | re.DOTALL)


def ways(
    path: Path,  # a lesson, or a notebook of the appendix
) -> str:  # Markdown
    "Links to the lesson before, the front page and the next lesson."
    paths = project.lessons()
    if path not in paths:
        return HOME.replace("(", "(../")

    def to(neighbour, before="", behind=""):
        name = f"Lesson {neighbour.name[:2]}"
        short = short_title(nbformat.read(neighbour, as_version=4))
        text = f"{name}: {short}" if short else name
        return f"[{before}{text}{behind}]({neighbour.name})"

    number = paths.index(path)
    links = [HOME]
    if number:
        links.insert(0, to(paths[number - 1], before="← "))
    if number + 1 < len(paths):
        links.append(to(paths[number + 1], behind=" →"))
    return " | ".join(links)


def words(
    lesson: str,  # its number
) -> str:  # Markdown
    "Links to the terms of the glossary that a lesson builds."
    links = []
    for entry in terms():
        if entry["lesson"] == lesson:
            links.append(f"[{entry['term']}]({link_to('glossary.ipynb', slug(entry['term']))})")
    return f"**Words of this lesson**\n\n{', '.join(links)}"


def put(
    notebook,  # it is changed
    identity: str,  # of the cell
    text: str,  # Markdown
    heading: str,  # text of a heading: right beneath its cell
):
    "Put a cell of text into a notebook, in place of the one that an earlier call put there."
    cells = [cell for cell in notebook.cells if cell.id != identity]
    [above] = [cell for words, _, cell in headings(notebook) if words == heading]
    number = [cell.id for cell in cells].index(above)
    cells.insert(number + 1, new_markdown_cell(text, id=identity))
    notebook.cells = cells


def parts_of(
    text: str,  # Markdown of a cell
) -> list:  # texts
    "A text in parts that begin with a heading; what stands before the first is a part too."
    hidden = TAKEN_WHOLE.sub(lambda match: "x" * len(match[0]), text)
    starts = [match.start() for match in re.finditer(r"^#{1,6} ", hidden, re.MULTILINE)]
    edges = [0, *(start for start in starts if start), len(text)]
    return [text[begin:end].strip() for begin, end in zip(edges, edges[1:])]


def split_at_headings(
    notebook,  # it is changed
):
    "Let each heading begin a cell, so that a link to the cell leads to the heading."
    known = {cell.id for cell in notebook.cells}
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type != "markdown":
            continue
        first, *others = parts_of(cell.source)
        if not others:
            continue
        cell.source = first
        for text in others:
            identity = slug(text.splitlines()[0])[:50]
            while identity in known:
                identity += "-again"
            known.add(identity)
            cells.append(new_markdown_cell(text, id=identity))
    notebook.cells = cells


# --- writing them


def refresh_pages() -> list:  # file names of the pages that changed
    "Write *Then and now* and the glossary where they differ from what the lessons say now."
    changed = []
    for name, make in (("then_and_now", then_and_now_page), ("glossary", glossary_page)):
        path = ROOT / "nbs" / f"{name}.ipynb"
        new = nbformat.writes(make()) + "\n"
        if path.is_file() and path.read_text(encoding="utf-8") == new:
            continue
        path.write_text(new, encoding="utf-8")
        changed.append(path.name)
    return changed


def refresh_notebook(
    path,  # a lesson, or a notebook of the appendix
) -> bool:  # True if it changed
    "Write what is made into a notebook."
    notebook = nbformat.read(path, as_version=4)
    before = nbformat.writes(notebook)
    split_at_headings(notebook)
    for cell in notebook.cells:
        if is_buttons(cell):
            cell.source = f"{ways(path)}\n\n<small>{buttons(path.name)}</small>"
        if is_set_up(cell):
            cell.source = set_up()
            cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.source.startswith(QUIZ_TEXT):
            cell.source = quiz_text(path.name[:2])
    if path in project.lessons():
        put(notebook, "before-exercises", lead_in(notebook), "Exercises")
        put(notebook, "words", f"{words(path.name[:2])}\n\n{ways(path)}", "Summary")
    if nbformat.writes(notebook) == before:
        return False
    nbformat.write(notebook, path)
    return True


def refresh() -> list:  # file names of the notebooks that changed
    "Bring up to date what stands in the lessons and what is made from them."
    changed = [path.name for path in single_files() if refresh_notebook(path)]
    return changed + refresh_pages()
