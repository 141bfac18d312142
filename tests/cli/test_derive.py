import json

import pytest

from npvae.course.derive import derivation_text
from npvae.course.derive_pairs import NAMES, derive
from tests.cli.tools import assert_refused, invoke


def test_they_are_listed():
    result = invoke("derive")
    assert (result.code, result.err) == (0, "")
    assert [line.split("  ")[0] for line in result.out.splitlines()] == list(NAMES)
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize("words", [("kl",), ("mlp,", "relu"), ("mlp, relu",)])
def test_one(words):
    result = invoke("derive", *words)
    assert (result.code, result.err) == (0, "")
    assert result.out == derivation_text(derive(" ".join(words))) + "\n"


def test_json():
    (record,) = json.loads(invoke("derive", "kl", "--json").out)
    assert record["name"] == "kl"
    assert record["forward"]["function"] == "npvae/core/gaussian.py, kl_forward"
    for part in ("forward", "backward"):
        for line in record[part]["lines"]:
            assert line["value"] == pytest.approx(line["computed_by_npvae"], rel=1e-4)
    assert len(json.loads(invoke("derive", "--json").out)) == len(NAMES)


def test_a_page(tmp_path):
    result = invoke("derive", "--html", tmp_path / "all.html")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert invoke("derive", "kl", "--html", tmp_path / "kl.html").code == 0
    pages = [(tmp_path / name).read_text(encoding="utf-8") for name in ("all.html", "kl.html")]
    assert [page.count("<section") for page in pages] == [len(NAMES), 1]


@pytest.mark.parametrize(
    ("options", "parts"),
    [(("softmax",), ["softmax", "kl"]), (("--html", "page.pdf"), ["page.pdf", ".html"])],
)
def test_bad_options(options, parts):
    assert_refused(invoke("derive", *options), *parts)
