"What a cell's metadata says of its picture and its source, handed on to the site and to copies."

import json
import re

PERSONAL = re.compile(r"^(begin|check|progress)\(", re.MULTILINE)


def is_personal(
    output,  # of a cell
) -> bool:
    "True for a card that speaks to one learner: how far this one is."
    return 'class="course' in "".join(output.get("data", {}).get("text/html", ""))


def options_proc(cell):
    """Write the alt text of a picture, and that a source is folded, as options of the cell.

    What `begin`, `check` and `progress` said to whoever ran the lesson is left out.
    nbdev calls it for each cell (`doc_procs`); Quarto reads them, and so does `publish.myst`."""
    if cell.cell_type != "code":
        return
    if PERSONAL.search(cell.source):
        cell.outputs = [output for output in cell.outputs if not is_personal(output)]
    options = []
    metadata = cell.get("metadata", {})
    if metadata.get("alt"):
        # JSON's string is one of YAML's too, whatever the text holds.
        options.append(f"#| fig-alt: {json.dumps(metadata['alt'], ensure_ascii=False)}")
    if metadata.get("jupyter", {}).get("source_hidden"):
        options.append("#| code-fold: true")
        cell.source = cell.source.replace("#| code-fold: show\n", "")  # nbdev's, of `exports`
    cell.source = "\n".join([*options, cell.source])


def name_pictures(notebook):
    "Give each stored picture the alt text of its cell, where IPython and nbconvert keep it."
    for cell in notebook.cells:
        alt = cell.metadata.get("alt")
        for output in cell.get("outputs", []):
            if alt and "image/png" in output.get("data", {}):
                output.metadata.setdefault("image/png", {})["alt"] = alt
