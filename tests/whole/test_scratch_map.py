from learners_lab import open_lesson, run_all
from shared import LESSONS


def test_map(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    lesson = [p.name for p in LESSONS if p.name.startswith("11")][0]
    open_lesson(page, lesson)
    run_all(page)
    fig = page.locator(".course-figure").first
    fig.scroll_into_view_if_needed()
    page.screenshot(path="/tmp/map0.png")
    c = fig.locator(".widget-text")
    print(c.count(), c.first.inner_html()[:600])
    f = c.first.locator("input")
    print("value", f.input_value())
    opts = c.first.locator("datalist option").evaluate_all("o=>o.map(it=>it.value)")
    print(len(opts), opts[:3], opts[-2:])
    f.fill(opts[-1])
    page.wait_for_timeout(3000)
    f.press("Enter")
    page.wait_for_timeout(4000)
    page.screenshot(path="/tmp/map1.png")
    print(fig.locator(".course-live").inner_text()[:300])
    f.fill("no such title")
    f.press("Enter")
    page.wait_for_timeout(4000)
    page.screenshot(path="/tmp/map2.png")
    print(fig.locator(".course-live").inner_text()[:300])
