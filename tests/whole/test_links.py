"""Links from one source, followed in JupyterLab and on the site.

That every link leads somewhere: publish/test_links.py, and whole/test_site.py for the site."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from learners_lab import visit as visit_lab
from shared import LESSONS, NBS, read

from publish.links import LINK, anchor

pytestmark = pytest.mark.browser

TERMS = "glossary.ipynb"
CLAIMS = "then_and_now.ipynb"
FRONT = "index.ipynb"
FIRST, SECOND, THIRD = [path.name for path in LESSONS[:3]]


def links_of(name):
    "Texts of a notebook's links to notebooks, with the notebook and the id of the cell, in order."
    found = []
    for cell in read(NBS / name).cells:
        if cell.cell_type == "markdown":
            for match in re.finditer(rf"\[([^\]]+){LINK.pattern}", cell.source):
                found.append((match[1], match[3], match[5]))
    return found


def cells_linked(name, target):
    "The ids of another notebook's cells to which a notebook links, each once."
    return list(
        dict.fromkeys(cell for _, there, cell in links_of(name) if there == target and cell)
    )


# --- in JupyterLab

# The right notebook is in front, and the beginning of the right cell can be seen.
ARRIVED = """([name, number]) => {
  const label = '.lm-DockPanel-tabBar .lm-mod-current .lm-TabBar-tabLabel';
  if (document.querySelector(label)?.textContent != name) return false;
  if (number === null) return true;
  const list = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer';
  const window = document.querySelector(list)?.getBoundingClientRect();
  const cell = document.querySelector(`${list} .jp-Cell[data-windowed-list-index="${number}"]`);
  const place = cell?.getBoundingClientRect();
  return window && place && place.top > window.top - 5 && place.top < window.bottom - 20;
}"""


class Reader:
    "Somebody who follows links in JupyterLab."

    def __init__(self, page):
        self.page = page
        self.followed = 0

    def arrive(self, name, cell=None, timeout=60_000):
        "Wait until a notebook is in front, where the reader left it, or one of its cells in view."
        number = None
        if cell:
            number = [other.id for other in read(NBS / name).cells].index(cell)
        self.page.wait_for_function(ARRIVED, arg=[name, number], timeout=timeout)

    def click(self, name, cell, last):
        front = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        # JupyterLab puts the way to the files before the name, and a query behind it.
        place = f'[href$="#cell-id={cell}"]' if cell else ':not([href*="#"])'
        links = front.locator(f'.jp-RenderedMarkdown a[href*="/{name}"]{place}')
        (links.last if last else links.first).click()

    def follow(self, name, cell=None, last=False):
        """Click the first or last link to a notebook or a cell that the page in front has.

        JupyterLab gives a page ten seconds to draw the cell. Where that was too short, on a busy
        machine, a reader clicks again."""
        from playwright.sync_api import Error

        start = self.front()
        self.followed += 1
        for attempt in range(5):
            if attempt:
                self.turn_to(start)
            self.click(name, cell, last)
            try:
                return self.arrive(name, cell, timeout=15_000)
            except Error:
                pass
        self.arrive(name, cell)

    def front(self):
        "The notebook in front."
        return self.page.locator(".lm-DockPanel-tabBar .lm-mod-current").inner_text().strip()

    def turn_to(self, name):
        "Click a tab."
        self.page.locator(".lm-DockPanel-tabBar").get_by_text(name, exact=True).click()


def test_links_in_jupyterlab(page):
    "In a fresh tab, in one that is open, and within a page."
    reader = Reader(page)
    visit_lab(page, SECOND)
    reader.arrive(SECOND)
    reader.follow(THIRD)
    reader.follow(FRONT)
    reader.turn_to(THIRD)
    reader.follow(SECOND)
    words = cells_linked(SECOND, TERMS)
    for term in (words[-1], words[0], words[2]):
        reader.follow(TERMS, term)
        reader.turn_to(SECOND)
    for name, number in ((SECOND, 1), (THIRD, 3)):
        reader.turn_to(TERMS)
        reader.follow(name, cells_linked(TERMS, name)[number])
    reader.turn_to(TERMS)
    reader.follow(CLAIMS)
    reader.follow(CLAIMS, "lesson-16")
    for name, number in ((FIRST, 1), (SECOND, 0), (FIRST, -1)):
        reader.turn_to(CLAIMS)
        reader.follow(name, cells_linked(CLAIMS, name)[number])
    reader.follow(SECOND, last=True)
    assert reader.followed == 14


# --- on the site


def page_of(name):
    "What the site calls the page of a notebook."
    return re.sub(r"^\d+_", "", name).replace(".ipynb", ".html")


IN_VIEW = """name => {
  const top = document.getElementById(name)?.getBoundingClientRect().top;
  return top > -5 && top < innerHeight - 20;
}"""


def follow(tab, name, cell=None, last=False):
    "Click a link of a page; where it leads is what the source says, and in view."
    place = anchor(NBS / name, cell) if cell else ""
    page = page_of(name)
    links = tab.locator(f'.bd-article a[href$="{page}{"#" if place else ""}{place}"]')
    (links.last if last else links.first).click()
    tab.wait_for_load_state("load")
    parts = urlsplit(tab.url)
    assert (parts.path, unquote(parts.fragment)) == (f"/{page}", place)
    if place:
        tab.wait_for_function(IN_VIEW, arg=place)


def test_links_on_the_site(tab, address):
    "A dozen of each kind: to the next lesson and back, to a word, to the cell that builds it."
    tab.goto(address + page_of(FIRST))
    for path, after in zip(LESSONS[:12], LESSONS[1:]):
        follow(tab, after.name)
        follow(tab, path.name, last=True)
        term = cells_linked(path.name, TERMS)[0]
        follow(tab, TERMS, term)
        follow(tab, path.name, cells_linked(TERMS, path.name)[0])
        follow(tab, after.name, last=True)


def test_claims_and_front_page_on_the_site(tab, address):
    "A dozen: from a claim to what decided it, and from there to the front page."
    for path in LESSONS[:12]:
        tab.goto(address + page_of(CLAIMS))
        follow(tab, path.name, cells_linked(CLAIMS, path.name)[-1])
        follow(tab, FRONT)
