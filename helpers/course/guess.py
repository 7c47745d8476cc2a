"Predict, then run: the reader guesses first, and then sees guess and truth side by side."

import html
import json
import math
import re
from importlib.util import find_spec

from helpers.course.cards import STYLE, escaped, formatted, show
from helpers.course.settings import in_notebook, interactive, widget_view

# Reading and writing numbers


_SCALES = {"k": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def read_number(
    text: str,  # as somebody typed it: '11,700', '1e4', '0.5', '12 %', 'about 500 steps'
    unit: str = "",  # what is counted; where it is not '%', 12 % is 0.12
):  # a float, or None where there is not exactly one number
    "The number in a text."
    text = text.lower().replace("−", "-")
    text = re.sub(r"\b10\s*(?:\^|\*\*)\s*([-+]?\d+)", r"1e\1", text)
    text = re.sub(r"(?<=\d)\s*[*x×·]\s*1e", "e", text)
    text = re.sub(r"\b0,(?=\d)", "0.", text)
    text = re.sub(r"(?<=\d)[,_'’\s](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    numbers = [float(number) for number in _NUMBER.findall(text)]
    if len(numbers) == 2 and re.search(r"\d\s*/\s*\d", text) and numbers[1]:
        numbers = [numbers[0] / numbers[1]]
    if len(numbers) != 1:
        return None
    number = numbers[0]
    scale = re.search(r"\d\s*(k|thousand|million|billion)\b", text)
    if scale:
        number *= _SCALES[scale[1]]
    if re.search(r"%|per ?cent", text) and unit != "%":
        number /= 100
    return number if math.isfinite(number) else None


def write_number(
    number: float,
    unit: str = "",
) -> str:
    "A number as one writes it: 11,700 steps; 0.1235; 1e-05."
    size = abs(number)
    if size < 1e15 and (number == round(number) or size >= 1000):
        text = f"{round(number):,}"
    else:
        text = f"{number:.4g}"
    return f"{text} {unit}" if unit else text


def _times(ratio):
    "A ratio in words."
    return f"about {write_number(float(f'{ratio:.2g}'))} times"


def difference(
    said: float,
    truth: float,
) -> str:  # a clause, without a full stop
    "In words, how far a number is from a guess."
    if write_number(said) == write_number(truth):
        return "just what you said"
    ratio = truth / said if said else 0
    if ratio >= 1.95:
        return f"{_times(ratio)} your guess"
    if truth and 0 < ratio <= 1 / 1.95:
        return f"your guess was {_times(1 / ratio)} as large"
    gap = float(f"{abs(truth - said):.2g}")
    nearly = ", so you were close" if abs(truth - said) <= 0.1 * abs(truth) else ""
    return f"{write_number(gap)} {'more' if truth > said else 'less'} than you said{nearly}"


# The cards


_STYLE = """<style>
.course-guess .pair { display: flex; flex-wrap: wrap; gap: .4rem 2.5rem; margin: .5rem 0; }
.course-guess .pair > div { min-width: 8rem; }
.course-guess .pair span { display: block; color: var(--course-muted); font-size: .9em; }
.course-guess .pair strong { font-size: 1.5em; line-height: 1.3; overflow-wrap: anywhere; }
.course-guess ul { margin: .3rem 0; padding-left: 1.5rem; }
</style>"""


def _card(head, body, data):
    "A card with no sign and no verdict; what the site's form needs stands in its data."
    pairs = ""
    for name, value in data.items():
        text = html.escape(json.dumps(value, ensure_ascii=False))
        pairs += f' data-{name}="{text}"'
    return (
        f'{STYLE}{_STYLE}<div class="course course-card course-guess"{pairs}>'
        f'<p class="head">{html.escape(head)}</p>{body}</div>'
    )


def _pair(said, truth):
    "Guess and truth, side by side; without a guess the truth alone."
    boxes = []
    for label, value in (("Your guess", said), ("It is", truth)):
        strong = f"<strong>{escaped(value)}</strong>"
        if value:
            boxes.append(f"<div><span>{label}</span> {strong}</div>")
    return f'<div class="pair">{"".join(boxes)}</div>'


# The look of the form, and of one whose kernel has ended: then it says what to do.
_FORM = """<style>
.course-guess-form .widget-hbox { flex-wrap: wrap; overflow: visible; }
.course-guess-form .widget-html-content { line-height: 1.45; }
.course-guess-form .widget-button {
  height: auto; max-width: 100%; padding: .2rem .8rem; align-self: flex-start;
  white-space: normal; text-align: left; line-height: 1.45;
}
.course-guess-form .again { display: none; font-weight: 600; }
.course-guess-form .jupyter-widgets-disconnected .again { display: block; }
.course-guess-field.jupyter-widgets-disconnected { opacity: .5; pointer-events: none; }
.course-guess-form .jupyter-widgets-disconnected::before,
.course-guess-form.jupyter-widgets-disconnected::before { display: none; }
</style>"""


class Guess:
    "A question to the reader, and what the reader says to it. Made by `guess`."

    def __init__(self, question: str, choices: list, unit: str):
        self.question = question
        self.choices = choices
        self.unit = unit
        self.said = ""  # what the reader typed or chose
        self._form = None  # a widget, while there is one
        self._fields = []  # those of its widgets that can be used
        self._place = None  # where they are shown

    # what was said

    def _note(self):
        "Keep what stands in the field, committed or not."
        if self._form and not self.choices:
            self.said = self._fields[0].value.strip()

    def _number(self):
        return read_number(self.said, self.unit)

    def _answer(self):
        "The guess as it is shown; '' where there is none, or one that cannot be read."
        if self.choices:
            return self.said
        number = self._number()
        return "" if number is None else write_number(number, self.unit)

    # the question

    def _asked(self):
        "The question in HTML."
        return f'<div class="question">{formatted(self.question)}</div>'

    def _about(self):
        "What may be answered, in HTML and in text."
        if self.choices:
            items = "".join(f"<li>{escaped(choice)}</li>" for choice in self.choices)
            return f"<ul>{items}</ul>", " / ".join(self.choices)
        text = f"a number, in {self.unit}" if self.unit else "a number"
        return f"<p>Give {escaped(text)}.</p>", text

    def _stored(self):
        "The question where nothing can be entered: a card, and the same as text."
        possible, text = self._about()
        run = "<p>Run this cell to guess.</p>"
        data = {"guess": dict(question=self.question, choices=self.choices, unit=self.unit)}
        body = f"{self._asked()}<div>{possible}{run}</div>"
        page = _card("Guess before you go on", body, data)
        return page, f"Guess before you go on: {self.question} ({text})"

    def _ask(self):
        "Show the question with a field or choices; without a live notebook, as text."
        page, text = self._stored()
        if not _has_widgets():
            show(page, text)
            return
        from IPython.display import display

        self._make_form()
        bundle = {**widget_view(self._form), "text/html": page, "text/plain": text}
        self._place = display(bundle, raw=True, display_id=True)

    def _make_form(self):
        import ipywidgets  # where nothing is interactive, nobody needs it

        make = self._make_choices if self.choices else self._make_field
        self._fields = make(ipywidgets)
        for field in self._fields:
            field.add_class("course-guess-field")
        box = ipywidgets.VBox if self.choices else ipywidgets.HBox
        head = "<p class='head'>Guess before you go on</p>"
        again = "<p class='again'>Run this cell to guess.</p>"
        self._status = ipywidgets.HTML()
        parts = [
            ipywidgets.HTML(f"{STYLE}{_FORM}{head}{formatted(self.question)}"),
            box(self._fields),
            self._status,
            ipywidgets.HTML(again),
        ]
        self._form = ipywidgets.VBox(parts)
        for name in ("course", "course-card", "course-guess-form"):
            self._form.add_class(name)
        if self.said:
            self._commit()

    def _make_field(self, ipywidgets):
        "A field for a number, and the button that commits it; Enter does the same."
        label = f"Your guess, in {self.unit}:" if self.unit else "Your guess:"
        style = dict(description_width="initial")
        field = ipywidgets.Text(value=self.said, description=label, style=style)
        button = ipywidgets.Button(description="That is my guess", layout=dict(width="auto"))
        button.on_click(self._commit)

        def enter(_, content, buffers):
            if content.get("event") == "submit":
                self._commit()

        field.on_msg(enter)  # `on_submit` is deprecated
        return [field, button]

    def _make_choices(self, ipywidgets):
        """A button for each choice.

        JupyterLab takes the arrow keys, so radio buttons could not be used by keyboard."""
        buttons = []
        for choice in self.choices:
            button = ipywidgets.Button(description=choice, layout=dict(width="auto"))

            def choose(_, choice=choice):
                self.said = choice
                self._commit()

            button.on_click(choose)
            buttons.append(button)
        return buttons

    def _commit(self, _=None):
        "Say what the guess is, or why there is none."
        self._note()
        if self._answer():
            text = f"Your guess: {self._answer()}. Now run the next cell."
        elif self.said:
            text = f"No single number can be read in “{self.said}”. Try for instance 500 or 0.5."
        else:
            text = "Type a number first, for instance 500 or 0.5."
        self._status.value = f'<p role="status">{escaped(text)}</p>'
        if not self.choices:
            # Enter overtakes the last letters
            self._fields[0].observe(self._commit, "value")
            return
        for choice, button in zip(self.choices, self._fields):
            button.description = f"✓ {choice}" if choice == self.said else choice

    def _put_away(self):
        "Put a card in the place of the form: it can be read without a kernel."
        if not self._form:
            return
        self._note()
        if self._answer():
            text = f"Your guess: {self._answer()}."
        elif self.said:
            text = f"You wrote “{self.said}”."
        else:
            text = "No guess this time."
        head = "You guessed" if self.said else "A question"
        page = _card(head, f"{self._asked()}<p>{escaped(text)}</p>", {})
        if self._place:
            bundle = {"text/html": page, "text/plain": f"{self.question} {text}"}
            self._place.update(bundle, raw=True)
        for widget in (*self._fields, *self._form.children, self._form):
            widget.close()
        self._form = None

    # the answer

    def _plain(self, truth):
        "The truth as a finite float or as a text, and as it is shown."
        try:
            if hasattr(truth, "item"):
                truth = truth.item()
            if not self.choices and math.isfinite(truth):
                truth = float(truth)
                return truth, write_number(truth, self.unit)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            pass  # it is shown as it is
        return str(truth), str(truth)

    def _words(self, truth, shown):
        "One sentence that compares guess and truth."
        answer = self._answer()
        if not answer:
            if self.said:
                return f"No single number can be read in “{self.said}”; it is {shown}."
            return f"No guess this time; it is {shown}."
        if self.choices:
            if answer == shown:
                return f"You said {answer}, and so it is."
            return f"You said {answer}; it is {shown}."
        words = f"You said {answer}; it is {shown}"
        if isinstance(truth, float):
            words += f": {difference(self._number(), truth)}"
        return f"{words}."

    def _revealed(self, truth, text):
        "Guess and truth as a card, and the same as text."
        truth, shown = self._plain(truth)
        words = self._words(truth, shown)
        extra = formatted(text) if text else ""
        pair = _pair(self._answer(), shown)
        result = f'<div>{pair}<p class="words">{escaped(words)}</p>{extra}</div>'
        data = dict(question=self.question, truth=truth, shown=shown)
        page = _card("Guess and truth", f"{self._asked()}{result}", {"reveal": data})
        return page, f"{words} {text}".strip()

    def reveal(
        self,
        truth,  # a number, also of NumPy or PyTorch; or the text of a choice
        text: str = "",  # a sentence or two that explain; as for `cards.formatted`
    ):
        "Show guess and truth side by side. Without a guess, the truth alone."
        self._put_away()
        show(*self._revealed(truth, text))

    def _ipython_display_(self):
        "It has shown itself already, also where it is a cell's last line."


def _has_widgets():
    "True where a reader can be asked: in a live notebook, with ipywidgets."
    return interactive() and in_notebook() and find_spec("ipywidgets") is not None


_GUESSES = {}  # of this kernel: question and choices to the latest `Guess`


def guess(
    question: str,  # what is to be predicted; what stands between backticks is code
    choices: list = None,  # texts to choose from; without them a number is asked for
    unit: str = "",  # of the number: 'steps', '%'
) -> Guess:  # its method `reveal` shows the truth, in the cell that decides
    """Ask the reader for a guess before the next cell runs.

    An earlier guess of this kernel stays when the cell runs again; it is not kept in a file."""
    choices = [str(choice) for choice in choices or []]
    asked = Guess(question, choices, unit)
    key = (question, *choices)
    if key in _GUESSES:
        earlier = _GUESSES[key]
        earlier._put_away()
        asked.said = earlier.said
    _GUESSES[key] = asked
    asked._ask()
    return asked
