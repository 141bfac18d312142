import re
from html.parser import HTMLParser

import numpy as np
import pytest

from npvae.study.table import Table, with_spread

TABLE = Table(
    "Title & more",
    ("source", "Frechet\ndistance", "coverage"),
    [("AE", "", ""), ("z < 1", "23.9(9)", "0.87"), ("a longer name", "156", "-")],
    "A note. " * 20,
)


def test_text():
    lines = TABLE.text().splitlines()
    assert lines[0] == "Title & more"
    assert lines[1].split() == ["Frechet"]
    assert lines[2].split() == ["source", "distance", "coverage"]
    assert lines[3] == "AE"
    assert lines[4].split() == ["z", "<", "1", "23.9(9)", "0.87"]
    ends = [re.search(r"(23\.9\(9\)|156)", line).end() for line in lines[4:6]]
    assert ends[0] == ends[1] == lines[2].index("distance") + len("distance"), "numbers are to the right"
    assert all(len(line) <= 100 for line in lines)
    assert " ".join(lines[6:]).startswith("A note. A note.")


def test_html_is_well_formed_and_escaped():
    opened, texts = [], []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "br":
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

        def handle_data(self, data):
            texts.append(data.strip())

    parser = Parser()
    parser.feed(TABLE.html())
    assert opened == []
    for text in ("Title & more", "z < 1", "23.9(9)", "a longer name"):
        assert text in texts


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.12345], "0.123"),
        ([1.2345], "1.23"),
        ([12.345], "12.3"),
        ([123.45], "123"),
        ([1234.5], "1234"),
        ([0.0], "0.00"),
        ([-5.678], "-5.68"),
        ([1.0, 1.2], "1.1(1)"),
        ([10.0, 30.0], "20(10)"),
        ([0.9714, 0.9716], "0.972(0)"),
        ([5.0, 5.0], "5.00(0)"),
        ([0.1, np.nan], "-"),
        ([99.0, 101.0, 100.0], "100(1)"),
        ([0.96, 1.06, 1.16], "1.1(1)"),
        ([1.0, 2.34], "1.7(9)"),
        ([1.0, 2.36], "2(1)"),
    ],
)
def test_numbers_with_their_spread(values, text):
    """The standard deviations by hand: 0.141, 14.1, 0.00014, 0, 1, 0.1, 0.948, 0.962 and so on."""
    assert with_spread(np.array(values)) == text
