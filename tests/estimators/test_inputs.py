"""What users have at hand: MinMaxScaler's output, masks in uint8, data frames in another order."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from npvae import VAE, Autoencoder

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])
SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer().data


def test_training_folds_of_min_max_scaler_are_not_refused(cancer):
    """44 of these 50 are beyond [0, 1] by an ulp or two."""
    beyond = 0
    for seed in range(50):
        some = np.random.default_rng(seed).permutation(len(cancer))[: len(cancer) * 4 // 5]
        X = MinMaxScaler().fit_transform(cancer[some])
        beyond += bool(X.max() > 1 or X.min() < 0)
        VAE(**SMALL, likelihood="bernoulli").fit(X)
    assert beyond > 10


@both
@pytest.mark.parametrize("dynamic", [False, True])
def test_rounding_beyond_one_is_let_through_everywhere(cls, dynamic):
    X = np.random.default_rng(0).random((50, 4))
    X[3, 2], X[4, 1] = 1 + 2.2e-16, -1e-7
    model = cls(**SMALL, likelihood="bernoulli", dynamic_binarization=dynamic).fit(X, X_val=X)
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.partial_fit(X).transform(X)).all()


def test_what_is_beyond_is_said_exactly():
    X = np.random.default_rng(0).random((500, 4))
    X[300, 2], X[450, 0] = 1.00001, 1.00002
    message = (
        r"from \S+ to 1\.00002: 2 of 500 rows of X .*first in row 300, column 2\..*MinMaxScaler\(clip=True\)"
    )
    with pytest.raises(ValueError, match=message):
        VAE(**SMALL, likelihood="bernoulli").fit(X)


def test_a_grid_search_behind_a_clipping_scaler_has_finite_scores(cancer):
    model = VAE(likelihood="bernoulli", hidden=(16,), max_epochs=3, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(clip=True), model)
    search = GridSearchCV(pipeline, {"vae__latent_dim": [1, 2, 3]}, cv=KFold(5, shuffle=True, random_state=0))
    search.fit(cancer)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@both
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_masks_in_uint8_are_refused(cls, method):
    mask = load_digits().data[:100] > 7
    with pytest.raises(ValueError, match=r"no value is above 1\. Pass data of 0 and 1 as bool or float"):
        getattr(cls(**SMALL, likelihood="bernoulli"), method)(mask.astype(np.uint8))
    getattr(cls(**SMALL, likelihood="bernoulli"), method)(mask)
    getattr(cls(**SMALL, likelihood="bernoulli"), method)(np.where(mask, 255, 0).astype(np.uint8))


@both
@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "partial_fit"])
def test_a_model_of_other_numbers_does_not_take_them_for_pixels(cls, dtype, method):
    X = (load_digits().data[:100] > 7).astype(dtype)
    model = cls(**SMALL, likelihood="bernoulli").fit(X)
    with pytest.raises(
        ValueError, match=r"uint8, which means pixels 0\.\.255, but this .* was not trained on"
    ):
        getattr(model, method)(X.astype(np.uint8))
    np.testing.assert_allclose(model.transform(X), model.transform(X.astype(np.int8)), rtol=1e-4, atol=1e-5)


def test_a_model_of_pixels_takes_a_blank_image():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 9)).astype(np.uint8)
    model = VAE(**SMALL, likelihood="bernoulli").fit(pixels)
    np.testing.assert_array_equal(
        model.transform(0 * pixels[:1]), model.transform(np.zeros((1, 9), np.float32))
    )


@both
def test_validation_data_and_training_data_are_pixels_or_not(cls):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 9)).astype(np.uint8)
    for X, X_val in ((pixels, pixels / 255), (pixels / 255, pixels)):
        with pytest.raises(ValueError, match="X and X_val must both be uint8"):
            cls(**SMALL).fit(X, X_val=X_val)


@both
def test_validation_data_frames_need_the_same_columns_in_the_same_order(cls, rng):
    frame = pd.DataFrame(rng.random((30, 3)), columns=["a", "b", "c"])
    cls(**SMALL).fit(frame, X_val=frame)
    for other in (frame[["c", "b", "a"]], frame.rename(columns={"a": "A"})):
        with pytest.raises(ValueError, match=r"X_val does not fit X\. The feature names should match"):
            cls(**SMALL).fit(frame, X_val=other)


@both
def test_data_frames_of_pixels_take_validation_data_of_pixels(cls, rng):
    pixels = pd.DataFrame(rng.integers(0, 256, (30, 3)).astype(np.uint8))
    cls(**SMALL).fit(pixels, X_val=pixels)
    with pytest.raises(ValueError, match="must both be uint8"):
        cls(**SMALL).fit(pixels, X_val=pixels.astype(float))


@both
def test_bad_validation_data_are_named(cls, rng):
    X = rng.random((30, 3))
    bad = X.copy()
    bad[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"Input X_val contains NaN, first in row 7, column 1\."):
        cls(**SMALL).fit(X, X_val=bad)
    bad[7, 1] = 2
    with pytest.raises(ValueError, match="1 of 30 rows of X_val"):
        cls(**SMALL, likelihood="bernoulli").fit(X, X_val=bad)


@both
def test_missing_values_are_located_and_imputers_named(cls, rng):
    X = rng.random((600, 3))
    X[300, 2] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN, first in row 300, column 2\. .*SimpleImputer"):
        cls(**SMALL).fit(X)
    make_pipeline(SimpleImputer(), cls(**SMALL)).fit(X)


@both
def test_an_unknown_argument_of_fit_names_the_users_class(cls, rng):
    message = rf"{cls.__name__}\.fit\(\) takes X, y, X_val, callbacks, .*, but not sample_weight"
    with pytest.raises(TypeError, match=message):
        cls(**SMALL).fit(rng.random((30, 3)), sample_weight=np.ones(30))


def test_samples_with_noise_vary_as_the_data_do(rng):
    """Columns of different means and strong noise; a model's means vary far less than the data."""
    X = np.outer(rng.standard_normal(2000), [1, 1, 0.5, 0]) + rng.standard_normal((2000, 4)) + [5, 0, 0, -5]
    model = VAE(1, hidden=(16,), random_state=0).fit(X)
    means, samples = (model.sample(20_000, random_state=0, noise=noise) for noise in (False, True))
    np.testing.assert_allclose(samples.std(axis=0), X.std(axis=0), rtol=0.1)
    assert np.all(means.std(axis=0) < 0.85 * X.std(axis=0))
    np.testing.assert_allclose(
        (samples - means).std(axis=0), np.sqrt(model.network_.noise_var(model.params_)), rtol=0.03
    )
    assert samples.dtype == np.float32


def test_samples_of_pixels_with_noise_are_black_and_white():
    X = (load_digits().data > 7).astype(np.float32)
    model = VAE(likelihood="bernoulli", hidden=(32,), max_epochs=20, random_state=0).fit(X)
    samples = model.sample(5000, random_state=0, noise=True)
    assert set(np.unique(samples)) == {0, 1}
    means = model.sample(5000, random_state=0)
    np.testing.assert_allclose(np.mean((samples - means) ** 2), np.mean(means * (1 - means)), rtol=0.02)
    np.testing.assert_allclose(samples.mean(axis=0), means.mean(axis=0), atol=0.035)
    np.testing.assert_array_equal(samples, model.sample(5000, random_state=0, noise=True))


@both
@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("method", ["score", "transform", "reconstruct", "partial_fit", "fit"])
def test_pixels_in_another_unit_are_noticed(cls, likelihood, dtype, method):
    """A model of uint8 that is given the same pixels as floats or integers 0..255."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 5)).astype(np.uint8)
    model = cls(**SMALL, likelihood=likelihood, warm_start=True).fit(pixels)
    with pytest.raises((ValueError, UserWarning), match=r"pixels 0\.\.255.*as uint8|Pixels 0\.\.255 must be"):
        getattr(model, method)(pixels.astype(dtype))
    getattr(model, method)(pixels / 255)


@both
def test_validation_data_in_another_unit_are_noticed(cls, rng):
    X = rng.random((60, 5))
    with pytest.warns(
        UserWarning, match=r"60 of 60 rows of X_val are far outside .*must be in the units of X"
    ):
        cls(**SMALL).fit(X, X_val=255 * X + 2)
    cls(**SMALL).fit(X, X_val=1.5 * X)


# With the map alone, the system ends the process (SIGBUS).
CUT_OFF = """
import os, sys
import subprocess
import sys

import numpy as np
from npvae import VAE
from npvae.data import DataChangedError

path, dtype, use = sys.argv[1:]
np.save(path, np.random.default_rng(0).integers(0, 256, (20000, 20)).astype(dtype))
X = np.load(path, mmap_mode="r")[100:]
cut = lambda state: os.truncate(path, 1000)
model = VAE(2, hidden=(3,), likelihood="gaussian", max_epochs=1, random_state=0).fit(X[:200])
if use != "fit":
    cut(None)
try:
    if use == "fit":
        model.set_params(max_epochs=3).fit(X, callbacks=[cut])
    else:
        getattr(model, use)(X)
except DataChangedError as error:
    print(error, model.n_iter_)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not cut off a file that is mapped")
@pytest.mark.parametrize(
    ("use", "dtype"),
    [
        ("fit", "uint8"),
        ("fit", "float64"),
        ("partial_fit", "float32"),
        ("transform", "float64"),
        ("score_samples", "uint8"),
    ],
)
def test_a_callers_memory_map_that_is_cut_off_is_an_error(use, dtype, tmp_path):
    path = tmp_path / "x.npy"
    command = [sys.executable, "-W", "ignore", "-c", CUT_OFF, path, dtype, use]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    n_bytes = 128 + 20000 * 20 * np.dtype(dtype).itemsize
    message = f"{path} was cut off while it was in use: it had {n_bytes} bytes, now it has 1000"
    assert ended.stdout == f"{message} 1\n"
