import numpy as np
import pytest

from npvae.view import draw_history
from npvae.view.draw.history import _spread


@pytest.fixture
def histories():
    return {
        "AE": {"loss": [9.0, 5.0, 4.0], "reconstruction": [9.0, 5.0, 4.0], "seconds": [1.0, 1.0, 1.0]},
        "VAE": {
            "loss": [9.5, 6.0, 5.0],
            "reconstruction": [9.0, 5.5, 4.25],
            "kl": [0.5, 0.5, 0.75],
            "validation_loss": [8.0, 6.1, 5.2],
            "beta": [1.0, 1.0, 1.0],
        },
    }


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def test_every_line_is_its_history(histories):
    total, reconstruction, kl = draw_history(histories)
    assert lines(total).keys() == {"AE", "VAE", "VAE validation"}
    assert lines(reconstruction).keys() == {"AE", "VAE"}
    assert lines(kl).keys() == {"VAE"}
    for ax, part in [(total, "loss"), (reconstruction, "reconstruction"), (kl, "kl")]:
        for model, line in lines(ax).items():
            name, _, validation = model.partition(" ")
            values = histories[name]["validation_loss" if validation else part]
            np.testing.assert_array_equal(line.get_data(), [[1, 2, 3], values])
            assert line.get_linestyle() == ("--" if validation else "-")


def test_a_model_has_one_colour(histories):
    panels = draw_history(histories)
    colours = {ax: {label.split()[0]: line.get_color() for label, line in lines(ax).items()} for ax in panels}
    assert colours[panels[0]] == colours[panels[1]]
    assert colours[panels[0]]["VAE"] == colours[panels[2]]["VAE"] != colours[panels[0]]["AE"]


def test_names_and_last_values_stand_at_the_ends_and_apart(histories):
    histories["AE"]["loss"][-1] = 5.01
    total = draw_history(histories)[0]
    assert {text.get_text() for text in total.texts} == {"AE 5.0", "VAE 5.0", "VAE validation 5.2"}
    assert all(text.xy[0] == 3 for text in total.texts)
    total.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in total.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_without_a_vae_there_is_no_kl(histories):
    panels = draw_history({"AE": histories["AE"]})
    assert [ax.get_title() for ax in panels] == ["Total", "Reconstruction"]


@pytest.mark.parametrize("n_epochs", [1, 2, 7, 60])
def test_epochs_are_whole_numbers(n_epochs):
    losses = list(np.linspace(9, 4, n_epochs))
    for ax in draw_history({"AE": {"loss": losses, "reconstruction": losses}}):
        ticks = ax.get_xticks()
        np.testing.assert_array_equal(ticks, np.round(ticks))
        assert any(1 <= tick <= n_epochs for tick in ticks)


def test_a_single_epoch_is_a_marker():
    (line,) = draw_history({"AE": {"loss": [3.0], "reconstruction": [3.0]}})[0].lines
    assert line.get_marker() == "o"


def test_a_training_that_diverged_or_never_finished_an_epoch_is_drawn():
    total, _ = draw_history({"a": {"loss": [3.0, 2.0, np.nan], "reconstruction": []}, "b": {}})
    (line,) = total.lines
    np.testing.assert_array_equal(line.get_data(), [[1, 2], [3, 2]])
    for ax in draw_history({"a": {}}):
        assert [text.get_text() for text in ax.texts] == ["no complete epoch"]


def test_labels_move_as_little_as_possible():
    np.testing.assert_allclose(_spread(np.array([0.0, 10.0]), 3), [0, 10])
    np.testing.assert_allclose(_spread(np.array([5.0, 5.0, 5.0]), 2), [3, 5, 7])
    assert np.all(np.diff(_spread(np.array([0.0, 1.0, 1.5, 8.0, 8.1]), 2)) >= 2 - 1e-12)
