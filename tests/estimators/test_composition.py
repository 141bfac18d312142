"""The estimators inside scikit-learn's and joblib's machinery, and as pickles."""

import copy
import operator
import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from npvae import VAE, Autoencoder
from npvae.training import Adam, CosineDecay

both = pytest.mark.parametrize("cls", [VAE, Autoencoder])


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(8)
    return (rng.standard_normal((120, 2)) @ rng.standard_normal((2, 6))).astype(np.float32)


@pytest.fixture
def fitted(cls, X):
    return cls(hidden=(16,), max_epochs=2, random_state=0).fit(X)


@both
def test_pipeline_with_a_scaler(cls, X):
    pipeline = make_pipeline(
        MinMaxScaler(clip=True), cls(likelihood="bernoulli", hidden=(16,), max_epochs=5, random_state=0)
    )
    codes = pipeline.fit_transform(X)
    assert codes.shape == (120, 2)
    back = pipeline.inverse_transform(codes)
    assert np.all((back >= X.min(axis=0) - 1e-4) & (back <= X.max(axis=0) + 1e-4))
    assert pipeline.score(X) < 0  # the log-likelihood of pixels


def test_grid_search_in_two_processes(X):
    """A model that is trained beats one whose learning rate is 0."""
    search = GridSearchCV(
        VAE(hidden=(16,), max_epochs=20, noise_variance="learned", random_state=0),
        {"learning_rate": [0.0, 1e-2], "latent_dim": [1, 2]},
        n_jobs=2,
        cv=2,
    ).fit(X)
    assert search.best_params_["learning_rate"] == 1e-2
    scores = search.cv_results_["mean_test_score"]
    assert np.all(np.isfinite(scores))
    assert search.score(X) == search.best_estimator_.score(X)


@both
def test_clone_copies_the_parameters_and_nothing_learned(cls, fitted):
    fitted.set_params(optimizer=Adam(epsilon=1e-4), learning_rate=CosineDecay(1e-3, 5))
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    assert not hasattr(twin, "params_")
    assert not hasattr(twin, "n_features_in_")


copies = pytest.mark.parametrize(
    "duplicate", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy], ids=["pickle", "deepcopy"]
)


@both
@copies
def test_a_copy_transforms_alike_and_trains_on_alike(cls, duplicate, fitted, X):
    twin = duplicate(fitted)
    np.testing.assert_array_equal(twin.transform(X), fitted.transform(X))
    for _ in range(3):
        twin.partial_fit(X)
        fitted.partial_fit(X)
    assert twin.params_.flat.tobytes() == fitted.params_.flat.tobytes()  # the state and the noise went along


@both
@copies
def test_training_a_copy_changes_the_copy_alone(cls, duplicate, fitted, X):
    twin, before = duplicate(fitted), fitted.transform(X)
    twin.partial_fit(X)
    assert np.any(twin.transform(X) != before)  # its views are alive
    np.testing.assert_array_equal(fitted.transform(X), before)


@both
@copies
def test_the_names_of_a_copy_look_at_its_vector(cls, duplicate, fitted):
    twin = duplicate(fitted)
    twin.params_.flat[:] = 7
    assert all(np.all(view == 7) for view in twin.params_.values())


@both
def test_fit_in_workers(cls, X):
    settings = [{"random_state": seed, "hidden": (16,), "max_epochs": 2} for seed in (0, 1)]
    models = Parallel(n_jobs=2)(delayed(cls(**kwargs).fit)(X) for kwargs in settings)
    for model, kwargs in zip(models, settings, strict=True):
        np.testing.assert_allclose(
            model.transform(X), cls(**kwargs).fit(X).transform(X), rtol=1e-3, atol=1e-4
        )


@both
def test_partial_fit_in_workers_that_receive_read_only_memory_maps(cls, fitted, X):
    before = fitted.params_.flat.copy()
    with Parallel(n_jobs=2, max_nbytes="1K") as parallel:
        writeable = parallel([delayed(operator.attrgetter("params_.flat.flags.writeable"))(fitted)] * 2)
        assert writeable == [False, False]  # so the case that is meant did arise
        codes = parallel([delayed(fitted.transform)(X)] * 2)
        trained = parallel([delayed(fitted.partial_fit)(X)] * 2)
        refitted = parallel([delayed(fitted.fit)(X)])
    np.testing.assert_allclose(codes[0], fitted.transform(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(fitted.params_.flat, before)
    fitted.partial_fit(X)
    for model in trained:
        assert np.any(model.params_.flat != before)
        np.testing.assert_allclose(model.params_.flat, fitted.params_.flat, rtol=1e-4, atol=1e-5)
        model.partial_fit(X)  # and it goes on here
    np.testing.assert_allclose(refitted[0].params_.flat, before, rtol=1e-2, atol=1e-3)
