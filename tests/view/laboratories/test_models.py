import numpy as np
import pytest
from matplotlib.colors import to_rgb

from npvae.study.laboratories.measuring import Case, CasesLaboratory, Figures
from npvae.view.laboratories.models import cases_table, draw_cases


@pytest.fixture
def cases(rng):
    def case(**changes):
        figures = Figures(20.5, 2.25, 0.4, 1.1, 2, 1.75)._replace(**changes)
        history = {"reconstruction": [30.0, 21.0]} | ({} if np.isnan(figures.kl) else {"kl": [0.5, 2.0]})
        return Case(figures, rng.standard_normal((30, 2)), rng.random((36, 6)), history)

    return {"AE": case(kl=np.nan, std=0.0), "VAE": case()}


def test_the_table(cases):
    lines = cases_table("Two", CasesLaboratory(cases, None, None, 0.125)).text().splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(("AE", "VAE"))}
    assert rows == {
        "AE": ["20.50", "-", "0.000", "1.10", "2", "1.75"],
        "VAE": ["20.50", "2.25", "0.400", "1.10", "2", "1.75"],
    }
    assert "test images have 0.12" in " ".join(lines)
    for term in ("Active units: ", "Frechet distance: "):
        assert any(line.strip().startswith(term) for line in lines)


def test_the_picture_has_codes_samples_and_losses_of_each(cases):
    figure = draw_cases(CasesLaboratory(cases, np.arange(30) % 3, (2, 3), 0.125), ["one", "two"])
    codes, samples = figure.axes[0::2][:2], figure.axes[1::2][:2]
    for ax, case, caption in zip(codes, cases.values(), ["one", "two"], strict=True):
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), case.codes)
        assert [text.get_text() for text in ax.texts] == [caption], "class names are in the legend only"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1", "2"]
    colours = {tuple(to_rgb(handle.get_color())) for handle in legend.legend_handles}
    assert colours == {tuple(colour[:3]) for colour in codes[0].collections[0].get_facecolors()}
    assert all("1.75" in ax.get_xlabel() for ax in samples)
    reconstruction, kl = figure.axes[4:]
    assert [line.get_label() for line in reconstruction.lines] == ["AE", "VAE"]
    assert [line.get_label() for line in kl.lines] == ["VAE"]


def test_without_classes_there_is_no_legend_of_them(cases):
    assert draw_cases(CasesLaboratory(cases, None, (2, 3), 0.125), ["one", "two"]).legends == []


def test_a_case_in_json(cases):
    numbers = cases["AE"].numbers()
    assert numbers["kl"] is None
    assert numbers["history"] == {"reconstruction": [30.0, 21.0]}
    assert "codes" not in numbers
