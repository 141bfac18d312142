"""Measurements of data in a file never hold all rows, nor codes of all rows, in memory."""

import tracemalloc

import numpy as np
import pytest

from npvae import VAE
from npvae.data import Dataset, FileRows, file_rows, to_unit_interval
from npvae.data.file_rows import write_rows
from npvae.estimators import base
from npvae.study import evaluate, evaluation, nearest_images
from npvae.study.experiment import judging
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics import classifier, neighbours, quality
from npvae.study.posterior.information import RunningMean
from npvae.study.posterior.moments import RunningMoments
from tests.comparisons import quick_networks

MOST = 1024  # rows at once
LIMITS = [
    (base, "RUN", 512),
    (classifier, "_BLOCK", 600),
    (evaluation, "MOST_PAIRED", 200),
    (file_rows, "BLOCK_BYTES", 8 * MOST),
    (judging, "MOST_CODED", MOST),
    (neighbours, "_TRAINING_ROWS", MOST),
    (quality, "_MOST_FITTED", 300),
]


@pytest.fixture
def limited(monkeypatch):
    """All limits are a few hundred rows; a FileRows that more are read from fails."""
    for module, name, value in LIMITS:
        monkeypatch.setattr(module, name, value)
    read = FileRows.__getitem__

    def checked(self, index):
        found = read(self, index)
        assert found.size <= MOST * self.shape[1], f"{found.size // self.shape[1]} rows read at once"
        return found

    monkeypatch.setattr(FileRows, "__getitem__", checked)


@pytest.fixture(scope="module")
def images():
    """Grey training images, 4000 of 8 pixels, and 3000 binary test images."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=7000)
    X = rng.integers(0, 120, (7000, 8), dtype=np.uint8) + 120 * (np.arange(8) // 4 == y[:, None])
    X = X.astype(np.uint8)
    return Dataset("halves", X[:4000], y[:4000], np.where(X[4000:] > 127, 255, 0).astype(np.uint8), y[4000:])


@pytest.fixture(scope="module")
def in_files(images):
    X_train, X_test = (write_rows([X], X.shape, X.dtype) for X in (images.X_train, images.X_test))
    return Dataset("halves", X_train, images.y_train, X_test, images.y_test)


@pytest.fixture(scope="module")
def vae(images):
    model = VAE(2, hidden=(8,), likelihood="bernoulli", max_epochs=2, tol=None, random_state=0, n_threads=1)
    return model.fit(images.X_train)


@pytest.mark.usefixtures("limited")
def test_samples_are_judged(vae, in_files):
    with quick_networks():
        judged = judging.judge_model(vae, in_files, n_samples=20)
    assert judged.classifier_accuracy > 0.9


@pytest.mark.usefixtures("limited")
def test_nearest_images(images, in_files):
    samples = to_unit_interval(images.X_test[:3])
    found = nearest_images(in_files.X_train, samples, 4)
    for of_file, of_array in zip(found, nearest_images(images.X_train, samples, 4), strict=True):
        np.testing.assert_array_equal(of_file, of_array)


def test_an_evaluation_in_runs_is_that_of_all_rows(vae, images, in_files, monkeypatch, request):
    settings = {"n_importance_samples": 2, "n_images": 30}
    monkeypatch.setattr(evaluation, "MOST_PAIRED", 200)
    whole = to_jsonable(evaluate(vae, images.X_test, **settings))
    request.getfixturevalue("limited")
    assert_close(to_jsonable(evaluate(vae, in_files.X_test, **settings)), whole)


def assert_close(found, expected):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_close(found[name], expected[name])
    elif isinstance(expected, list):
        for pair in zip(found, expected, strict=True):
            assert_close(*pair)
    else:
        assert found == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected)


@pytest.mark.usefixtures("limited")
def test_an_evaluation_does_not_keep_the_codes(rng, monkeypatch):
    monkeypatch.setattr("npvae.estimators.vae.default_n_draws", lambda latent_dim: 1)
    for of_few_rows in ("normality_tests", "aggregate_posterior_kl"):
        monkeypatch.setattr(evaluation, of_few_rows, lambda *arguments, **settings: None)
    X = rng.standard_normal((20_000, 4), dtype=np.float32)
    model = VAE(40, hidden=(4,), max_epochs=1, tol=None, random_state=0, n_threads=1).fit(X[:100])
    evaluate(model, X[:20], n_importance_samples=1, n_images=1)  # modules are loaded
    tracemalloc.start()
    try:
        evaluate(model, X, n_importance_samples=1, n_images=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000 * 40 * 4


@pytest.mark.parametrize("ends", [[100], [1, 40, 41, 100]])
def test_moments_of_runs(ends, rng):
    codes = rng.standard_normal((100, 3)) @ rng.standard_normal((3, 3)) + 1e4
    moments, mean = RunningMoments(), RunningMean()
    for start, end in zip([0, *ends], ends, strict=False):
        moments.add(codes[start:end])
        mean.add(codes[start:end])
    found = moments.result()
    np.testing.assert_allclose(found.mean, codes.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.std, codes.std(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(
        found.eigenvalues, np.linalg.eigvalsh(np.cov(codes, rowvar=False))[::-1], rtol=1e-8
    )
    np.testing.assert_allclose(mean.mean, codes.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(mean.variance, codes.var(axis=0, ddof=1), rtol=1e-9)


def test_infinite_samples_have_an_infinite_mean_and_no_error():
    mean = RunningMean()
    for run in (np.array([1.0, 2.0]), np.array([-np.inf, 3.0]), np.array([-np.inf])):
        mean.add(run)
    value, error = mean.estimate()
    assert value == -np.inf
    assert np.isnan(error)
