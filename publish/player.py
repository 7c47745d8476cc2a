"A picture, the controls that choose it, and in words what it shows: one piece of HTML that works on any page."

import html
import json

_STYLE = """.course-frames {max-width: 52rem; margin: 1rem 0}
*:has(> .course-frames) {background: transparent !important; color: inherit !important; padding: 0 !important}
.course-frames form {display: grid; grid-template-columns: max-content minmax(5rem, 22rem) minmax(4.5rem, 1fr); gap: .5rem .8rem; align-items: center}
.course-frames form[hidden] {display: none}
.course-frames label.wide {display: contents}
.course-frames input[type=range] {width: 100%; min-height: 1.8rem; margin: 0}
.course-frames select {font: inherit; color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 4px; padding: .2rem; max-width: 100%}
.course-frames option {color: #000; background: #fff}
.course-frames fieldset {grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; border: 0; margin: 0; padding: 0; min-width: 0}
.course-frames legend {float: left; padding: 0; margin: 0; width: auto; font: inherit}
.course-frames output {font-variant-numeric: tabular-nums}
.course-frames figure {margin: .8rem 0 0 !important; padding: 0 !important}
.course-frames figure img {display: block; margin: 0; max-width: 100%; height: auto; background: #fff; border-radius: 4px}
.course-frames figcaption, .course-frames p {color: inherit; font-size: .9em; font-family: inherit; font-weight: 400; line-height: 1.4; text-align: left; margin: .4rem 0 0}"""

_SCRIPT = """for (const box of document.querySelectorAll('.course-frames:not([data-ready])')) {
  const kept = box.querySelector('script[type="application/json"]')
  if (!kept) continue
  box.dataset.ready = 'true'
  const {about, pictures, frames, controls} = JSON.parse(kept.textContent)
  const form = box.querySelector('form'), parts = [...form.querySelectorAll('[data-control]')]
  const where = part => part.matches('fieldset') ? [...part.querySelectorAll('input')].findIndex(choice => choice.checked) : part.matches('select') ? part.selectedIndex : Number(part.value)
  const show = () => {
    let place = 0, words = []
    parts.forEach((part, n) => {
      const {label, labels} = controls[n], at = where(part)
      place = place*labels.length + at
      words.push(label + ' ' + labels[at])
      if (part.matches('[type=range]')) {
        part.setAttribute('aria-valuetext', labels[at])
        part.parentElement.nextElementSibling.textContent = labels[at]
      }
    })
    const [number, said] = frames[place], here = words.join(', ')
    const image = box.querySelector('img'), source = 'data:image/webp;base64,' + pictures[number]
    if (image.getAttribute('src') !== source) image.setAttribute('src', source)
    image.alt = about + ' Here: ' + here + '.' + (said ? ' ' + said + '.' : '')
    box.querySelector('figcaption').textContent = said || here
  }
  form.addEventListener('input', show)
  form.addEventListener('submit', event => event.preventDefault())
  form.reset()
  form.hidden = false
  show()
}"""


def _control(control, number):
    "The HTML of one control."
    label, labels, start = (
        html.escape(control["label"]),
        [html.escape(label) for label in control["labels"]],
        control["start"],
    )
    if control["kind"] == "radio":
        choices = "".join(
            f'<label><input type="radio" name="choice-{number}" value="{n}"{" checked" if n == start else ""}> {text}</label>'
            for n, text in enumerate(labels)
        )
        return f"<fieldset data-control><legend>{label}</legend>{choices}</fieldset>"
    if control["kind"] == "select":
        choices = "".join(
            f"<option{' selected' if n == start else ''}>{text}</option>"
            for n, text in enumerate(labels)
        )
        return f'<label class="wide"><span>{label}</span><select data-control>{choices}</select></label><span></span>'
    return f'<label class="wide"><span>{label}</span><input type="range" data-control min="0" max="{len(labels) - 1}" value="{start}" aria-valuetext="{labels[start]}"></label><output aria-live="off">{labels[start]}</output>'


def player(
    frames: dict,  # as from `draw_all`
) -> str:  # HTML
    "Controls, the picture they choose, and what it shows in words."
    place = 0
    for control in frames["controls"]:
        place = place * len(control["labels"]) + control["start"]
    number, said = frames["frames"][place]
    here = ", ".join(
        f"{control['label']} {control['labels'][control['start']]}"
        for control in frames["controls"]
    )
    alt = f"{frames['about']} Here: {here}." + (f" {said}." if said else "")
    width, height = frames["size"]
    fixed = (
        f"<p>Held fixed here: {html.escape(', '.join(frames['fixed']))}. In the notebook all controls move.</p>"
        if frames["fixed"]
        else ""
    )
    data = json.dumps(
        {key: frames[key] for key in ("about", "pictures", "frames", "controls")},
        ensure_ascii=False,
    ).replace("<", "\\u003c")
    return (
        f'<div class="course-frames"><style>{_STYLE}</style><form hidden autocomplete="off">{"".join(_control(control, n) for n, control in enumerate(frames["controls"]))}</form>'
        f'<figure><img src="data:image/webp;base64,{frames["pictures"][number]}" width="{width}" height="{height}" alt="{html.escape(alt)}">'
        f'<figcaption aria-live="polite">{html.escape(said or here)}</figcaption></figure>{fixed}<script type="application/json">{data}</script>\n<script>{_SCRIPT}</script></div>'
    )
