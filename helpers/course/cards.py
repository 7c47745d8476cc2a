"One look for what the course says to a learner: a card in light and dark, or plain text."

import html
import re

from helpers.course.settings import AT_REST, in_notebook

# The mark of a dark page in JupyterLab, on the site, in Colab, in Quarto and in VS Code.
DARK_PAGES = (
    'body[data-jp-theme-light="false"]',
    'html[data-theme="dark"]',
    'html[theme="dark"]',
    "body.quarto-dark",
    "body.vscode-dark",
)
# Colours for the light; then for the dark. Each has a contrast of at least 4.5 to 1 with the
# ground it stands on.
STYLE = """<style>
.course {
  --course-text: #1a1a1a; --course-ground: #ffffff; --course-soft: #f2f5f8;
  --course-edge: #b9c2cc; --course-muted: #545b64; --course-link: #0b5d8f;
  --course-solved: #0b6e4f; --course-wrong: #a5301f; --course-open: #4a5a70;
  color: var(--course-text); background: var(--course-ground);
  font-family: var(--jp-content-font-family, inherit); font-size: 14px; line-height: 1.45;
}
DARK {
  --course-text: #e8e8e8; --course-ground: #16191d; --course-soft: #232b33;
  --course-edge: #5b6672; --course-muted: #b4bcc6; --course-link: #7cc4f0;
  --course-solved: #62d2a2; --course-wrong: #ff9b85; --course-open: #a9bdd6;
}
.course a, .jp-RenderedHTMLCommon .course a { color: var(--course-link); }
.course code {
  color: inherit; background: var(--course-soft); padding: 0 .25em; border-radius: 3px;
}
.course-card {
  max-width: 46rem; margin: .4rem 0; padding: .6rem .9rem; border-radius: 6px;
  border: 1px solid var(--course-edge); border-left: 6px solid var(--course-open);
}
.course-card.solved { border-left-color: var(--course-solved); }
.course-card.wrong { border-left-color: var(--course-wrong); }
.course-card p { margin: .3rem 0; }
.course-card .head { font-weight: 600; color: var(--course-open); margin: 0; }
.course-card.solved .head { color: var(--course-solved); }
.course-card.wrong .head { color: var(--course-wrong); }
.course-card .name { color: var(--course-muted); font-weight: 400; }
.course-card table { border-collapse: collapse; margin: .4rem 0; }
.course.course-card th, .course.course-card td {
  padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; font-size: inherit;
  color: var(--course-text); background: var(--course-ground); border: 0;
}
.course-bar {
  display: flex; align-items: center; gap: .6rem; color: var(--course-muted); margin: .3rem 0;
}
/* A widget that is not drawn: in a page of nbconvert's without a network. */
.jp-OutputArea-output.jupyter-widgets:not(:has(> :not(script))) { font-size: 0; }
.jp-OutputArea-output.jupyter-widgets:not(:has(> :not(script)))::before {
  content: "AT_REST"; font-size: 14px;
}
.course-bar > span:first-child {
  flex: 0 1 12rem; height: .55rem; border: 1px solid var(--course-muted); border-radius: 999px;
  overflow: hidden; background: var(--course-ground);
}
.course-bar > span:first-child > span {
  display: block; height: 100%; background: var(--course-solved);
}
</style>""".replace("DARK", ", ".join(f"{page} .course" for page in DARK_PAGES)).replace(
    "AT_REST", AT_REST
)

# Beside the word, for those who see no colour.
SIGNS = {"solved": "✓ ", "wrong": "✗ ", "open": "○ ", "note": ""}


def escaped(
    text: str,  # plain
) -> str:  # HTML
    "A text as it is: no markup in it works, and no formula."
    # JupyterLab looks for formulas in the finished page, too: an element parts the dollars
    return html.escape(text).replace("$", "<span>$</span>")


def inline(
    text: str,  # of one line, plain; what stands between backticks is code
) -> str:  # HTML
    "A text for the middle of a line, in which nothing runs."
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped(text))


def formatted(
    text: str,  # plain; what stands between backticks is code, an empty line parts paragraphs
) -> str:  # HTML
    "A text for a card, in which nothing runs."
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        paragraphs.append("<p>" + inline(paragraph).replace("\n", "<br>") + "</p>")
    return "".join(paragraphs)


def bar(
    done: int,  # how many
    of: int,  # of how many
    what: str,  # the plural: 'exercises'
) -> str:  # HTML
    "How far something is, as a bar and in words."
    width = 100 * done / of if of else 0
    words = f"{done} of {of} {what}"
    return (
        f'<div class="course-bar"><span aria-hidden="true"><span style="width:{width:.0f}%">'
        f"</span></span><span>{escaped(words)}</span></div>"
    )


def link(
    text: str,  # what is read
    target: str,  # relative address: '02_layers_backward.ipynb#cell-id=…'
) -> str:  # HTML
    "A link in a card."
    return f'<a href="{html.escape(target)}">{escaped(text)}</a>'


def card(
    kind: str,  # 'solved', 'wrong', 'open' or 'note': colour and sign
    head: str,  # a word or two, in plain text
    name: str = "",  # what it is about, behind the head
    text: str = "",  # as for `formatted`
    more: str = "",  # HTML beneath: a `bar`, a `link`
) -> str:  # HTML
    "A card that says something by colour, by sign and in words."
    about = f' <span class="name">{escaped(name)}</span>' if name else ""
    return (
        f'{STYLE}<div class="course course-card {kind}" role="status">'
        f'<p class="head"><span aria-hidden="true">{SIGNS[kind]}</span>{escaped(head)}{about}'
        f"</p>{formatted(text) if text else ''}{more}</div>"
    )


def show(
    page: str,  # HTML
    text: str,  # the same in plain text, for where there is no notebook; '' for nothing there
    place=None,  # what an earlier call returned: shown there instead
):  # the place, for the next call; None where there is no notebook
    "Show HTML in a notebook, and text anywhere else."
    if not in_notebook():
        if text:
            print(text)
        return None
    from IPython.display import display

    bundle = {"text/html": page, "text/plain": text}
    if place is None:
        return display(bundle, raw=True, display_id=True)
    place.update(bundle, raw=True)
    return place
