"""report.html and the page of a trace in a browser: accessibility, width on a phone, and dark mode."""

import pytest

from npvae.view.draw.trace_page import write_trace_page
from npvae.view.report.page import write_report
from npvae.view.report.pictures import write_pictures
from tests.comparisons import small_comparison
from tests.view.accessibility import needs_axe, serious_violations
from tests.view.tables.test_trace import make


@pytest.fixture(scope="module", params=["report", "trace"])
def file(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    if request.param == "trace":
        write_trace_page(make(n_average=30), (2, 3), folder / "trace.html", show_all=True)
        return folder / "trace.html"
    comparison = small_comparison()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npvae.view.draw.save._DPI", 30)
        pictures = write_pictures(comparison, folder)
    return write_report(comparison, {"settings": {}}, pictures, folder, explorer="explorer.html")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme, file, browser):
    page = browser.new_page(color_scheme=scheme, bypass_csp=True)
    page.goto(f"file://{file}")
    page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")
    assert serious_violations(page) == []
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(width, file, browser):
    """With everything unfolded; wide tables scroll in themselves."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"file://{file}")
    page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_dark_windows_get_a_dark_page_and_pictures_on_white(file, browser):
    backgrounds = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(f"file://{file}")
        style = "getComputedStyle(document.{}).backgroundColor"
        last = "querySelector('main img:not(.panel img)')"
        backgrounds[scheme] = [page.evaluate(style.format(of)) for of in ("body", last)]
        page.close()
    white = "rgb(255, 255, 255)"
    assert backgrounds["light"] == [white, white]
    assert backgrounds["dark"][0] != white
    assert backgrounds["dark"][1] == white
