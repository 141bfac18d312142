"""report.html: well-formed, complete, and of one piece."""

import base64
import io
import json
from collections import Counter
from html.parser import HTMLParser

import pytest
from PIL import Image

from npvae.study.findings import comparison_findings
from npvae.study.summary import summarise
from npvae.view.draw import save
from npvae.view.report.captions import alternative
from npvae.view.report.page import write_report
from npvae.view.report.pictures import write_pictures
from npvae.view.tables.comparison_tables import heading, tables
from npvae.view.tables.terms import LATENT_TERMS
from tests.comparisons import enlarged, small_comparison

RECORD = {"settings": {"data": "a<b>&c", "beta": 1.0}, "versions": {"npvae": "9.8.7"}}
EMPTY = {"br", "img", "meta"}
REFERENCES = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href", "style"}


class Page(HTMLParser):
    """Tags, texts and attributes of a page; what is opened must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.images, self.references, self.tags = [], [], [], [], Counter()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        self.tags[tag] += 1
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        self.references += [value for name, value in attrs if name in REFERENCES]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def write(comparison, folder, *, drawn):
    """Write the page; unless drawn, with plain colours in place of the pictures."""
    if drawn:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(save, "_DPI", 30)
            pictures = write_pictures(comparison, folder)
    else:
        dims = comparison.latent_dims
        endings = [f"-d{latent_dim}" for latent_dim in dims] if len(dims) > 1 else [""]
        pictures = [f"{name}{ending}.png" for name in ("samples", "reconstructions") for ending in endings]
        for i, name in enumerate(pictures):
            Image.new("RGB", (40, 30), (0, 0, 10 * i)).save(folder / name)
    path = write_report(comparison, RECORD, pictures, folder)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8"), pictures


@pytest.fixture(scope="module", params=["one dimension", "two dimensions", "without labels"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    made = small_comparison(labels=request.param != "without labels")
    if request.param == "two dimensions":
        made = small_comparison((3, 2), (4, 0))
    text, pictures = write(made, folder, drawn=request.param == "one dimension")
    return made, folder, text, pictures


@pytest.fixture
def page(case):
    return Page(case[2])


def test_well_formed(case, page):
    assert case[2].startswith('<!DOCTYPE html>\n<html lang="en">')
    for tag in ("html", "head", "title", "style", "body", "h1", "header", "main", "footer"):
        assert page.tags[tag] == 1, tag
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
    assert page.tags["details"] == len(tables(case[0])) + 2  # and findings and settings


def test_of_one_piece(case, page):
    """Nothing is loaded from elsewhere, and nothing is missing once the page is sent to somebody."""
    _, folder, text, _ = case
    assert page.references == [image["src"] for image in page.images]
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    for part in ("http", "url(", "@import", ".png", ".safetensors", str(folder)):
        assert part not in text, part


def of_files(page, pictures):
    """The images that are files; those before them are of the first screen."""
    return page.images[len(page.images) - len(pictures) :]


def test_pictures_are_whole(case, page):
    _, folder, _, pictures = case
    shown = of_files(page, pictures)
    assert len(shown) == len(pictures)
    for image, name in zip(shown, pictures, strict=True):
        data = base64.b64decode(image["src"].partition(",")[2], validate=True)
        assert data == (folder / name).read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            assert (image["width"], image["height"]) == tuple(map(str, picture.size))
        assert len(image["alt"]) > 10


def test_every_image_has_its_size_and_says_what_it_shows(page):
    for image in page.images:
        assert int(image["width"]) > 0
        assert int(image["height"]) > 0
        assert image["alt"]


def test_alternative_texts_state_the_findings(case, page):
    comparison, _, _, pictures = case
    for image, name in zip(of_files(page, pictures), pictures, strict=True):
        kind, _, d = name.removesuffix(".png").partition("-d")
        assert image["alt"] == alternative(comparison, kind, int(d or comparison.latent_dims[0]))


def test_captions_say_which_dimension(case, page):
    comparison, _, _, pictures = case
    captions = [text for text in page.texts if any(text.endswith(i["alt"]) for i in of_files(page, pictures))]
    assert len(captions) == len(pictures)
    for text, name in zip(captions, pictures, strict=True):
        _, _, dimension = name.removesuffix(".png").partition("-d")
        assert text.startswith(f"{dimension} latent dimensions. ") == (len(comparison.latent_dims) > 1)
    assert len(set(captions)) == len(captions)


def test_one_dimension_of_several_is_in_the_singular(tmp_path):
    made = enlarged(small_comparison(), (2, 1), 1)
    Image.new("RGB", (4, 3)).save(tmp_path / "reconstructions-d1.png")
    text = write_report(made, RECORD, ["reconstructions-d1.png"], tmp_path).read_text(encoding="utf-8")
    assert "<figcaption>1 latent dimension. Test images" in text


def test_it_opens_with_the_summary(case, page):
    summary = summarise(case[0])
    headings = [text for text in page.texts if text == summary.title]
    assert len(headings) == 2  # the title of the page and its heading
    texts = " ".join(page.texts)
    places = [texts.index(part) for part in (summary.title, "Autoencoder (AE)", *summary.sentences)]
    assert places == sorted(places)
    assert places[-1] < texts.index("All findings")


def test_every_finding_number_and_term(case, page):
    comparison = case[0]
    texts = Counter(page.texts)
    for sentence in comparison_findings(comparison):
        assert all(texts[line] >= 1 for line in sentence.split("\n")), sentence
    assert any(heading(comparison)[1] in text for text in page.texts)
    cells = Counter(
        part
        for table in tables(comparison)
        for cells in (table.header, *table.rows)
        for cell in cells
        for part in cell.split("\n")
        if part
    )
    assert all(texts[cell] >= count for cell, count in cells.items())
    assert all(table.note in page.texts for table in tables(comparison))
    assert page.tags["table"] == len(tables(comparison))
    assert page.tags["li"] == len(comparison_findings(comparison)) + 3
    assert page.tags["dt"] == page.tags["dd"] >= len(LATENT_TERMS)
    assert all(text in page.texts for text in LATENT_TERMS.values())


def test_the_record_is_there_and_escaped(page):
    (text,) = [text for text in page.texts if text.startswith("{")]
    assert json.loads(text) == RECORD


def test_the_explorer_is_linked(tmp_path):
    text = write_report(small_comparison(), RECORD, [], tmp_path, explorer="explorer.html").read_text()
    assert [reference for reference in Page(text).references if "data:" not in reference] == ["explorer.html"]


def test_an_old_page_is_replaced(tmp_path):
    made = small_comparison()
    (tmp_path / "report.html").write_text("old")
    path = write_report(made, RECORD, [], tmp_path)
    assert len(Page(path.read_text()).images) == 2  # of the first screen
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    first = path.read_bytes()
    assert write_report(made, RECORD, [], tmp_path).read_bytes() == first
