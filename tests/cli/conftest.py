import numpy as np
import pytest

from npvae.view.draw import save
from tests.cli.tools import invoke
from tests.comparisons import quick_networks


@pytest.fixture(autouse=True, scope="module")
def coarse_pictures():
    """Most of the time of a picture goes into its pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(save, "_DPI", 40)
        yield


@pytest.fixture
def no_pictures(monkeypatch):
    """For tests of `npvae compare` that are about something else."""
    monkeypatch.setattr("npvae.view.report.pictures.write_pictures", lambda comparison, folder: [])
    monkeypatch.setattr("npvae.cli.compare._write_explorer", lambda comparison, folder: None)


@pytest.fixture(scope="module")
def quick_judges():
    """For tests of `npvae compare` that are not about how good samples are."""
    with quick_networks():
        yield


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder with 150 and 60 images of 6 x 5 pixels: a bright bar, upright or lying, somewhere."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("data") / "bars"
    folder.mkdir()
    for part, n in [("train", 150), ("test", 60)]:
        X = rng.integers(0, 60, size=(n, 6, 5), dtype=np.uint8)
        y = rng.integers(2, size=n)
        for image, upright in zip(X, y, strict=True):
            if upright:
                image[:, rng.integers(5)] += 180
            else:
                image[rng.integers(6)] += 180
        np.save(folder / f"X_{part}.npy", X)
        np.save(folder / f"y_{part}.npy", y)
    return folder


@pytest.fixture(scope="session")
def features(tmp_path_factory):
    """A file with 150 rows of 7 numbers of all signs."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("data") / "features.npy"
    np.save(path, rng.standard_normal((150, 2)) @ rng.standard_normal((2, 7)) + 3)
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory, images):
    """A folder with vae.safetensors and ae.safetensors, trained on the images."""
    folder = tmp_path_factory.mktemp("models")
    for kind in ("vae", "ae"):
        argv = ["--data", images, "--epochs", 3, "--hidden", 12, "--out", folder / f"{kind}.safetensors"]
        assert invoke("train", kind, *argv).code == 0
    return folder
