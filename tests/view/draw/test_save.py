import matplotlib.image
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from npvae.view import save_figure


def figure():
    made = Figure(figsize=(4, 3), layout="constrained")
    made.add_subplot().plot([1, 3, 2])
    return made


def test_the_file_is_a_whole_picture_of_the_figures_size(tmp_path):
    save_figure(figure(), tmp_path / "new" / "picture.png")
    pixels = matplotlib.image.imread(tmp_path / "new" / "picture.png")
    assert pixels.shape[:2] == (450, 600)
    assert len(np.unique(pixels)) > 2


def test_the_same_figure_gives_the_same_bytes_and_no_date(tmp_path):
    for name in ("a.png", "b.png"):
        save_figure(figure(), tmp_path / name)
    written = (tmp_path / "a.png").read_bytes()
    assert written == (tmp_path / "b.png").read_bytes()
    assert not any(word in written for word in (b"tEXt", b"tIME", b"matplotlib"))


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def fail_half_way(path, **kwargs):
        path.write_bytes(b"half")
        raise OSError("disk full")

    save_figure(figure(), tmp_path / "picture.png")
    before = (tmp_path / "picture.png").read_bytes()
    broken = figure()
    monkeypatch.setattr(broken, "savefig", fail_half_way)
    with pytest.raises(OSError, match="disk full"):
        save_figure(broken, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_a_figure_of_pyplots_is_closed(tmp_path):
    pyplot.switch_backend("agg")
    shown = pyplot.figure()
    save_figure(shown, tmp_path / "picture.png")
    assert not pyplot.fignum_exists(shown.number)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.png"):
        save_figure(figure(), tmp_path / "picture.pdf")
    assert not list(tmp_path.iterdir())
