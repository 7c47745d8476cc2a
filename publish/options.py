"What a cell's metadata says of its picture and its source, handed on to the site and to copies."

import json


def options_proc(cell):
    """Write the alt text of a picture, and that a source is folded, as options of the cell.

    nbdev calls it for each cell (`doc_procs`); Quarto reads them, and so does `publish.myst`."""
    if cell.cell_type != "code":
        return
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
