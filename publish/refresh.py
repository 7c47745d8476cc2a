"*Then and now*, every claim of the lectures with its verdict, and the glossary, which links each term to the cell that builds it."

import html
import json
import re
from collections import Counter
from pathlib import Path

import nbformat

import helpers
from helpers.course.quiz import quiz_text
from publish.lessons import SET_UP, address, buttons, is_set_up
from publish.lessons import lessons as lesson_paths

ROOT = Path(helpers.__file__).resolve().parent.parent
VERDICTS = {
    "holds": "Holds",
    "in part": "In part",
    "does not hold": "Does not hold",
}  # as the tables have them, as the page has them


def slug(
    heading: str,  # its text, without the #
) -> str:
    "The anchor that Pandoc gives a heading."
    words = re.sub(r"[^\w\s.-]", "", heading.lower())
    return re.sub(r"^[^a-z]+", "", re.sub(r"\s+", "-", words.strip())) or "section"


def headings(
    notebook,  # a lesson
) -> list:  # pairs of text and anchor, in order
    "The headings of a notebook; a text that comes again has -1, -2 at its anchor."
    found, seen = [], Counter()
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for text in re.findall(
            r"^#{1,6} +(.+?)\s*$", re.sub(r"^```.*?^```", "", cell.source, flags=re.M | re.S), re.M
        ):
            anchor = slug(text)
            found.append((text, anchor + (f"-{seen[anchor]}" if seen[anchor] else "")))
            seen[anchor] += 1
    return found


def title(
    notebook,  # a lesson
) -> str:
    "The title of a notebook."
    return headings(notebook)[0][0]


def lessons() -> dict:  # file name to notebook
    "The lessons of the course, in order."
    return {
        path.name: nbformat.read(path, as_version=4)
        for path in sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
    }


def claims(
    notebook,  # a lesson
) -> tuple:  # id of the table's cell, and its rows as dictionaries by column
    "The stored table of a lesson's claims; `ValueError` if there is none."
    for cell in notebook.cells:
        if (
            cell.cell_type != "code"
            or not cell.source.startswith("then_and_now(")
            and "\nthen_and_now(" not in cell.source
        ):
            continue
        for output in cell.outputs:
            if text := output.get("data", {}).get("text/markdown"):
                rows = [
                    [
                        part.strip().replace("\\|", "|")
                        for part in re.split(r"(?<!\\)\|", line)[1:-1]
                    ]
                    for line in text.splitlines()
                ]
                rows = [dict(zip(rows[0], row)) for row in rows[2:]]
                for row in rows:  # a name, not Markdown
                    row["checked in"] = html.unescape(
                        re.sub(r"\\([*_~|$(])", r"\1", row["checked in"])
                    )
                return cell.id, rows
    raise ValueError(
        f"{title(notebook)}: no stored output of then_and_now([...]). Run the lesson and save it."
    )


def decided(
    where: str,  # what the table says: the beginning or some words of a heading, several of them with commas, 'Exercise: …', or 'here'
    notebook,
    cell: str,  # the lesson, id of the table's cell
) -> str:  # links, relative to the lesson's page, as Markdown with {} for the page
    "Where a claim was decided; `ValueError` unless it can be told."
    if where == "here":
        return f"[the table's own cell]({{}}#{cell})"
    places = headings(notebook)[1:]
    exercises = next(n for n, (text, _) in enumerate(places) if text == "Exercises")
    words = lambda text: re.findall(r"[\w-]+", text.lower())

    def in_order(few, many):
        return all(word in many_left for many_left in [iter(many)] for word in few)

    wanted = words(where.removeprefix("Exercise: "))
    among = places[exercises:] if where.startswith("Exercise: ") else places[:exercises]
    for fits in (
        lambda text: words(text) == wanted,
        lambda text: words(text)[: len(wanted)] == wanted,
        lambda text: in_order(wanted, words(text)),
    ):
        match [(text, anchor) for text, anchor in among if fits(text)]:
            case [(text, anchor)]:
                return f"[{text}]({{}}#{anchor})"
            case [_, _, *_] as several:
                raise ValueError(
                    f"{title(notebook)}: {where!r} in the table of claims may mean any of {', '.join(text for text, _ in several)}. Name the section in full."
                )
    if ", " in where:
        return " and ".join(decided(part, notebook, cell) for part in where.split(", "))
    raise ValueError(
        f"{title(notebook)}: the table of claims says {where!r}, and no section is called so."
    )


def page(
    name: str,  # file name without ending
    cells: list,  # Markdown texts
):
    "A notebook of texts, the same whenever it is made from the same texts."
    return nbformat.from_dict(
        dict(
            nbformat=4,
            nbformat_minor=5,
            metadata={
                "kernelspec": {"display_name": "python3", "language": "python", "name": "python3"}
            },
            cells=[
                dict(
                    cell_type="markdown",
                    id=f"{name.replace('_', '-')}-{n:02}",
                    metadata={},
                    source=text,
                )
                for n, text in enumerate(cells)
            ],
        )
    )


def then_and_now_page():
    "The page *Then and now*."
    parts, totals = [], []
    for name, notebook in lessons().items():
        cell, rows = claims(notebook)
        number, counts = name[:2], Counter(row["verdict"] for row in rows)
        if strange := set(counts) - set(VERDICTS):
            raise ValueError(f"{title(notebook)}: unknown verdict {', '.join(strange)}.")
        under = (
            next(
                cell.source
                for cell in notebook.cells
                if cell.cell_type == "markdown" and "## Then and now" in cell.source
            )
            .partition("## Then and now")[2]
            .strip()
        )
        subtitle = re.search(r"^> (.+)$", notebook.cells[0].source, re.M)[1]
        listed = [
            f"{n}. {row['said']}\n\n   **{VERDICTS[row['verdict']]}:** {row['found here']}. Decided in {decided(row['checked in'], notebook, cell).format(*[name] * 2)}."
            for n, row in enumerate(rows, start=1)
        ]
        heading = f"Lesson {number}: {title(notebook)}"
        parts.append(
            "\n\n".join(
                [
                    f"## {heading}",
                    f"{subtitle} [Open the lesson]({name}).",
                    *([under] if under.startswith("(") else []),
                    *listed,
                ]
            )
        )
        totals.append(
            [
                f"[{number} {title(notebook)}](#{slug(heading)})",
                *(counts[verdict] for verdict in VERDICTS),
            ]
        )
    sums = [sum(row[n] for row in totals) for n in (1, 2, 3)]
    table = "\n".join(
        "| " + " | ".join(map(str, row)) + " |"
        for row in [["lesson", *VERDICTS], ["---", *["--:"] * 3], *totals, ["all", *sums]]
    )
    return page(
        "then_and_now",
        [
            f"""# Then and now

> {sum(sums)} claims of the lectures and notes that this course follows, each with the verdict of a cell that was run: {sums[0]} hold, {sums[1]} hold in part, {sums[2]} do not.""",
            """The course follows lectures, their spreadsheets and a learner's notes on them; each lesson says which. Each ends with a table of what was said there and what its own cells found, on real data. Here are all of these tables. **Holds** means that
we found the same; **in part**, that it is true under a condition, or came out near; **does not hold**, that the cells show something else. The link leads to the section that decided, where you can run it again.""",
            table,
            *parts,
        ],
    )


def place(
    term: str,
    lesson: str,
    where: str,  # of an entry of the glossary
    notebooks: dict,  # as from `lessons`
) -> tuple:  # file name of the lesson and anchor; `ValueError` unless there is exactly one
    "Where a term is built."
    name = next((name for name in notebooks if name.startswith(f"{lesson}_")), None)
    if name is None:
        raise ValueError(f"Glossary, {term!r}: there is no lesson {lesson}.")
    if where.startswith("#"):
        found = [anchor for text, anchor in headings(notebooks[name]) if text == where.lstrip("# ")]
    else:
        found = [
            cell.id
            for cell in notebooks[name].cells
            if cell.cell_type == "code" and where in cell.source
        ]
    if len(found) != 1:
        raise ValueError(
            f'Glossary, {term!r}: {where!r} stands in {len(found) or "no"} {"headings" if where.startswith("#") else "code cells"} of {name}; it should be exactly one. Change "where" in data/glossary.json.'
        )
    return name, found[0]


def glossary_page():
    "The glossary."
    entries, notebooks, letters = (
        json.loads((ROOT / "data" / "glossary.json").read_text(encoding="utf-8")),
        lessons(),
        {},
    )
    order = lambda entry: (entry["term"].lower(), entry["term"])
    for entry in sorted(entries, key=order):
        name, anchor = place(entry["term"], entry["lesson"], entry["where"], notebooks)
        letters.setdefault(entry["term"][0].upper(), []).append(
            f"**{entry['term']}**: {entry['definition']} Built in [{name[:2]} {title(notebooks[name])}]({name}#{anchor})."
        )
    return page(
        "glossary",
        [
            f"""# Glossary

> {len(entries)} terms as this course uses them, each with a link to the cell that builds it.""",
            *(f"## {letter}\n\n" + "\n\n".join(lines) for letter, lines in letters.items()),
        ],
    )


def refresh_pages() -> list:  # file names of the pages that changed
    "Write *Then and now* and the glossary where they differ from what the lessons say now."
    changed = []
    for name, make in (("then_and_now", then_and_now_page), ("glossary", glossary_page)):
        path, new = ROOT / "nbs" / f"{name}.ipynb", nbformat.writes(make()) + "\n"
        if path.is_file() and path.read_text(encoding="utf-8") == new:
            continue
        path.write_text(new, encoding="utf-8")
        changed.append(path.name)
    return changed


def refresh() -> list:  # the notebooks that changed
    "Write buttons, set-up cell and folded answers into every lesson, and make *Then and now* and the glossary anew from the lessons."
    changed = []
    for path in lesson_paths():
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook)
        for cell in notebook.cells:
            if cell.source.startswith("[Open in Colab]"):
                cell.source = buttons(path.name)
            if cell.source.startswith("<details><summary>The same questions"):
                cell.source = quiz_text(path.name[:2])
            if is_set_up(cell):
                cell.source = SET_UP.format(address=address())
        if nbformat.writes(notebook) != before:
            nbformat.write(notebook, path)
            changed.append(path.name)
    return changed + refresh_pages()
