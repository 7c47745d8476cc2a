"What `make lab` adds to JupyterLab: pages that stay clean, and a front page that moves with you."

import html
import json
import re
import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.v4 import new_output
from traitlets import Dict

from helpers.course.front import NOTEBOOKS, FrontPage
from helpers.course.settings import AT_REST

# What only the course's makers need in the folder of the notebooks.
MAKERS = {"_quarto.yml", "sidebar.yml", "nbdev.yml", "ruff.toml", "assets", "images"}

# What the kernel says of its language when it starts.
LANGUAGE = {
    "name": "python",
    "version": sys.version.split()[0],
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
    "pygments_lexer": f"ipython{sys.version_info[0]}",
    "nbconvert_exporter": "python",
    "file_extension": ".py",
}

# When the learner comes back to the front page, it is asked for again, and what has changed is put
# in its place. The notebook is not touched: it stays clean. JupyterLab opens a link in a tab only
# where it made the link itself; so a new one presses that of the lesson's tile.
REFRESH = """<script>
(() => {
  const data = document.getElementById("jupyter-config-data");
  if (!data || window.courseFront) return;
  window.courseFront = true;
  const address = JSON.parse(data.textContent).baseUrl + "api/contents/" + PATH;
  let soon;

  function replace(front, fresh) {
    for (const given of fresh.querySelectorAll("div[data-course]")) {
      const part = given.cloneNode(true);
      const old = front.querySelector(`[data-course="${part.dataset.course}"]`);
      if (!old || old.textContent === part.textContent) continue;
      for (const link of part.querySelectorAll("[data-tile]")) {
        const tile = front.querySelector(`a[data-course="${link.dataset.tile}"]`);
        link.href = tile.href;
        link.addEventListener("click", (event) => {
          event.preventDefault();
          tile.click();
        });
      }
      old.replaceChildren(...part.childNodes);
    }
  }

  async function refresh() {
    const fronts = [...document.querySelectorAll(".course-front")];
    fronts.forEach((front) => comesIntoView.observe(front));
    const shown = fronts.filter((front) => front.getClientRects().length);
    if (!shown.length || document.hidden) return;
    const answer = await fetch(address, { cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    for (const cell of (await answer.json()).content.cells) {
      for (const output of cell.outputs ?? []) {
        const html = [output.data?.["text/html"] ?? ""].flat().join("");
        const fresh = new DOMParser().parseFromString(html, "text/html");
        shown.forEach((front) => replace(front, fresh));
      }
    }
  }

  // Once for several events, and when the tab that was chosen is there.
  function later() {
    clearTimeout(soon);
    soon = setTimeout(refresh, 200);
  }

  const comesIntoView = new IntersectionObserver(later);
  window.addEventListener("focus", later);
  document.addEventListener("visibilitychange", later);
  document.addEventListener("focusin", later);
  later();
})();
</script>"""


WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def _last_picture(model, models, alt):
    "What a live figure showed last, as HTML; '' for widgets without a picture."
    state = models.get(model, {}).get("state", {})
    if "course-live" in state.get("_dom_classes", []):
        for buffer in models[model].get("buffers", []):
            return f'<img src="data:image/png;base64,{buffer["data"]}" alt="{html.escape(alt)}">'
        return state.get("value", "")
    for child in state.get("children", []):
        picture = _last_picture(child.removeprefix("IPY_MODEL_"), models, alt)
        if picture:
            return picture
    return ""


def still(
    notebook: dict,  # changed
):
    "Replace widgets, dead without a kernel, by what they showed last and a word on how to go on."
    models = notebook["metadata"].pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).pop(WIDGET_VIEW, None)
            if view:
                alt = cell["metadata"].get("alt", "")
                picture = _last_picture(view["model_id"], models, alt)
                if picture:
                    output["data"]["text/html"] = f"{picture}<p>{AT_REST}</p>"
                output["data"]["text/plain"] = AT_REST


def course_pages() -> set:  # paths, below the folder of the notebooks
    "The notebooks that belong to the course: those that its list of pages names."
    try:
        listed = (NOTEBOOKS / "sidebar.yml").read_text(encoding="utf-8")
    except OSError:
        return set()
    return set(re.findall(r"^\s*- (\S+\.ipynb)$", listed, re.MULTILINE))


class CourseContents(AsyncLargeFileManager):
    """JupyterLab's usual keeper of files, and what it does for the course's own pages.

    They are trusted and complete, so that a page that is only read stays clean: JupyterLab has
    nothing to add. Widgets, whose loading makes a page dirty, wait for their kernel. The front page
    is filled in when it is opened."""

    def _page(self, path):
        "The name of a page of the course below the folder of the notebooks; '' for other files."
        file = Path(self._get_os_path(path)).resolve()
        if not file.is_relative_to(NOTEBOOKS):
            return ""
        name = file.relative_to(NOTEBOOKS).as_posix()
        return name if name in course_pages() else ""

    def mark_trusted_cells(self, nb, path=""):
        if self._page(path):
            self.notary.mark_cells(nb, True)
        else:
            super().mark_trusted_cells(nb, path)

    def should_list(self, name):
        return name not in MAKERS and super().should_list(name)

    def _complete(self, notebook):
        "Add what JupyterLab would add, and then call the page changed."
        kernel = notebook["metadata"].get("kernelspec", {})
        if kernel.get("name") != "python3":
            return
        try:
            spec = KernelSpecManager(parent=self.parent).get_kernel_spec("python3")
        except NoSuchKernel:
            return
        kernel.update(display_name=spec.display_name, language=spec.language)
        notebook["metadata"]["language_info"] = LANGUAGE

    def _fill_in(self, notebook, path):
        "Draw the front page under the cell that shows it."
        page = FrontPage()
        script = REFRESH.replace("PATH", json.dumps(f"{path.strip('/')}?type=notebook"))
        data = {
            "text/html": page._repr_html_() + script,
            "text/markdown": page._repr_markdown_(),
            "text/plain": repr(page),
        }
        for cell in notebook["cells"]:
            if cell["source"].endswith("FrontPage()"):
                count = cell["execution_count"]
                cell["outputs"] = [new_output("execute_result", data, execution_count=count)]

    _stills = Dict(help="When the files were changed whose widgets were found dead, by their path.")

    async def _has_kernel(self, path):
        "Whether a kernel runs for a notebook."
        if self.parent is None:
            return False
        sessions = await self.parent.session_manager.list_sessions()
        return path.strip("/") in [session["path"] for session in sessions]

    async def _has_live_widgets(self, path, changed):
        "Whether the widgets in a file may be those of a kernel: not if they have been dead before."
        if self._stills.get(path) == changed:
            return False
        if await self._has_kernel(path):
            return True
        self._stills[path] = changed
        return False

    async def get(self, path, *args, **kwargs):
        model = await super().get(path, *args, **kwargs)
        page = self._page(path)
        if page and model["type"] == "notebook" and model["content"]:
            self._complete(model["content"])
            if not await self._has_live_widgets(path, model["last_modified"]):
                still(model["content"])
            if page == "index.ipynb":
                try:
                    self._fill_in(model["content"], path)
                except Exception:  # the stored one will do
                    self.log.exception("The front page could not be filled in.")
        return model
