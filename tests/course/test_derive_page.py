import re
from html.parser import HTMLParser

import pytest

from npvae.course.derive_page import derivations_page
from npvae.course.derive_pairs import NAMES, derive


@pytest.fixture(scope="module")
def page():
    return derivations_page([derive(name) for name in NAMES])


class Tags(HTMLParser):
    """Finds elements that are not closed in their order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_it_is_well_formed(page):
    tags = Tags()
    tags.feed(page)
    assert (tags.open, tags.wrong) == ([], [])


def test_it_has_all_pairs_and_lines(page):
    for name in NAMES:
        anchor = re.sub("[^a-z_]+", "-", name)
        assert page.count(f'id="{anchor}"') == page.count(f'href="#{anchor}"') == 1
    n_lines = sum(len(derive(name).lines) for name in NAMES)
    assert page.count("<math") >= 2 * n_lines


def test_nothing_is_loaded(page):
    assert not re.search(r"https?:|<script|<link|@import|url\(|\bsrc=", page)


def test_formulas_are_mathml(page):
    assert "<mfrac>" in page
    assert "<msup><mi>e</mi>" in page
    assert "<munder><mo>∑</mo>" in page
    assert "&#x2212;0.761594" in page  # tanh(-1), with a minus sign
