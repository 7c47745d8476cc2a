"Every question has an answer: the quiz of a lesson, to click and on paper."

import json
import random
import re
from pathlib import Path

import helpers
from helpers.course.cards import DARK_PAGES
from helpers.course.settings import settings

_COLOURS = {
    "--jq-multiple-choice-bg": "#1f4e79",
    "--jq-incorrect-color": "#b3261e",
    "--jq-correct-color": "#0b6e4f",
}
# jupyterquiz's feedback stands outside its coloured boxes: on a dark page it needs light colours.
_STYLE = """<style>
.Quiz label:focus-within {outline: 3px solid #e69f00; outline-offset: 2px;}
.QuizScore {max-width: 760px; margin: 15px auto 0; font-size: 16pt; text-align: center;}
DARK {--quiz-right: #62d2a2; --quiz-wrong: #ff9b85;}
.Quiz .Feedback.correct {color: var(--quiz-right, var(--jq-correct-color));}
.Quiz .Feedback.incorrect {color: var(--quiz-wrong, var(--jq-incorrect-color));}
</style>""".replace("DARK", ", ".join(DARK_PAGES))
# What jupyterquiz leaves out: a quiz that can be answered by keyboard, that is read aloud, and
# that says in the end how many answers were right at the first try.
_COMPLETION = """
(function complete(tries) {
    const quiz = document.getElementById("ELEMENT");
    const questions = quiz ? quiz.querySelectorAll(".Quiz") : [];
    if (!questions.length) {  // not drawn yet
        if (tries) setTimeout(complete, 100, tries - 1);
        return;
    }
    const score = document.createElement("div");
    const firstTries = new Map();  // question to: was its first answer right?
    function showScore() {
        const right = [...firstTries.values()].filter(Boolean).length;
        score.textContent = firstTries.size < questions.length
            ? `${firstTries.size} of ${questions.length} answered.`
            : `You had ${right} of ${questions.length} right at the first try.`;
    }
    score.className = "QuizScore";
    score.setAttribute("role", "status");
    quiz.append(score);
    showScore();
    quiz.querySelectorAll("input").forEach(input => {
        // JupyterLab leaves the arrow keys to them
        input.setAttribute("data-lm-suppress-shortcuts", "true");
    });
    questions.forEach(question => {
        const text = question.children[0];
        const answers = question.querySelector(".Answer");
        const feedback = question.querySelector(".Feedback");
        answers.setAttribute("role", "radiogroup");
        answers.setAttribute("aria-labelledby", text.id);
        feedback.setAttribute("role", "status");  // read aloud when it comes
        answers.addEventListener("keydown", event => {
            if (event.key == "Enter" && event.target.matches("input")) event.target.click();
        });
        answers.addEventListener("change", event => {
            if (firstTries.has(question)) return;
            firstTries.set(question, event.target.closest("label").dataset.correct == "true");
            showScore();
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
        f"The questions of lesson {lesson} (data/quiz/{lesson}.json) did not come along with this "
        "notebook. They stand, with answers, in the text below."
    )


def _drawn(display_quiz, lesson, quiz_questions):
    "The page and the script with which jupyterquiz draws the questions."
    from IPython.utils.capture import capture_output

    state = random.getstate()
    random.seed(lesson)  # jupyterquiz draws the name of its element: the same at each run
    with capture_output() as captured:
        display_quiz(quiz_questions, colors=_COLOURS, max_width=760)
    random.setstate(state)
    drawn = {}
    for output in captured.outputs:
        for kind, content in output.data.items():
            drawn.setdefault(kind, content)
    return drawn["text/html"], drawn["application/javascript"]


def quiz(
    lesson: str,  # its number, for instance '01'
):
    "Show the quiz of a lesson: click an answer and read why it is right or wrong."
    from IPython.display import display

    try:
        from jupyterquiz import display_quiz

        quiz_questions = questions(lesson)
    except (ImportError, FileNotFoundError) as missing:
        print(f"No interactive quiz here ({missing}). The same questions stand below.")
        return
    for question in quiz_questions:
        for answer in question["answers"]:
            verdict = "Right." if answer["correct"] else "No."
            answer["feedback"] = f"{verdict} {answer['feedback']}"
    page, script = _drawn(display_quiz, lesson, quiz_questions)
    # our questions hold no formulas, and jupyterquiz would fetch MathJax for them from another host
    script = script.replace("typeof MathJax != 'undefined'", "false")
    element = re.search(r'<div id="(\w+)"', page)[1]
    script += _COMPLETION.replace("ELEMENT", element)
    display({"text/html": page + _STYLE, "text/plain": f"The quiz of lesson {lesson}"}, raw=True)
    display({"application/javascript": script, "text/plain": ""}, raw=True)


def quiz_text(
    lesson: str,  # its number, for instance '01'
) -> str:  # Markdown
    "The quiz of a lesson as text: questions with their choices, answers folded."
    text = ["<details><summary>The same questions on paper, answers folded</summary>"]
    for number, question in enumerate(questions(lesson), start=1):
        choices = []
        reasons = []
        for choice in question["answers"]:
            choices.append(f"- {choice['answer']}")
            if choice["correct"]:
                verdict = f"**{choice['answer']}**: right."
            else:
                verdict = f"{choice['answer']}: no."
            reasons.append(f"- {verdict} {choice['feedback']}")
        text.append(f"**{number}.** {question['question']}")
        text.append("\n".join(choices))
        reasons = "\n".join(reasons)
        text.append(f"<details><summary>Answer to {number}</summary>\n\n{reasons}\n\n</details>")
    return "\n\n".join([*text, "</details>"])
