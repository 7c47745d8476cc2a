"Every question has an answer: the quiz of a lesson, to click and on paper."

import json
import random
import re
from pathlib import Path

import helpers
from helpers.course.settings import settings

_FOCUS = (
    "<style>.Quiz label:focus-within {outline: 3px solid #e69f00; outline-offset: 2px;}</style>"
)
_KEYBOARD = """
(function complete(tries) {
    const quiz = document.getElementById("ELEMENT"), questions = quiz ? quiz.querySelectorAll(".Quiz") : [];
    if (!questions.length) { if (tries) setTimeout(complete, 100, tries - 1); return; }
    quiz.querySelectorAll("input").forEach(input => input.setAttribute("data-lm-suppress-shortcuts", "true"));  // JupyterLab leaves the arrow keys to them
    questions.forEach(question => {
        const [asked, answers, feedback] = [question.children[0], question.querySelector(".Answer"), question.querySelector(".Feedback")];
        answers.setAttribute("role", "radiogroup");
        answers.setAttribute("aria-labelledby", asked.id);
        feedback.setAttribute("role", "status");  // read aloud when it comes
        answers.addEventListener("keydown", event => {
            if (event.key == "Enter" && event.target.matches("input")) event.target.click();
        });
    });
})(100);
"""


def questions(
    lesson: str,  # its number, for instance '01'
) -> list:  # one dictionary for each question: question, type, answers with feedback
    "The quiz of a lesson; `FileNotFoundError` outside the course's folder."
    for root in (settings().root, Path(helpers.__file__).resolve().parent.parent):
        path = root / "data" / "quiz" / f"{lesson}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    raise FileNotFoundError(
        f"The questions of lesson {lesson} (data/quiz/{lesson}.json) did not come along with this notebook. They stand, with answers, in the text below."
    )


def quiz(
    lesson: str,  # its number, for instance '01'
):
    "Show the quiz of a lesson: click an answer and read why it is right or wrong."
    from IPython.display import display
    from IPython.utils.capture import capture_output

    try:
        from jupyterquiz import display_quiz

        asked = questions(lesson)
        for answer in (answer for question in asked for answer in question["answers"]):
            answer["feedback"] = f"{'Right.' if answer['correct'] else 'No.'} {answer['feedback']}"
    except (ImportError, FileNotFoundError) as missing:
        return print(f"No interactive quiz here ({missing}). The same questions stand below.")
    state = random.getstate()
    random.seed(lesson)  # jupyterquiz draws the name of its element: the same at each run
    with capture_output() as shown:
        display_quiz(
            asked,
            colors={
                "--jq-multiple-choice-bg": "#1f4e79",
                "--jq-incorrect-color": "#b3261e",
                "--jq-correct-color": "#0b6e4f",
            },
            max_width=760,
        )
    random.setstate(state)
    page, script = [
        next(output.data[kind] for output in shown.outputs if kind in output.data)
        for kind in ("text/html", "application/javascript")
    ]
    element = re.search(r'<div id="(\w+)"', page)[1]
    script = script.replace(
        "typeof MathJax != 'undefined'", "false"
    )  # our questions hold no formulas, and jupyterquiz would fetch MathJax for them from another host
    display({"text/html": page + _FOCUS, "text/plain": f"The quiz of lesson {lesson}"}, raw=True)
    display(
        {
            "application/javascript": script + _KEYBOARD.replace("ELEMENT", element),
            "text/plain": "",
        },
        raw=True,
    )


def quiz_text(
    lesson: str,  # its number, for instance '01'
) -> str:  # Markdown
    "The quiz of a lesson as text: questions with their choices, answers folded."
    text = ["<details><summary>The same questions on paper, answers folded</summary>"]
    for number, asked in enumerate(questions(lesson), start=1):
        text.append(f"**{number}.** {asked['question']}")
        text.append("\n".join(f"- {choice['answer']}" for choice in asked["answers"]))
        why = "\n".join(
            f"- {'**' + choice['answer'] + '**: right.' if choice['correct'] else choice['answer'] + ': no.'} {choice['feedback']}"
            for choice in asked["answers"]
        )
        text.append(f"<details><summary>Answer to {number}</summary>\n\n{why}\n\n</details>")
    return "\n\n".join([*text, "</details>"])
