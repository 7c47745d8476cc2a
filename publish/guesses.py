"""On the site, the stored card of a guess becomes a form, and the truth waits for the guess.

It is one piece of HTML that works on any page, without a server and without a request; where no
script runs, the cards stay as they are. Its style and its script are guesses.css and .js."""

import re
from pathlib import Path

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def with_form(
    page: str,  # HTML of a card, as `helpers.course.guess` stores it
) -> str:  # HTML
    "The card with what makes it a form."
    return f"{page}<style>{STYLE}</style><script>(() => {{\n{SCRIPT}}})();</script>"


def guesses_proc(cell):
    "Make forms of the guesses that a cell stores; nbdev calls it for each cell (`doc_procs`)."
    for output in cell.get("outputs", []):
        page = output.get("data", {}).get("text/html", "")
        page = "".join(page)  # nbdev leaves the lines of a file apart
        if re.search(r'<div class="course course-card course-guess" data-', page):
            output["data"]["text/html"] = with_form(page)
