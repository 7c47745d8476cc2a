"""The site as a reader meets it: what `make docs` builds, in Chromium, without a network.

And what the published edition hands to Quarto. What needs Chromium, or a package from npm that
cannot be had, is skipped, or fails where the environment says BROWSER_TESTS=required."""

import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from built_site import run, settle, visit
from shared import NBS, ROOT, code_cells, read

from publish import frames
from publish.lessons import pyproject

URLS = pyproject()["project"]["urls"]


def listed(contents):
    "The notebooks of a sidebar, in order."
    for entry in contents:
        if isinstance(entry, str):
            yield entry
        else:
            yield from listed(entry["contents"])


SIDEBAR = yaml.safe_load((NBS / "sidebar.yml").read_text(encoding="utf-8"))
NOTEBOOKS = list(listed(SIDEBAR["website"]["sidebar"]["contents"]))
# As nbdev names them.
PAGES = {}
for name in NOTEBOOKS:
    PAGES[name] = re.sub(r"(^|/)\d+[a-z]*_", r"\1", name).replace(".ipynb", ".html")
NUMBERS = {PAGES[name]: name[:2] for name in NOTEBOOKS if re.match(r"\d\d_", name)}
SEARCH = "search.html?q=momentum"
BACKSTAGE = "backstage/data/find.html"
# Beside the lessons: the pages that are alone of their kind, and one of those behind the scenes.
ONE_OF_A_KIND = [page for page in PAGES.values() if not page.startswith("backstage/")]
ONE_OF_A_KIND = [page for page in ONE_OF_A_KIND if page not in NUMBERS] + [BACKSTAGE, SEARCH]


def html_files(folder):
    "Name to path of the pages; the theme's own are none."
    files = {}
    for path in folder.rglob("*.html"):
        if "_static" not in path.parts:
            files[path.relative_to(folder).as_posix()] = path
    return files


def test_second_run_makes_only_what_changed(site):
    first, second = site.said
    assert f"{len(PAGES)} of {len(PAGES)} pages to be read" in first
    assert f"1 of {len(PAGES)} pages to be read: gradient_descent" in second
    text = (site.folder / "gradient_descent.html").read_text(encoding="utf-8")
    assert "This word is new." in text
    anew = set()
    for path, written in site.written.items():
        if path.stat().st_mtime_ns != written:
            anew.add(path.relative_to(site.folder).as_posix())
    # The front page holds the sidebar.
    assert anew <= {"gradient_descent.html", "index.html", "search.html"}


def test_page_names_are_unique_and_nbdevs_own(site):
    from nbdev.config import nbpath2html

    assert len(set(PAGES.values())) == len(PAGES)
    for name, page in PAGES.items():
        assert nbpath2html(name).as_posix() == page
    assert set(html_files(site.folder)) == {*PAGES.values(), "search.html"}


def test_sidebar_lists_every_page(site):
    "Lessons with their number."
    text = (site.folder / "index.html").read_text(encoding="utf-8")
    sidebar = text.split('class="bd-links', 1)[1].split("</nav>", 1)[0]
    others = [page for page in PAGES.values() if page != "index.html"]
    assert re.findall(r'href="([\w/]+\.html)"', sidebar) == others
    assert re.findall(r">\s*(\d\d) \w", sidebar) == list(NUMBERS.values())


# --- links


class Collector(HTMLParser):
    "Ids, links and pictures of a page."

    def __init__(self, text):
        super().__init__()
        self.ids = []
        self.links = []
        self.loads = []  # what the page fetches by itself
        self.pictures = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if tag == "link" and named.get("rel") != "canonical":
            self.loads.append(named["href"])
        if "src" in named:
            self.loads.append(named["src"])
        if tag == "img":
            self.pictures.append(named)


def is_web_address(parts):
    host = re.fullmatch(r"[\w.-]+\.\w+", parts.netloc)
    return parts.scheme in ("http", "https") and bool(host)


def leads_somewhere(address, name, pages, folder):
    "True if a link of a page leads to a file of the site, and to an anchor that is there."
    parts = urlsplit(address)
    target = name
    if parts.path:
        target = os.path.normpath(Path(name).parent / unquote(parts.path))
    if not (folder / target).is_file():
        return False
    if parts.fragment and target in pages:
        return unquote(parts.fragment) in pages[target].ids
    return True


def broken_links(folder):
    "Links of the site that lead nowhere, and what a page would fetch from elsewhere."
    pages = {}
    for name, path in html_files(folder).items():
        pages[name] = Collector(path.read_text(encoding="utf-8"))
    broken = []
    for name, page in pages.items():
        for address in page.links + page.loads:
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                good = is_web_address(parts) and address not in page.loads
            else:
                good = leads_somewhere(address, name, pages, folder)
            if not good:
                broken.append((name, address))
    return broken


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_link_leads_somewhere(site):
    assert broken_links(site.folder) == []


def test_link_check_notices(site, tmp_path):
    folder = shutil.copytree(site.folder, tmp_path / "site")
    (folder / "embeddings.html").rename(folder / "embedding.html")
    edit(folder / "weight_decay.html", 'id="summary"', 'id="summing-up"')
    picture = '<img src="https://elsewhere.org/counter.png" alt="counter">'
    edit(folder / "index.html", "</body>", f"{picture}</body>")
    assert {
        ("index.html", "embeddings.html"),
        ("weight_decay.html", "#summary"),
        ("index.html", "https://elsewhere.org/counter.png"),
    } <= set(broken_links(folder))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pictures_have_texts(site, name):
    "Each picture says in words what it shows, if its words do not stand beside it; no id twice."
    page = Collector((site.folder / PAGES[name]).read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))
    for picture in page.pictures:
        words = picture.get("alt", "").split()
        if name == "index.ipynb" and picture.get("alt") == "":
            continue  # the drawing of a tile; the title is beside it
        assert "logo" in picture.get("class", "") or len(words) >= 4, picture


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if re.match(r"\d\d_", name)])
def test_cells_have_anchors(site, name):
    "Each code cell of a lesson can be linked to by its id."
    page = Collector((site.folder / PAGES[name]).read_text(encoding="utf-8"))
    left_out = re.compile(r"#\| *(export|hide|default_exp)")
    cells = [cell for cell in code_cells(read(NBS / name)) if not left_out.match(cell.source)]
    assert {cell.id for cell in cells} <= set(page.ids)


# --- in a browser


def unfold(page):
    "Open all that is folded."
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")


# Pieces of code of one kind look alike. One of each is left to be measured: axe takes seconds for
# thousands of them.
ONE_OF_EACH = """() => {
  const known = new Set();
  for (const piece of document.querySelectorAll('.highlight pre span')) {
    const box = piece.closest('.cell_input, .cell_output, .api, details');
    const kind = (box?.className ?? '') + '|' + piece.className;
    if (piece.children.length) continue;
    if (known.has(kind)) piece.replaceWith(piece.textContent);
    else known.add(kind);
  }
  document.querySelectorAll('.highlight pre').forEach(block => block.normalize());
}"""


def complaints(page, **options):
    "What axe-core finds, of any weight; none of them means a score of 100."
    from axe_playwright_python.sync_playwright import Axe

    settings = {"resultTypes": ["violations"], "preload": False, **options}
    response = Axe().run(page, options=settings).response
    assert options or len(response["passes"]) >= 30  # it did look
    lines = []
    for rule in response["violations"]:
        places = [node["target"] for node in rule["nodes"][:3]]
        lines.append((rule["impact"], rule["id"], places))
    return lines


TEXTS = """[...document.querySelectorAll('.bd-article p, .bd-article li, .bd-article td')]
  .map(part => part.innerText).join(' ')"""


@pytest.mark.browser
@pytest.mark.parametrize("name", [*PAGES.values(), SEARCH])
def test_page(tab, address, name):
    "Formulas are drawn, folds open, and nothing is wider than a telephone."
    visit(tab, address + name)
    formulas = tab.locator(".bd-article .math").count()
    assert tab.locator("mjx-container").count() == formulas
    assert tab.locator("mjx-container svg").count() >= formulas
    assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0
    text = tab.evaluate(TEXTS)
    assert not [mark for mark in ("$$", r"\frac", ":::") if mark in text]
    folds = tab.locator(".bd-article details")
    if folds.count():
        folds.first.locator("summary").first.click()
        assert folds.first.evaluate("fold => fold.open")
    unfold(tab)
    tab.set_viewport_size({"width": 380, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380


@pytest.mark.browser
@pytest.mark.parametrize("name", [*NUMBERS, *ONE_OF_A_KIND])
def test_accessible(tab, address, name):
    "axe-core has nothing to say, by day and by night, on a large page and on a telephone."
    visit(tab, address + name)
    # Colours are measured when they have arrived.
    tab.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    tab.evaluate(ONE_OF_EACH)
    unfold(tab)
    assert complaints(tab) == []
    # The rows above have the same colours.
    tab.evaluate(
        "document.querySelectorAll('tbody tr:nth-child(n+5)').forEach(row => row.remove())"
    )
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert complaints(tab, runOnly=["color-contrast", "link-in-text-block"]) == []
    tab.set_viewport_size({"width": 380, "height": 800})
    tab.wait_for_timeout(600)  # the theme looks anew at what scrolls
    assert complaints(tab, runOnly=["scrollable-region-focusable"]) == []


def check_question(tab, asked):
    "The right answer by mouse, the wrong ones by keyboard: each gets its feedback."
    text = tab.locator("xpath=./*[1]").get_by_text(asked["question"], exact=True)
    question = tab.locator(".Quiz").filter(has=text)
    assert question.count() == 1, asked["question"]
    feedback = question.locator(".Feedback")
    choices = {choice["answer"]: choice for choice in asked["answers"]}
    [right] = [choice for choice in asked["answers"] if choice["correct"]]
    question.get_by_text(right["answer"], exact=True).click()
    assert right["feedback"] in feedback.inner_text()
    assert feedback.get_attribute("class") == "Feedback correct"
    for _ in range(len(choices) - 1):  # the arrow keys go round
        tab.keyboard.press("ArrowDown")
        label = question.locator("label:has(input:checked)").inner_text().strip()
        assert choices[label] is not right
        assert choices[label]["feedback"] in feedback.inner_text()
        assert feedback.get_attribute("class") == "Feedback incorrect"


@pytest.mark.browser
@pytest.mark.parametrize(("page", "number"), NUMBERS.items(), ids=NUMBERS)
def test_quiz(tab, address, page, number):
    visit(tab, address + page)
    file = ROOT / "data" / "quiz" / f"{number}.json"
    asked_here = json.loads(file.read_text(encoding="utf-8"))
    count = len(asked_here)
    score = tab.locator(".QuizScore")
    assert score.inner_text() == f"0 of {count} answered."
    for asked in asked_here:
        check_question(tab, asked)
    assert score.inner_text() == f"You had {count} of {count} right at the first try."


@pytest.mark.browser
def test_quiz_is_reached_by_keyboard_alone(tab, address):
    visit(tab, address + "gradient_descent.html")
    tab.locator("section#quiz > h2").click()
    for _ in range(10):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.closest('.Quiz') !== null"):
            break
    tab.keyboard.press("Space")
    assert tab.locator(".Quiz").first.locator(".Feedback").inner_text()
    outline = "getComputedStyle(document.activeElement.closest('label')).outlineStyle"
    assert tab.evaluate(outline) == "solid"


@pytest.mark.browser
@pytest.mark.parametrize("stem", frames.GRID)
def test_frames_move(tab, address, stem):
    "Where frames stand in for a live figure, a slider moves them."
    visit(tab, address + PAGES[f"{stem}.ipynb"])
    players = tab.locator(".course-frames").all()
    assert players
    for player in players:
        slider = player.locator("input[type=range]").first
        slider.scroll_into_view_if_needed()
        before = player.screenshot()
        slider.focus()
        slider.press("ArrowRight")
        slider.press("ArrowRight")
        tab.wait_for_timeout(300)
        assert player.screenshot() != before


def start_of(site, address, way):
    "Where a reader begins: at an address, or at a folder."
    return address if way == "served" else site.folder.as_uri() + "/"


@pytest.mark.browser
@pytest.mark.parametrize("way", ["served", "as files"])
@pytest.mark.parametrize(
    "word, page", [("momentum", "momentum_adam.html"), ("one-hot", "embeddings.html")]
)
def test_search(tab, address, site, way, word, page):
    visit(tab, start_of(site, address, way) + "index.html")
    tab.keyboard.press("Control+k")
    tab.locator("#pst-search-dialog input").fill(word)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#search-results li a")
    tab.wait_for_function(
        "/finished|found/i.test(document.querySelector('#search-results').innerText)"
    )
    links = tab.locator("#search-results li a").all()[:3]
    first = [urlsplit(link.get_attribute("href")).path for link in links]
    assert page in first, first
    tab.locator(f'#search-results a[href*="{page}"]').first.click()
    settle(tab)
    assert urlsplit(tab.url).path.endswith(f"/{page}")


def background(tab):
    return tab.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.browser
@pytest.mark.parametrize("way", ["served", "as files"])
def test_day_and_night(tab, address, site, way):
    "The switch changes the page, the choice is kept on the next one, pictures stay on white."
    start = start_of(site, address, way)
    visit(tab, start + "gradient_descent.html")
    day = background(tab)
    tab.locator(".theme-switch-button:visible").click()
    tab.locator(".theme-change-button[data-mode=dark]:visible").click()
    tab.wait_for_timeout(500)  # colours fade over
    night = background(tab)
    assert day == "rgb(255, 255, 255)" and night != day
    picture = tab.locator(".cell_output img").first
    look = "picture => getComputedStyle(picture).backgroundColor + getComputedStyle(picture).filter"
    assert picture.evaluate(look) == "rgb(255, 255, 255)none"
    visit(tab, start + BACKSTAGE)
    assert background(tab) == night


@pytest.mark.browser
def test_buttons(tab, address):
    "Code is copied; the links on top lead to the single file."
    visit(tab, address + "gradient_descent.html")
    block = tab.locator(".cell_input:visible").first
    block.hover()
    block.get_by_role("button", name="Copy this code").click()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("pre").inner_text().strip()
    links = tab.locator(".launch a")
    for link in links.all():
        assert link.is_visible() and link.get_attribute("href").startswith("https://")
    assert links.all_inner_texts() == ["Open in Colab", "Open in Kaggle", "Download"]


@pytest.mark.browser
def test_ways_through_the_site(tab, address):
    "Next and previous lead along the sidebar; on a telephone the menu opens."
    first, second = list(NUMBERS)[:2]
    visit(tab, address + first)
    tab.locator("a.right-next").click()
    assert urlsplit(tab.url).path == f"/{second}"
    tab.locator("a.left-prev").click()
    assert urlsplit(tab.url).path == f"/{first}"
    tab.set_viewport_size({"width": 380, "height": 800})
    tab.locator(".primary-toggle:visible").first.click()
    menu = tab.locator("#pst-primary-sidebar-modal a:visible", has_text=re.compile("^07 "))
    menu.click()
    assert urlsplit(tab.url).path == "/cross_entropy.html"


# --- the published edition

QUARTO = "https://quarto.org/docs/"
DOCUMENTED = {  # every option of the published site, and the page that documents it
    "project.type": QUARTO + "reference/projects/websites.html",
    "project.output-dir": QUARTO + "reference/projects/websites.html",
    "lang": QUARTO + "reference/formats/html.html",
    "metadata-files": QUARTO + "projects/quarto-projects.html",
    "format-links": QUARTO + "output-formats/html-multi-format.html",
    "format.html.theme.light": QUARTO + "output-formats/html-themes.html",
    "format.html.theme.dark": QUARTO + "output-formats/html-themes.html",
    "format.html.toc": QUARTO + "reference/formats/html.html",
    "format.html.toc-depth": QUARTO + "reference/formats/html.html",
    "format.html.code-copy": QUARTO + "reference/formats/html.html",
    "format.html.html-math-method": QUARTO + "reference/formats/html.html",
    "format.html.keep-md": QUARTO + "reference/formats/html.html",
    "format.commonmark": QUARTO + "reference/formats/markdown/commonmark.html",
    "website.title": QUARTO + "reference/projects/websites.html",
    "website.description": QUARTO + "reference/projects/websites.html",
    "website.site-url": QUARTO + "reference/projects/websites.html",
    "website.favicon": QUARTO + "websites/website-tools.html",
    "website.open-graph": QUARTO + "websites/website-tools.html",
    "website.page-navigation": QUARTO + "websites/website-navigation.html",
    "website.back-to-top-navigation": QUARTO + "websites/website-navigation.html",
    "website.repo-actions": QUARTO + "websites/website-navigation.html",
    "website.repo-subdir": QUARTO + "websites/website-navigation.html",
    "website.repo-branch": QUARTO + "websites/website-navigation.html",
    "website.repo-url": QUARTO + "websites/website-navigation.html",
    "website.sidebar.style": QUARTO + "websites/website-navigation.html",
    "website.sidebar.search": QUARTO + "websites/website-navigation.html",
    "website.sidebar.contents": QUARTO + "websites/website-navigation.html",
}


def options(tree, above=""):
    "The names of all options in a tree of settings, with dots."
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from options(value, f"{above}{key}.")
        else:
            yield above + key


# A program that notes how it was called.
FAKE_QUARTO = """#!{python}
import json, os, sys
from pathlib import Path

if sys.argv[1:] == ["--version"]:
    print("1.7.32")
    sys.exit()
Path({called!r}).write_text(json.dumps([sys.argv[1:], os.getcwd()]))
folder = Path(sys.argv[-1])
folder.mkdir()
(folder / "index.html").write_text("<html></html>")
"""
NBDEV_DOCS = "from nbdev.quarto import nbdev_docs; nbdev_docs.__wrapped__(n_workers=0)"


@pytest.fixture(scope="module")
def processed(site, tmp_path_factory):
    "The folder in which `nbdev-docs` has called Quarto."
    folder = tmp_path_factory.mktemp("quarto")
    program = folder / "quarto"
    called = folder / "called.json"
    program.write_text(FAKE_QUARTO.format(python=sys.executable, called=str(called)))
    program.chmod(0o755)
    readme = (site.course / "README.md").read_bytes()
    code, said = run(site.course, "-c", NBDEV_DOCS, path=str(folder))
    assert code == 0, said
    arguments, place = json.loads(called.read_text())
    output = site.course / "_proc" / "_docs"
    assert arguments == ["render", "--no-cache", "--output-dir", str(output)]
    assert Path(place) == site.course / "_proc"
    assert (site.course / "_docs" / "index.html").is_file()
    assert (site.course / "README.md").read_bytes() == readme  # it is written by hand
    return Path(place)


def cell_options(cell):
    "The options of a cell, which Quarto reads as YAML."
    lines = [line[2:].strip() for line in cell.source.splitlines() if line.startswith("#|")]
    return yaml.safe_load("\n".join(lines)) or {}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_quarto_gets_every_page(processed, name):
    first, *cells = read(processed / name).cells
    facts = yaml.safe_load(first.source.strip().strip("-"))
    assert first.cell_type == "raw" and facts["output-file"] == Path(PAGES[name]).name
    assert facts["title"] and facts["description"]
    alts = {cell.id: cell.metadata.get("alt") for cell in code_cells(read(NBS / name))}
    for cell in cells:
        given = cell_options(cell)
        if alts.get(cell.id):
            assert given["fig-alt"] == alts[cell.id]


def test_quarto_gets_the_settings(processed):
    settings = []
    for name in ("_quarto.yml", "nbdev.yml", "sidebar.yml"):
        settings.append(yaml.safe_load((processed / name).read_text(encoding="utf-8")))
    quarto, nbdev, sidebar = settings
    assert quarto["metadata-files"] == ["nbdev.yml", "sidebar.yml"]
    assert sidebar == SIDEBAR
    assert nbdev["project"]["output-dir"] == "_docs"
    website = nbdev["website"]
    assert website["title"] == "What's Inside a Neural Net?"
    assert website["site-url"].rstrip("/") == URLS["Documentation"].rstrip("/")
    assert website["repo-url"] == URLS["Repository"]
    assert (processed / quarto["website"]["favicon"]).is_file()
    used = {name for tree in settings for name in options(tree)}
    assert used == set(DOCUMENTED), used ^ set(DOCUMENTED)
