"""What a fitted estimator answers, compared with its network's functions in float64."""

import copy
import random

import numpy as np
import pytest
from sklearn import config_context

from npvae import VAE, Autoencoder, kernels

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(4)
    return rng.uniform(0, 1, (1500, 2)) @ rng.uniform(0, 0.5, (2, 6))  # more rows than one block


@pytest.fixture(scope="module")
def models(X):
    settings = {"likelihood": "bernoulli", "hidden": (16,), "max_epochs": 3, "learning_rate": 1e-2}
    return {cls: cls(**settings, random_state=0).fit(X) for cls in (VAE, Autoencoder)}


@pytest.fixture
def model(cls, models):
    return models[cls]


@pytest.fixture(scope="module")
def vae(models):
    return models[VAE]


def in_float64(model):
    return model.params_.astype(np.float64)


def test_encode_returns_the_posterior(vae, X):
    mu, log_var = vae.encode(X)
    expected = vae.network_.encode(in_float64(vae), X)
    np.testing.assert_allclose(mu, expected[0], rtol=1e-10)
    np.testing.assert_allclose(log_var, expected[1], rtol=1e-10)


def test_transform_returns_the_posterior_means(vae, X):
    np.testing.assert_allclose(vae.transform(X), vae.network_.encode(in_float64(vae), X)[0], rtol=1e-10)


def test_transform_of_an_autoencoder_returns_the_codes(models, X):
    model = models[Autoencoder]
    np.testing.assert_allclose(model.transform(X), model.network_.encode(in_float64(model), X), rtol=1e-10)


@both
def test_inverse_transform_decodes(model, rng):
    Z = rng.standard_normal((30, 2))
    output, _ = model.network_.decoder_forward(in_float64(model), Z)
    np.testing.assert_allclose(model.inverse_transform(Z), 1 / (1 + np.exp(-output)), rtol=1e-10)


@both
def test_reconstruct_is_there_and_back(model, X):
    np.testing.assert_allclose(model.reconstruct(X), model.inverse_transform(model.transform(X)), rtol=1e-10)


def test_the_score_of_an_autoencoder_is_the_log_likelihood_of_its_reconstruction(models, X):
    model = models[Autoencoder]
    p = model.reconstruct(X)
    expected = np.sum(X * np.log(p) + (1 - X) * np.log1p(-p), axis=1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-8)


@both
def test_score_is_the_mean_of_the_scores(model, X):
    assert model.score(X) == pytest.approx(np.mean(model.score_samples(X)))


def test_the_mean_elbo_is_near_its_mean_over_the_noise(vae, X):
    params, rng = in_float64(vae), np.random.default_rng(1)
    draws = []
    for _ in range(200):
        (reconstruction, kl), _ = vae.network_.forward(params, X, rng.standard_normal((len(X), 2)))
        draws.append(-(reconstruction + kl))
    draws = np.array(draws)  # (200, N)
    standard_error = np.sqrt(draws.var(axis=0).mean() / draws.size)
    assert standard_error > 0
    assert abs(vae.score(X) - draws.mean()) < 4 * standard_error + 1e-2


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_scores_depend_on_the_sample_alone(model, X, dtype):
    X = (255 * X).astype(np.uint8) if dtype == np.uint8 else X.astype(dtype)
    model = copy.copy(model)
    model.pixels_ = True  # so that it answers to all types
    scores, rtol = model.score_samples(X), 1e-12 if dtype == np.float64 else 2e-5
    order = np.random.default_rng(2).permutation(len(X))
    np.testing.assert_allclose(model.score_samples(X[order]), scores[order], rtol=rtol)
    np.testing.assert_allclose(model.score_samples(X[100:110]), scores[100:110], rtol=rtol)
    np.testing.assert_allclose(model.score_samples(X[7:8]), scores[7:8], rtol=rtol)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_have_the_datas_type(model, X, dtype):
    X = X.astype(dtype)
    answers = [model.transform(X), model.reconstruct(X), model.score_samples(X)]
    answers.append(model.inverse_transform(answers[0]))
    assert [answer.dtype for answer in answers] == [dtype] * 4


def test_the_posterior_has_the_datas_type(vae, X):
    assert {part.dtype for part in vae.encode(X.astype(np.float32))} == {np.dtype(np.float32)}


@both
def test_pixels_mean_what_their_255th_parts_mean(cls, X):
    pixels = (255 * X).astype(np.uint8)
    model = cls(likelihood="bernoulli", hidden=(16,), max_epochs=1, random_state=0).fit(pixels)
    grey = pixels.astype(np.float32) / 255
    for method in ("transform", "reconstruct", "score_samples"):
        from_pixels, from_grey = getattr(model, method)(pixels), getattr(model, method)(grey)
        assert from_pixels.dtype == np.float32
        np.testing.assert_array_equal(from_pixels, from_grey)


@both
@pytest.mark.parametrize(
    "seed", [lambda: 3, lambda: np.random.default_rng(3), lambda: np.random.RandomState(3)],
    ids=["int", "Generator", "RandomState"],
)  # fmt: skip
def test_sample_follows_the_seed(model, seed):
    first, again = model.sample(5, random_state=seed()), model.sample(5, random_state=seed())
    np.testing.assert_array_equal(first, again)
    assert first.shape == (5, 6)
    assert first.dtype == np.float32
    assert np.any(first != model.sample(5, random_state=4))


@both
def test_a_generator_is_advanced_and_none_is_new_in_every_call(model):
    for state in (np.random.default_rng(0), np.random.RandomState(0), None):
        assert np.any(model.sample(3, random_state=state) != model.sample(3, random_state=state))


def test_samples_are_decoded_draws_from_the_prior(vae):
    """Their mean is E[decode(z)], here by Gauss-Hermite quadrature over the plane."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    Z = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    w = np.outer(weights, weights).ravel() / (2 * np.pi)
    decoded = vae.inverse_transform(Z)
    mean = w @ decoded
    std = np.sqrt(w @ (decoded - mean) ** 2)
    samples = vae.sample(20000, random_state=0)
    assert np.all(np.abs(samples.mean(axis=0) - mean) < 5 * std / np.sqrt(20000) + 1e-6)
    np.testing.assert_allclose(samples.std(axis=0), std, rtol=0.05)


@both
def test_without_a_seed_numpys_global_one_is_followed(cls, X):
    """As everywhere in scikit-learn."""
    results = []
    for seed in (3, 3, 4):
        np.random.seed(seed)  # noqa: NPY002
        model = cls(hidden=(4,), max_epochs=1, early_stopping=True).fit(X)
        results.append((model.params_.flat.tobytes(), model.sample(3).tobytes(), model.sample(3).tobytes()))
    assert results[0] == results[1]
    assert results[0][0] != results[2][0]
    assert results[0][1] != results[0][2]


@both
@pytest.mark.parametrize(
    "seed", [0, np.random.default_rng(0), np.random.RandomState(0)], ids=["int", "Generator", "RandomState"]
)
def test_with_a_seed_the_global_random_state_is_not_touched(cls, seed, X):
    numpy_before, python_before = np.random.get_state(), random.getstate()  # noqa: NPY002
    model = cls(hidden=(4,), max_epochs=1, early_stopping=True, random_state=seed).fit(X)
    model.sample(3, random_state=seed)
    model.score(X)
    numpy_after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(numpy_before, numpy_after, strict=True))
    assert python_before == random.getstate()


@both
def test_inference_leaves_data_and_parameters_alone(model, X):
    X, flat = X.copy(), model.params_.flat.copy()
    before = X.copy()
    model.inverse_transform(model.transform(X))
    model.score_samples(X)
    model.reconstruct(X)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(model.params_.flat, flat)


@both
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples"])
@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (-np.inf, "infinity")])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", "<f2"])
def test_every_block_is_checked(model, X, method, value, message, dtype):
    bad = X.astype(dtype)
    bad[1400, 3] = value
    with pytest.raises(ValueError, match=f"Input X contains {message}"):
        getattr(model, method)(bad)


@both
def test_the_range_of_every_block_is_checked(model, X):
    bad = X.copy()
    bad[1400, 3] = 1.5
    with pytest.raises(ValueError, match=r'likelihood="bernoulli" needs data in \[0, 1\], got .* to 1.5'):
        model.score_samples(bad)


@both
@pytest.mark.parametrize("dtype", [np.float16, ">f4", ">f8", np.longdouble, np.int8, np.int64, np.bool])
def test_other_types_answer_as_float64(model, X, dtype):
    X = (X > 0.5).astype(dtype) if np.dtype(dtype).kind in "bi" else X.astype(dtype)
    for method in ("transform", "reconstruct", "score_samples"):
        answer = getattr(model, method)(X)
        assert answer.dtype == np.float64
        np.testing.assert_array_equal(answer, getattr(model, method)(X.astype(np.float64)))


@both
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples"])
def test_answers_do_not_depend_on_layout_or_blocks(model, X, method):
    answer = getattr(model, method)(X)
    np.testing.assert_allclose(getattr(model, method)(np.asfortranarray(X)), answer, rtol=1e-10)
    np.testing.assert_allclose(getattr(model, method)(X[1024:]), answer[1024:], rtol=1e-10)
    assert answer.flags.c_contiguous


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bits_with_any_number_of_threads(cls, dtype, rng):
    """Several blocks, the last one smaller; rows do not depend on their block."""
    X = rng.random((1111, 30)).astype(dtype)
    model = cls(3, hidden=(40,), likelihood="bernoulli", max_epochs=1, random_state=0).fit(X)
    for method in ("transform", "reconstruct", "score_samples"):
        results = []
        for n_threads in (1, 2, 3):
            results.append(getattr(model.set_params(n_threads=n_threads), method)(X))
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0])
    if kernels.has_compiled_products():
        np.testing.assert_array_equal(
            model.transform(np.asfortranarray(X)[500:700]), model.transform(X)[500:700]
        )


@both
def test_settings_of_the_calling_thread_hold_in_all(cls, rng):
    X = rng.random((2000, 5))
    model = cls(hidden=(4,), max_epochs=1, random_state=0, n_threads=2).fit(X)
    X[[300, 900, 1500], 2] = np.nan
    for _ in range(5):
        with config_context(assume_finite=True):
            assert np.isnan(model.transform(X)).any(axis=1).sum() == 3
        with pytest.raises(ValueError, match="NaN"):
            model.transform(X)
