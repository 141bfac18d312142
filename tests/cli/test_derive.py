import json

import pytest

from npvae.course.derive import derivation_text
from npvae.course.derive_pairs import ACTIVATIONS, NAMES, TOPICS, derive
from tests.cli.tools import assert_refused, invoke


def test_they_are_listed_by_topic():
    result = invoke("derive")
    assert (result.code, result.err) == (0, "")
    *lines, last = result.out.splitlines()
    assert [line for line in lines if line and line[0] != " "] == list(TOPICS)
    listed = [line[2:].split("  ")[0] for line in lines if line[:2] == "  " and line[2] != " "]
    chains = [f"mlp, {name}" for name in ACTIVATIONS]
    i = listed.index("mlp, ACTIVATION")
    assert [*listed[:i], *chains, *listed[i + 1 :]] == list(NAMES)
    assert last == f"Begin with: npvae derive {NAMES[0]}"
    assert "..." not in result.out
    assert max(map(len, result.out.splitlines())) <= 100


def test_the_help_points_to_the_exercises():
    assert "try npvae exercise first" in invoke("derive", "--help").out


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
    assert (result.code, result.out) == (0, "")
    assert result.err == f"npvae derive: {tmp_path / 'all.html'} written\n"
    assert invoke("derive", "kl", "--html", tmp_path / "kl.html").code == 0
    pages = [(tmp_path / name).read_text(encoding="utf-8") for name in ("all.html", "kl.html")]
    assert [page.count("<section") for page in pages] == [len(NAMES), 1]


@pytest.mark.parametrize(
    ("options", "parts"),
    [(("softmax",), ["softmax", "kl"]), (("--html", "page.pdf"), ["page.pdf", ".html"])],
)
def test_bad_options(options, parts):
    assert_refused(invoke("derive", *options), *parts)
