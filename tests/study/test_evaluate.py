"""The parts fit together, and agree with the functions and models where they are known."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError

from npvae import VAE, Autoencoder
from npvae.core.gaussian import kl_forward
from npvae.data import load_dataset
from npvae.study import Evaluation, code_moments, evaluate, reconstruction_error
from npvae.study.plain import to_plain

FAST = {"n_importance_samples": 20, "n_images": 30}
SETTINGS = {"hidden": (16,), "likelihood": "bernoulli", "batch_size": 32, "max_epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", binarize="static")


@pytest.fixture(scope="module")
def vae(digits):
    return VAE(3, beta=0.5, learning_rate=5e-3, **SETTINGS | {"max_epochs": 20}).fit(digits.X_train)


@pytest.fixture(scope="module")
def ae(digits):
    return Autoencoder(3, learning_rate=5e-3, **SETTINGS).fit(digits.X_train)


@pytest.fixture(scope="module")
def of_vae(vae, digits):
    return evaluate(vae, digits.X_test, n_importance_samples=2000, n_images=60)


@pytest.fixture(scope="module")
def of_ae(ae, digits):
    return evaluate(ae, digits.X_test)


def test_the_elbo_is_the_score_and_has_two_parts(of_vae, vae, digits):
    """At beta = 1, though it was trained with 1/2."""
    found, kl = of_vae.posterior, kl_forward(*vae.encode(digits.X_test))[0]
    assert found.beta == 0.5
    assert found.elbo.value == pytest.approx(vae.score(digits.X_test), rel=1e-6)
    assert found.elbo.value == pytest.approx(-found.reconstruction.value - found.kl.value)
    assert found.kl == pytest.approx((kl.mean(), kl.std(ddof=1) / np.sqrt(len(kl))), rel=1e-5)
    assert found.elbo.standard_error == pytest.approx(stats.sem(vae.score_samples(digits.X_test)), rel=1e-5)


def test_reconstruction_terms_by_scipy(of_vae, vae, digits):
    """-ln p(x | z) over many draws: the reported one used a single draw for each image."""
    mu, log_var = vae.encode(digits.X_test)
    rng, draws = np.random.default_rng(4), []
    for _ in range(50):
        p = vae.inverse_transform(mu + np.exp(log_var / 2) * rng.standard_normal(mu.shape))
        draws.append(-stats.bernoulli.logpmf(digits.X_test, p).sum(axis=1).mean())
    assert abs(of_vae.posterior.reconstruction.value - np.mean(draws)) < 5 * np.std(draws)


def test_ln_p_rises_with_k(of_vae):
    rows = of_vae.posterior.log_likelihoods
    assert [row.n_importance_samples for row in rows] == [1, 10, 100, 1000, 2000]
    assert all(row.n_images == 60 for row in rows)
    values = [row.value for row in rows]
    assert values[0] + 0.1 < values[1] < values[2]
    assert values[3] == pytest.approx(values[4], abs=4 * rows[3].sampling_error)
    assert abs(values[0] - of_vae.posterior.elbo.value) < 4 * rows[0].standard_error
    assert np.isnan(rows[0].sampling_error)
    assert rows[1].sampling_error > rows[2].sampling_error > rows[3].sampling_error > 0
    sizes = [row.effective_sample_size for row in rows]
    assert sizes[0] == 1
    assert sizes == sorted(sizes)
    assert sizes[-1] <= 2000


@pytest.mark.parametrize(
    ("most", "steps"), [(1, [1]), (2, [1, 2]), (10, [1, 10]), (5000, [1, 10, 100, 1000, 5000])]
)
def test_numbers_of_importance_samples(most, steps, vae, digits):
    rows = evaluate(vae, digits.X_test[:10], n_importance_samples=most, n_images=1).posterior.log_likelihoods
    assert [row.n_importance_samples for row in rows] == steps


def test_ln_p_of_a_linear_model(rng):
    """x = z W + b + noise is normal with mean b and covariance W^T W + s I; here on every sample."""
    X = rng.standard_normal((80, 2)) @ rng.standard_normal((2, 6)) + 0.5 * rng.standard_normal((80, 6))
    model = VAE(
        2, hidden=(), noise_variance=0.25, learning_rate=0.02, batch_size=20, max_epochs=60, random_state=0
    ).fit(X)
    W, b = (model.params_[name].astype(np.float64) for name in ("output.W", "output.b"))
    exact = stats.multivariate_normal(b, W.T @ W + 0.25 * np.eye(6)).logpdf(X)
    last = evaluate(model, X, n_importance_samples=1000).posterior.log_likelihoods[-1]
    assert last.n_images == 80
    assert abs(last.value - exact.mean()) < 4 * last.sampling_error < 0.1
    assert last.standard_error == pytest.approx(stats.sem(exact), rel=0.02)


def test_the_posterior(of_vae, vae, digits):
    mu, found = vae.transform(digits.X_test), of_vae.posterior
    assert found.kl_per_dimension.sum() == pytest.approx(found.kl.value, rel=1e-6)
    np.testing.assert_array_equal(found.active, mu.var(axis=0, ddof=1) > 0.01)
    assert found.n_active == found.active.sum() > 0
    assert found.n_paired == len(digits.X_test)
    assert found.most_information == pytest.approx(np.log(len(digits.X_test)))
    assert 0 < found.mutual_information.value < found.most_information
    paid = found.mutual_information.value + found.aggregate_kl.upper.value
    assert paid == pytest.approx(found.kl.value, rel=1e-5)
    assert found.aggregate_kl.lower.value < found.aggregate_kl.upper.value


def test_draws_of_z_not_means_are_compared_with_the_prior(of_vae, vae, digits):
    mu, log_var = vae.encode(digits.X_test)
    std = np.sqrt(mu.var(axis=0) + np.exp(log_var).mean(axis=0))
    np.testing.assert_allclose(of_vae.moments.std, std, rtol=0.1)
    assert np.all(of_vae.moments.std > 1.02 * mu.std(axis=0))
    assert of_vae.normality.n_codes == len(digits.X_test)


def test_an_autoencoder(of_ae, ae, digits):
    assert (of_ae.kind, of_ae.likelihood, of_ae.latent_dim) == ("AE", "bernoulli", 3)
    assert (of_ae.n_features, of_ae.n_samples) == (64, len(digits.X_test))
    assert of_ae.posterior is None
    assert of_ae.reconstruction == reconstruction_error(ae, digits.X_test)
    expected = code_moments(ae.transform(digits.X_test))
    assert of_ae.moments.mean_norm == expected.mean_norm
    assert of_ae.normality.energy.p_value == 0.01
    assert of_ae.warnings == ()


def test_both_are_json(of_vae, of_ae):
    for found in (of_vae, of_ae):
        plain = to_plain(found)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert set(plain) == {field.name for field in dataclasses.fields(Evaluation)}


def test_seeds(vae, digits):
    def figures(seed):
        return to_plain(evaluate(vae, digits.X_test[:100], **FAST, random_state=seed))

    first = figures(1)
    assert figures(1) == first
    other = figures(2)
    for part in ("log_likelihoods", "mutual_information", "aggregate_kl"):
        assert other["posterior"][part] != first["posterior"][part]
    for part in ("normality", "moments"):
        assert other[part] != first[part]
    assert other["posterior"]["elbo"] == first["posterior"]["elbo"]


def test_containers(vae, digits):
    X = digits.X_test[:40]
    expected = to_plain(evaluate(vae, X, **FAST))
    assert to_plain(evaluate(vae, (255 * X).astype(np.uint8), **FAST)) == expected
    table = to_plain(evaluate(vae, pd.DataFrame(X), **FAST))
    assert table["posterior"]["elbo"] == pytest.approx(expected["posterior"]["elbo"], rel=1e-5)


def test_the_stages_are_told(vae, ae, digits):
    stages = []
    evaluate(vae, digits.X_test[:20], **FAST, progress=stages.append)
    assert [stage.split()[0] for stage in stages] == ["reconstruction", "ln", "mutual", "aggregate", "tests"]
    stages.clear()
    evaluate(ae, digits.X_test[:20], progress=stages.append)
    assert [stage.split()[0] for stage in stages] == ["reconstruction", "tests"]


def test_cautions(vae, ae, digits):
    """A collapsed model, grey pixels and a single importance sample."""
    assert evaluate(vae, digits.X_test, **FAST).warnings == ()
    grey = load_dataset("digits").X_test
    assert ["cross-entropy" in caution for caution in evaluate(ae, grey).warnings] == [True]
    collapsed = VAE(3, **SETTINGS).fit(digits.X_train)
    collapsed.params_.flat[:] = 0
    found = evaluate(collapsed, grey, n_importance_samples=1, n_images=10)
    assert found.posterior.n_active == 0
    assert found.posterior.mutual_information.value == pytest.approx(0, abs=1e-12)
    assert [word in caution for word, caution in zip(
        ["cross-entropy", "collapse", "K = 1 "], found.warnings, strict=True
    )] == [True] * 3  # fmt: skip


def test_log_variances_that_overflow_float32(digits):
    model = VAE(2, **SETTINGS).fit(digits.X_train)
    model.params_["log_var.b"] = [120, 0]
    found = evaluate(model, digits.X_test[:50], **FAST)
    assert any("Log-variances of 50 of 50" in caution for caution in found.warnings)
    assert np.isfinite(found.posterior.kl.value)
    json.dumps(to_plain(found), allow_nan=False)
    model.params_["log_var.b"] = [400, 0]
    with pytest.raises(ValueError, match="log_var must lie from -300 to 300"):
        evaluate(model, digits.X_test[:50], **FAST)


def test_errors(vae, digits):
    X = digits.X_test
    with pytest.raises(TypeError, match="must be a VAE or an Autoencoder, got str"):
        evaluate("vae", X)
    with pytest.raises(NotFittedError):
        evaluate(VAE(), X)
    with pytest.raises(ValueError, match="X must have at least 10 rows, got 9"):
        evaluate(vae, X[:9])
    with pytest.raises(ValueError, match="X has 63 features, but VAE is expecting 64"):
        evaluate(vae, X[:, 1:])
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        evaluate(vae, X + 1.0)
    for name in ("n_importance_samples", "n_images"):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
            evaluate(vae, X, **{name: 0})
    with pytest.raises(ValueError, match="random_state must be an integer of at least 0, got None"):
        evaluate(vae, X, random_state=None)
