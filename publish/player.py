"""A picture, the controls that choose it, and in words what it shows.

It is one piece of HTML that works on any page; its style and its script are player.css and .js."""

import html
import json
from pathlib import Path

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def _radio(label, labels, start, group):
    "A choice among a few words, all of them in sight."
    choices = []
    for n, text in enumerate(labels):
        checked = " checked" if n == start else ""
        button = f'<input type="radio" name="{group}" value="{n}"{checked}>'
        choices.append(f"<label>{button} {text}</label>")
    return f"<fieldset data-control><legend>{label}</legend>{''.join(choices)}</fieldset>"


def _select(label, labels, start):
    "A menu."
    options = []
    for n, text in enumerate(labels):
        selected = " selected" if n == start else ""
        options.append(f"<option{selected}>{text}</option>")
    field = f"<select data-control>{''.join(options)}</select>"
    return f'<label class="wide"><span>{label}</span>{field}</label><span></span>'


def _range(label, labels, start):
    "A slider over the positions; the page shows and reads out what stands at each."
    field = (
        f'<input type="range" data-control min="0" max="{len(labels) - 1}" value="{start}" '
        f'aria-valuetext="{labels[start]}">'
    )
    readout = f'<output aria-live="off">{labels[start]}</output>'
    return f'<label class="wide"><span>{label}</span>{field}</label>{readout}'


def _control(control, number):
    "The HTML of one control."
    label = html.escape(control["label"])
    labels = [html.escape(text) for text in control["labels"]]
    if control["kind"] == "radio":
        return _radio(label, labels, control["start"], f"choice-{number}")
    if control["kind"] == "select":
        return _select(label, labels, control["start"])
    return _range(label, labels, control["start"])


def first_frame(
    frames: dict,  # as from `draw_one`
) -> tuple:  # number of its picture, caption (may be empty), and the setting in words
    "The frame that is seen before a control is moved."
    combination = 0
    words = []
    for control in frames["controls"]:
        labels = control["labels"]
        combination = combination * len(labels) + control["start"]
        words.append(f"{control['label']} {labels[control['start']]}")
    number, caption = frames["frames"][combination]
    return number, caption, ", ".join(words)


def player(
    frames: dict,  # as from `draw_one`
) -> str:  # HTML
    "Controls, the picture they choose, and what it shows in words."
    number, caption, setting = first_frame(frames)
    alt = f"{frames['shows']} Here: {setting}."
    if caption:
        alt += f" {caption}."
    width, height = frames["size"]
    fixed = ""
    if frames["fixed"]:
        words = html.escape(", ".join(frames["fixed"]))
        fixed = f"<p>Held fixed here: {words}. In the notebook all controls move.</p>"
    controls = "".join(_control(control, n) for n, control in enumerate(frames["controls"]))
    data = {key: frames[key] for key in ("shows", "pictures", "frames", "controls")}
    # Nothing in the data may end the script.
    data = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    parts = [
        '<div class="course-frames">',
        f"<style>{STYLE}</style>",
        f'<form hidden autocomplete="off">{controls}</form>',
        f'<figure><img src="data:image/webp;base64,{frames["pictures"][number]}" ',
        f'width="{width}" height="{height}" alt="{html.escape(alt)}">',
        f'<figcaption aria-live="polite">{html.escape(caption or setting)}</figcaption></figure>',
        fixed,
        f'<script type="application/json">{data}</script>\n',
        f"<script>{{\n{SCRIPT}}}</script></div>",
    ]
    return "".join(parts)
