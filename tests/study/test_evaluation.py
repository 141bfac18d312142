"""The parts fit together, and agree with the functions and models where they are known."""

import copy
import dataclasses
import json
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError

from npvae import VAE, Autoencoder
from npvae.core.gaussian import kl_forward
from npvae.data import load_dataset
from npvae.study import Evaluation, code_moments, evaluate, reconstruction_error
from npvae.study.jsonable import to_jsonable
from npvae.study.posterior.log_marginal import log_marginal_likelihood

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
    assert (found.beta, found.objective, found.n_draws) == (0.5, "elbo", 1)
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
        plain = to_jsonable(found)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert set(plain) == {field.name for field in dataclasses.fields(Evaluation)}


def test_seeds(vae, digits):
    def figures(seed):
        return to_jsonable(evaluate(vae, digits.X_test[:100], **FAST, random_state=seed))

    first = figures(1)
    assert figures(1) == first
    other = figures(2)
    for part in ("log_likelihoods", "mutual_information", "aggregate_kl"):
        assert other["posterior"][part] != first["posterior"][part]
    for part in ("normality", "moments"):
        assert other[part] != first[part]
    assert other["posterior"]["elbo"] == first["posterior"]["elbo"]


def images_of_ln_p(monkeypatch, *args, **options):
    """Evaluate, and return the images whose ln p(x) was estimated, of each K, and the estimates."""
    asked, told = [], []

    def noted(vae, X, **settings):
        asked.append(X)
        told.append(log_marginal_likelihood(vae, X, **settings))
        return told[-1]

    with monkeypatch.context() as patch:
        patch.setattr(import_module("npvae.study.evaluation"), "log_marginal_likelihood", noted)
        evaluate(*args, **options)
    return asked, [estimates.log_likelihood for estimates in told]


def test_ln_p_is_of_the_same_images_whatever_seed_and_model(vae, digits, monkeypatch):
    """Or the differences between models would be those between images."""
    other = VAE(5, **SETTINGS | {"random_state": 1}).fit(digits.X_train)
    asked, told = images_of_ln_p(monkeypatch, vae, digits.X_test, **FAST, random_state=1)
    assert [X.shape for X in asked] == [(30, 64)] * 3  # K = 1, 10, 20
    rows = [np.flatnonzero((digits.X_test == x).all(axis=1)) for x in asked[0]]
    assert np.all(np.diff([found[0] for found in rows]) > 0)
    assert rows[-1][-1] > 200, "chosen from all"
    for model, seed in [(vae, 2), (other, 1), (other, 2)]:
        again, values = images_of_ln_p(monkeypatch, model, digits.X_test, **FAST, random_state=seed)
        for X in (*asked, *again):
            np.testing.assert_array_equal(X, asked[0])
        assert np.all(values[-1] != told[-1]), "the draws are the seed's"
    fewer, _ = images_of_ln_p(monkeypatch, vae, digits.X_test, n_importance_samples=1, n_images=7)
    assert {x.tobytes() for x in fewer[0]} < {x.tobytes() for x in asked[0]}


@pytest.mark.parametrize(("objective", "n_draws"), [("iwae", 3), ("elbo", 2)])
def test_the_objective_is_that_of_the_training(objective, n_draws, digits):
    settings = SETTINGS | {"max_epochs": 1, "beta": 0.5}
    model = VAE(2, objective=objective, n_draws=n_draws, **settings).fit(digits.X_train[:100])
    found = evaluate(model, digits.X_test[:40], n_importance_samples=1, n_images=5).posterior
    assert (found.objective, found.n_draws, found.beta) == (objective, n_draws, 0.5)
    assert found.elbo.value == pytest.approx(model.score(digits.X_test[:40]), rel=1e-6)


def test_containers(vae, digits):
    X = digits.X_test[:40]
    expected = to_jsonable(evaluate(vae, X, **FAST))
    table = to_jsonable(evaluate(vae, pd.DataFrame(X), **FAST))
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
    assert ["cross-entropies" in caution for caution in evaluate(ae, grey).warnings] == [True]
    collapsed = VAE(3, **SETTINGS).fit(digits.X_train)
    collapsed.params_.flat[:] = 0
    found = evaluate(collapsed, grey, n_importance_samples=10, n_images=10)
    assert found.posterior.n_active == 0
    assert found.posterior.mutual_information.value == pytest.approx(0, abs=1e-12)
    assert [word in caution for word, caution in zip(
        ["cross-entropies", "collapse"], found.warnings, strict=True
    )] == [True] * 2  # fmt: skip


def test_few_importance_samples_that_carry_weight(vae, digits):
    """With posteriors that are far too narrow; of so few as 10 nothing else is expected."""
    narrow = copy.deepcopy(vae)
    narrow.params_["log_var.b"] -= 5
    for k, warned in [(10, False), (11, True), (30, True)]:
        found = evaluate(narrow, digits.X_test, n_importance_samples=k, n_images=30)
        assert found.posterior.log_likelihoods[-1].effective_sample_size < 10
        said = [f"K = {k} importance samples" in caution for caution in found.warnings]
        assert said == [True] * warned


def test_log_variances_that_overflow_float32(digits):
    model = VAE(2, **SETTINGS).fit(digits.X_train)
    model.params_["log_var.b"] = [120, 0]
    found = evaluate(model, digits.X_test[:50], **FAST)
    assert ["Log-variances of 50 of 50" in caution for caution in found.warnings] == [True]
    assert np.isfinite(found.posterior.kl.value)
    json.dumps(to_jsonable(found), allow_nan=False)


@pytest.mark.parametrize("size", [400, -400])
def test_log_variances_beyond_what_a_figure_can_take_are_cut(size, digits):
    """At 300 in size; the caution names the true one."""
    model = VAE(2, **SETTINGS).fit(digits.X_train)
    model.params_["log_var.b"] = [size, 0]
    X = digits.X_test[:50]
    found = evaluate(model, X, **FAST)
    mu, log_var = (part.astype(np.float64) for part in model.encode(X))
    assert np.all(np.abs(log_var[:, 0]) > 300)
    (caution,) = found.warnings
    assert "Log-variances of 50 of 50" in caution
    assert f"the largest is {np.abs(log_var).max():.4g})" in caution
    cut = np.clip(log_var, -300, 300)
    kl = ((mu**2 + np.exp(cut) - 1 - cut) / 2).mean(axis=0)
    np.testing.assert_allclose(found.posterior.kl_per_dimension, kl, rtol=1e-6)
    assert found.posterior.kl.value == pytest.approx(kl.sum(), rel=1e-6)
    eps = np.random.default_rng(0).standard_normal(mu.shape)
    np.testing.assert_allclose(found.moments.std, (mu + np.exp(cut / 2) * eps).std(axis=0, ddof=1), rtol=0.02)
    assert np.isfinite(found.posterior.mutual_information.value)
    json.dumps(to_jsonable(found), allow_nan=False)


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
