"""What Sphinx is told of the site; `publish.site` starts it.

The names are Sphinx's, myst-nb's and sphinx-book-theme's own: see their documentation."""

from publish.lessons import ROOT, address

ASSETS = ROOT / "nbs" / "assets"
TITLE = "What's Inside a Neural Net?"

project = TITLE
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "publish.site"]

# --- notebooks: what is stored is shown, nothing is run

nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 6
myst_dmath_allow_space = False
myst_dmath_allow_digits = False
myst_dmath_double_inline = True

# --- formulas, by a copy of MathJax that lies beside the pages

mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

# --- the look

html_title = TITLE
html_theme = "sphinx_book_theme"
html_static_path = [str(ASSETS), str(ROOT / "data" / "cache" / "site" / "assets")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = str(ASSETS / "favicon.svg")
html_logo = str(ASSETS / "favicon.svg")
# The name of the course is a way to go, for those who hear the page: templates/course-logo.html.
templates_path = ["templates"]
html_sidebars = {"**": ["course-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "repository_url": address(),
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],
    "show_toc_level": 2,
    "logo": {"text": TITLE, "alt_text": ""},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# --- what is left out

html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False
html_show_copyright = False
html_show_sphinx = False
