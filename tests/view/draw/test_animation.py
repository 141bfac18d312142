import numpy as np
import pytest
from PIL import Image

from npvae.view.draw import animation
from npvae.view.draw.animation import write_latent_animation


@pytest.fixture
def codes(rng):
    return {name: [k * rng.standard_normal((20, 2)) for k in range(1, 7)] for name in ("AE", "VAE")}


def test_a_frame_for_each_epoch(codes, tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "_DPI", 20)
    path = tmp_path / "new" / "x.gif"
    assert write_latent_animation(path, codes, np.arange(20) % 3) == 6
    with Image.open(path) as gif:
        assert gif.n_frames == 6
        frames = []
        for k in range(6):
            gif.seek(k)
            frames.append(np.asarray(gif.convert("RGB")))
            assert gif.info["duration"] == (animation._FRAME if k < 5 else animation._LAST_FRAME)
    assert all(np.any(frames[k] != frames[k + 1]) for k in range(5))


def test_fewer_frames_than_epochs(codes, tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "_DPI", 20)
    assert write_latent_animation(tmp_path / "x.gif", codes, n_frames=3) == 3


def test_the_scale_stays_the_same(codes):
    """Of all epochs: the last may have moved away from where the first was."""
    half = animation._half_side(codes["AE"])
    assert half == animation._half_side(codes["AE"][::-1])
    assert half >= np.quantile(np.abs(codes["AE"][-1]), 0.995)
    assert animation._half_side([np.zeros((3, 2))]) > 3


@pytest.mark.parametrize("change", [{"AE": []}, {"AE": [np.zeros((20, 2))]}])
def test_codes_that_do_not_fit(change, codes, tmp_path):
    with pytest.raises(ValueError, match="same number of epochs"):
        write_latent_animation(tmp_path / "x.gif", codes | change)
