"""The site as a reader meets it: what `make docs` builds, opened in Chromium with no way out to the network; and what the published edition hands to Quarto.

The parts that need Chromium, or a package from npm that is neither here nor to be had, are skipped without them, or fail where the environment says BROWSER_TESTS=required."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from shared import ROOT, copy_course, missing

from publish import frames
from publish.lessons import pyproject
from publish.site import npm_package

pytestmark = pytest.mark.xdist_group("site")  # one worker builds it, for all tests
PYPROJECT = pyproject()
MAKE_DOCS = "publish.site"


def listed(contents):
    "The notebooks of a sidebar, in order."
    for entry in contents:
        if isinstance(entry, str):
            yield entry
        else:
            yield from listed(entry["contents"])


NOTEBOOKS = list(
    listed(
        yaml.safe_load((ROOT / "nbs" / "sidebar.yml").read_text(encoding="utf-8"))["website"][
            "sidebar"
        ]["contents"]
    )
)
PAGES = {
    name: re.sub(r"(^|/)\d+[a-z]*_", r"\1", name).replace(".ipynb", ".html") for name in NOTEBOOKS
}  # as nbdev names them
QUIZZES = {PAGES[name]: name[:2] for name in NOTEBOOKS if re.match(r"\d\d_", name)}
SEARCH = "search.html?q=momentum"
# Beside the lessons: the pages that are alone of their kind, and one of those behind the scenes.
ONE_OF_A_KIND = [page for page in PAGES.values() if "/" not in page and page not in QUIZZES]
ONE_OF_A_KIND += ["backstage/data.html", SEARCH]


# --- building


def run(folder, *command, path=""):
    "Run Python there as a learner without settings, data and network; its exit code and what it said."
    env = {name: value for name, value in os.environ.items() if not name.startswith("HELPERS_")}
    env |= dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
    ) | {"PYTHONPATH": str(folder), "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=600
    )
    return done.returncode, done.stdout + done.stderr


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "The site, built twice: the second time after a word in lesson 01 has changed."
    course = copy_course(tmp_path_factory.mktemp("course"))
    cache = (
        ROOT / "data" / "cache"
    )  # what has a network, or takes a minute, is kept there for the next time
    try:
        npm_package("mathjax", cache / "npm")
    except OSError as error:
        missing(str(error))
    shutil.copytree(cache / "npm", course / "data" / "cache" / "npm")
    for stem in frames.GRID:
        path = ROOT / "nbs" / f"{stem}.ipynb"
        frames.stored(path)
        (course / "data" / "cache" / "frames").mkdir(exist_ok=True)
        shutil.copy(frames.cached(path), course / "data" / "cache" / "frames")
    code, first = run(course, "-m", MAKE_DOCS)
    assert code == 0, first
    written = {path: path.stat().st_mtime_ns for path in (course / "_site").rglob("*.html")}
    edit(
        course / "nbs" / "01_gradient_descent.ipynb",
        "Somebody chose a line",
        "Somebody picked a line",
    )
    code, second = run(course, "-m", MAKE_DOCS)
    assert code == 0, second
    return SimpleNamespace(
        course=course, folder=course / "_site", said=(first, second), written=written
    )


def test_second_run_makes_only_what_changed(site):
    assert f"{len(PAGES)} of {len(PAGES)} pages to be read" in site.said[0]
    assert f"1 of {len(PAGES)} pages to be read: gradient_descent" in site.said[1]
    assert "Somebody picked a line" in (site.folder / "gradient_descent.html").read_text(
        encoding="utf-8"
    )
    anew = {
        path.relative_to(site.folder).as_posix()
        for path in site.written
        if path.stat().st_mtime_ns != site.written[path]
    }
    assert anew <= {"gradient_descent.html", "index.html", "search.html"}, (
        anew
    )  # the front page holds the sidebar


def test_page_names_are_unique_and_nbdevs_own(site):
    from nbdev.config import nbpath2html

    assert len(set(PAGES.values())) == len(PAGES) and all(
        nbpath2html(name).as_posix() == page for name, page in PAGES.items()
    )
    assert {
        path.relative_to(site.folder).as_posix()
        for path in site.folder.rglob("*.html")
        if "_static" not in path.parts
    } == {*PAGES.values(), "search.html"}
    sidebar = (
        (site.folder / "index.html")
        .read_text(encoding="utf-8")
        .split('class="bd-links', 1)[1]
        .split("</nav>", 1)[0]
    )
    assert re.findall(r'href="([\w/]+\.html)"', sidebar) == [
        page for page in PAGES.values() if page != "index.html"
    ]
    assert re.findall(r">\s*(\d\d) \w", sidebar) == list(QUIZZES.values())


# --- links


class Collector(HTMLParser):
    "Ids, links and pictures of a page."

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.pictures = [], [], [], []
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


def broken_links(folder):
    "Every link of the site that leads nowhere, and everything that a page would fetch from elsewhere."
    pages = {
        path.relative_to(folder).as_posix(): Collector(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.html")
        if "_static" not in path.parts
    }
    broken = []
    for name, page in pages.items():
        for address in page.links + page.loads:
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if (
                    address in page.loads
                    or parts.scheme not in ("http", "https")
                    or not re.fullmatch(r"[\w.-]+\.\w+", parts.netloc)
                ):
                    broken.append((name, address))
                continue
            target = (
                os.path.normpath(Path(name).parent / unquote(parts.path)) if parts.path else name
            )
            if (
                not (folder / target).is_file()
                or parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].ids
            ):
                broken.append((name, address))
    return broken


def test_every_link_leads_somewhere(site):
    assert broken_links(site.folder) == []


def test_link_check_notices(site, tmp_path):
    shutil.copytree(site.folder, tmp_path / "site")
    (tmp_path / "site" / "embeddings.html").rename(tmp_path / "site" / "embedding.html")
    edit(tmp_path / "site" / "weight_decay.html", 'id="summary"', 'id="summing-up"')
    edit(
        tmp_path / "site" / "index.html",
        "</body>",
        '<img src="https://elsewhere.org/counter.png" alt="counter"></body>',
    )
    broken = broken_links(tmp_path / "site")
    assert {
        ("index.html", "embeddings.html"),
        ("weight_decay.html", "#summary"),
        ("index.html", "https://elsewhere.org/counter.png"),
    } <= set(broken)


def test_cells_have_anchors_and_pictures_texts(site):
    "Each code cell can be linked to by its id, and each picture says in words what it shows."
    for name, page in PAGES.items():
        found = Collector((site.folder / page).read_text(encoding="utf-8"))
        assert len(found.ids) == len(set(found.ids)), page
        for picture in found.pictures:
            assert "logo" in picture.get("class", "") or len(picture.get("alt", "").split()) >= 4, (
                page,
                picture,
            )
        if not re.match(r"\d\d_", name):
            continue
        cells = [
            cell
            for cell in json.loads((ROOT / "nbs" / name).read_text(encoding="utf-8"))["cells"]
            if cell["cell_type"] == "code"
            and not re.match(r"#\| *(export|hide|default_exp)", "".join(cell["source"]))
        ]
        assert {cell["id"] for cell in cells} <= set(found.ids), page


# --- in a browser


@pytest.fixture(scope="module")
def address(site):
    "Where the site is served."

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=site.folder)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def tab(chromium):
    "Open a page; when the test is over, nothing may have been asked of another address, nothing may have failed, and no error been reported."
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page, wrong = context.new_page(), []
    page.on(
        "console", lambda message: wrong.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1", "file:", "data:", "blob:"))
            else wrong.append(f"asked for {request.url}")
        ),
    )
    yield page
    context.close()
    assert wrong == []


def settle(page):
    "Wait until formulas are drawn and the page's own script has run."
    page.wait_for_load_state("load")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(100)


# Pieces of code of one kind look alike: one of each is left to be measured, since axe takes seconds for thousands of them.
ONE_OF_EACH = """() => {
    const seen = new Set();
    for (const piece of document.querySelectorAll('.highlight pre span')) {
        const place = piece.closest('.cell_input, .cell_output, .api, details')?.className ?? '', kind = place + '|' + piece.className;
        if (!piece.children.length) seen.has(kind) ? piece.replaceWith(piece.textContent) : seen.add(kind);
    }
    document.querySelectorAll('.highlight pre').forEach(block => block.normalize());
}"""


def complaints(page, **options):
    "What axe-core finds, of any weight; none of them means a score of 100."
    from axe_playwright_python.sync_playwright import Axe

    found = (
        Axe()
        .run(page, options={"resultTypes": ["violations"], "preload": False, **options})
        .response
    )
    assert options or len(found["passes"]) >= 30  # it did look
    return [
        (rule["impact"], rule["id"], [node["target"] for node in rule["nodes"][:3]])
        for rule in found["violations"]
    ]


@pytest.mark.browser
@pytest.mark.parametrize("name", [*PAGES.values(), SEARCH])
def test_page(tab, address, name):
    "Formulas are drawn, folds open, and nothing is wider than a telephone."
    tab.goto(address + name)
    settle(tab)
    formulas = tab.locator(".bd-article .math").count()
    assert (
        tab.locator("mjx-container svg").count() >= formulas
        and tab.locator("mjx-container").count() == formulas
        and tab.locator("mjx-merror, [data-mjx-error]").count() == 0
    )
    text = tab.evaluate(
        "[...document.querySelectorAll('.bd-article p, .bd-article li, .bd-article td')].map(part => part.innerText).join(' ')"
    )
    assert "$$" not in text and r"\frac" not in text and ":::" not in text

    folds = tab.locator(".bd-article details")
    if folds.count():
        folds.first.locator("summary").first.click()
        assert folds.first.evaluate("fold => fold.open")
    tab.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    tab.set_viewport_size({"width": 380, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380


@pytest.mark.browser
@pytest.mark.parametrize("name", [*QUIZZES, *ONE_OF_A_KIND])
def test_accessible(tab, address, name):
    "axe-core has nothing to say, by day and by night, on a large page and on a telephone."
    tab.goto(address + name)
    settle(tab)
    tab.add_style_tag(
        content="* { transition: none !important; }"
    )  # colours are measured when they have arrived
    tab.evaluate(ONE_OF_EACH)
    tab.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    assert complaints(tab) == []
    tab.evaluate(
        "document.querySelectorAll('tbody tr:nth-child(n+5)').forEach(row => row.remove())"
    )  # the rows above have the same colours
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert complaints(tab, runOnly=["color-contrast", "link-in-text-block"]) == []

    tab.set_viewport_size({"width": 380, "height": 800})
    tab.wait_for_timeout(600)  # the theme looks anew at what scrolls
    assert complaints(tab, runOnly=["scrollable-region-focusable"]) == []


@pytest.mark.browser
@pytest.mark.parametrize("name", QUIZZES)
def test_quiz(tab, address, name):
    "The right answer by mouse, the wrong ones by keyboard: each gets its feedback."
    tab.goto(address + name)
    settle(tab)
    for asked in json.loads(
        (ROOT / "data" / "quiz" / f"{QUIZZES[name]}.json").read_text(encoding="utf-8")
    ):
        question = tab.locator(".Quiz").filter(
            has=tab.locator("xpath=./*[1]").get_by_text(asked["question"], exact=True)
        )
        assert question.count() == 1, asked["question"]
        said, by_text = (
            question.locator(".Feedback"),
            {choice["answer"]: choice for choice in asked["answers"]},
        )
        right = next(choice for choice in asked["answers"] if choice["correct"])
        question.get_by_text(right["answer"], exact=True).click()
        assert (
            right["feedback"] in said.inner_text()
            and said.get_attribute("class") == "Feedback correct"
        )
        for _ in range(len(by_text) - 1):  # the arrow keys go round
            tab.keyboard.press("ArrowDown")
            chosen = by_text[question.locator("label:has(input:checked)").inner_text().strip()]
            assert (
                chosen is not right
                and chosen["feedback"] in said.inner_text()
                and said.get_attribute("class") == "Feedback incorrect"
            )


@pytest.mark.browser
def test_quiz_is_reached_by_keyboard_alone(tab, address):
    tab.goto(address + "gradient_descent.html")
    settle(tab)
    tab.locator("section#quiz > h2").click()
    for _ in range(10):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.closest('.Quiz') !== null"):
            break
    tab.keyboard.press("Space")
    assert tab.locator(".Quiz").first.locator(".Feedback").inner_text()
    assert (
        tab.evaluate("getComputedStyle(document.activeElement.closest('label')).outlineStyle")
        == "solid"
    )


@pytest.mark.browser
def test_frames_move(tab, address, site):
    "Where frames stand in for a live figure, a slider moves them."
    with_frames = [
        page
        for page in PAGES.values()
        if 'class="course-frames' in (site.folder / page).read_text(encoding="utf-8")
    ]
    if not with_frames:
        pytest.skip("no page has stored frames")
    for name in with_frames:
        tab.goto(address + name)
        settle(tab)
        for player in tab.locator(".course-frames").all():
            slider = player.locator("input[type=range]").first
            slider.scroll_into_view_if_needed()
            before = player.screenshot()
            slider.focus()
            slider.press("ArrowRight")
            slider.press("ArrowRight")
            tab.wait_for_timeout(300)
            assert player.screenshot() != before, name


@pytest.mark.browser
@pytest.mark.parametrize("way", ["served", "as files"])
@pytest.mark.parametrize(
    "word, page", [("momentum", "momentum_adam.html"), ("one-hot", "embeddings.html")]
)
def test_search(tab, address, site, way, word, page):
    tab.goto((address if way == "served" else site.folder.as_uri() + "/") + "index.html")
    settle(tab)
    tab.keyboard.press("Control+k")
    tab.locator("#pst-search-dialog input").fill(word)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#search-results li a")
    tab.wait_for_function(
        "/finished|found/i.test(document.querySelector('#search-results').innerText)"
    )
    first = [
        urlsplit(link.get_attribute("href")).path
        for link in tab.locator("#search-results li a").all()[:3]
    ]
    assert page in first, first
    tab.locator(f'#search-results a[href*="{page}"]').first.click()
    settle(tab)
    assert urlsplit(tab.url).path.endswith(f"/{page}")


@pytest.mark.browser
@pytest.mark.parametrize("way", ["served", "as files"])
def test_day_and_night(tab, address, site, way):
    "The switch changes the page, the choice is kept on the next one, and pictures stay on white."
    start = address if way == "served" else site.folder.as_uri() + "/"
    tab.goto(start + "gradient_descent.html")
    settle(tab)
    look = lambda: tab.evaluate("getComputedStyle(document.body).backgroundColor")
    day = look()
    tab.locator(".theme-switch-button:visible").click()
    tab.locator(".theme-change-button[data-mode=dark]:visible").click()
    tab.wait_for_timeout(500)  # colours fade over
    night = look()
    assert day == "rgb(255, 255, 255)" and night != day
    assert (
        tab.locator(".cell_output img").first.evaluate(
            "picture => getComputedStyle(picture).backgroundColor + getComputedStyle(picture).filter"
        )
        == "rgb(255, 255, 255)none"
    )
    tab.goto(start + "backstage/data.html")
    settle(tab)
    assert look() == night


@pytest.mark.browser
def test_ways_through_the_site(tab, address):
    "Next and previous lead along the sidebar; on a telephone the menu opens; code is copied."
    tab.goto(address + "gradient_descent.html")
    settle(tab)
    block = tab.locator(".cell_input").nth(1)
    block.hover()
    block.get_by_role("button", name="Copy this code").click()
    assert (
        tab.evaluate("navigator.clipboard.readText()").strip()
        == block.locator("pre").inner_text().strip()
    )
    for link in tab.locator(".launch a").all():
        assert link.is_visible() and link.get_attribute("href").startswith("https://")
    assert tab.locator(".launch a").all_inner_texts() == [
        "Open in Colab",
        "Open in Kaggle",
        "Download",
    ]
    tab.locator("a.right-next").click()
    assert urlsplit(tab.url).path == "/mnist_sgd.html"
    tab.locator("a.left-prev").click()
    assert urlsplit(tab.url).path == "/gradient_descent.html"
    tab.set_viewport_size({"width": 380, "height": 800})
    tab.locator(".primary-toggle:visible").first.click()
    tab.locator("#pst-primary-sidebar-modal a:visible", has_text=re.compile("^05 ")).click()
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


def test_nbdev_gets_as_far_as_quarto(site, tmp_path):
    "`nbdev-docs` calls Quarto in the folder where every processed notebook lies, with the sidebar and the settings."
    (tmp_path / "quarto").write_text(
        f'#!{sys.executable}\nimport json, os, sys\nfrom pathlib import Path\nif sys.argv[1:] == ["--version"]: sys.exit(print("1.7.32"))\n'
        f"Path({str(tmp_path / 'called.json')!r}).write_text(json.dumps([sys.argv[1:], os.getcwd()]))\n"
        'folder = Path(sys.argv[-1])\nfolder.mkdir()\n(folder/"index.html").write_text("<html></html>")\n'
    )
    (tmp_path / "quarto").chmod(0o755)
    code, said = run(
        site.course,
        "-c",
        "from nbdev.quarto import nbdev_docs; nbdev_docs.__wrapped__(n_workers=0)",
        path=str(tmp_path),
    )
    assert code == 0, said
    arguments, folder = json.loads((tmp_path / "called.json").read_text())
    assert (
        arguments == ["render", "--no-cache", "--output-dir", str(site.course / "_proc" / "_docs")]
        and Path(folder) == site.course / "_proc"
    )
    assert (site.course / "_docs" / "index.html").is_file()

    for name, page in PAGES.items():
        [first, *cells] = json.loads((Path(folder) / name).read_text(encoding="utf-8"))["cells"]
        facts = yaml.safe_load("".join(first["source"]).strip().strip("-"))
        assert (
            first["cell_type"] == "raw"
            and facts["output-file"] == Path(page).name
            and facts["title"]
            and facts["description"]
        ), name
        for cell in cells:  # Quarto reads the options of a cell as YAML
            yaml.safe_load(
                "\n".join(
                    line[2:].strip()
                    for line in "".join(cell["source"]).splitlines()
                    if line.startswith("#|")
                )
            )
    settings = [
        yaml.safe_load((Path(folder) / name).read_text(encoding="utf-8"))
        for name in ("_quarto.yml", "nbdev.yml", "sidebar.yml")
    ]
    assert settings[0]["metadata-files"] == ["nbdev.yml", "sidebar.yml"]
    assert settings[2] == yaml.safe_load((ROOT / "nbs" / "sidebar.yml").read_text(encoding="utf-8"))
    assert (
        settings[1]["project"]["output-dir"] == "_docs"
        and settings[1]["website"]["title"] == "What's Inside a Neural Net?"
    )
    assert (
        settings[1]["website"]["site-url"].rstrip("/")
        == PYPROJECT["project"]["urls"]["Documentation"].rstrip("/")
        and settings[1]["website"]["repo-url"] == PYPROJECT["project"]["urls"]["Repository"]
    )
    assert (Path(folder) / settings[0]["website"]["favicon"]).is_file() and all(
        (Path(folder) / name).is_file() for name in NOTEBOOKS
    )
    used = {name for tree in settings for name in options(tree)}
    assert used == set(DOCUMENTED), used ^ set(DOCUMENTED)
