"Small tools for files and texts that every room of the house may use."

import os
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(
    path,  # the file to write
):  # a path beside it, to write to
    """What is written beside a file takes its place when it is whole.

    After an error the old file stays as it was."""
    path = Path(path).resolve()  # where a link leads: the link stays
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sweep(
    folder: Path,  # where unfinished files may lie
    pattern: str,  # of their names, "*.part" for those of `replacing`
):
    "Remove what was left unfinished more than an hour ago, by a kernel that was killed."
    for unfinished in folder.glob(pattern):
        # it may vanish while we look: another process has finished with it
        with suppress(FileNotFoundError):
            if time.time() - unfinished.stat().st_mtime > 3600:
                unfinished.unlink()


_MARKS = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "[": "&#91;",
        "]": "&#93;",
        "`": "&#96;",
        "*": r"\*",
        "_": r"\_",
        "~": r"\~",
        "|": r"\|",
        "\\": "<span>&#92;</span>",
    }
)


def as_text(
    text: str,  # of one cell
) -> str:  # Markdown for a cell of a table
    "Markdown that shows a text as it is; only what stands between two backticks is code."
    pieces = re.split(r"(`[^`\\]+`)", " ".join(text.splitlines()))
    # JupyterLab looks for formulas in the finished page, too: an element keeps two dollars apart
    dollar = r"\$" if text.count("$") == 1 else r"<span>\$</span>"
    markdown = ""
    for n, piece in enumerate(pieces):
        if n % 2:  # `re.split` puts code at the odd positions
            markdown += piece.replace("|", r"\|")
        else:
            piece = piece.translate(_MARKS).replace("$", dollar)
            # neither of these becomes a link
            markdown += piece.replace("://", "&#58;//").replace("www.", "www&#46;")
    return markdown
