"""Comparisons and grid searches whose trainings run on dask's workers, through joblib."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from npvae import VAE
from npvae.study.comparison import compare
from tests.comparisons import QUICK, make_data, make_models, quick_networks

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def on_dask():
    distributed = pytest.importorskip("distributed", reason="needs dask: pip install distributed")
    cluster = distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client, parallel_config("dask"):
        for each in QUICK:  # as `quick_networks` does in this process
            client.run(setattr, *each)
        yield client


def n_tasks(client):
    """How many tasks the workers have finished."""
    return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.transition_log))


def test_a_comparison_has_the_bits_of_one_process(on_dask, tmp_path):
    with quick_networks():
        alone = compare(make_data(), *make_models(max_epochs=2), n_importance_samples=1, n_jobs=1)
        before = n_tasks(on_dask)
        spread = compare(make_data(), *make_models(max_epochs=2), n_importance_samples=1, n_jobs=2)
    assert n_tasks(on_dask) > before, "the workers have done nothing"
    assert spread.studies.keys() == alone.studies.keys()
    for cell, study in alone.studies.items():
        assert spread.studies[cell].numbers() == study.numbers()
        assert spread.studies[cell].estimator.params_ == study.estimator.params_


def test_a_grid_search_finds_what_one_process_finds(on_dask):
    X = np.random.default_rng(0).standard_normal((60, 4)) @ np.random.default_rng(1).standard_normal((4, 8))
    vae = VAE(hidden=(8,), max_epochs=3, tol=None, random_state=0)
    alone, spread = (GridSearchCV(vae, {"latent_dim": [1, 3]}, cv=2, n_jobs=n) for n in (1, 2))
    alone.fit(X)
    before = n_tasks(on_dask)
    spread.fit(X)
    assert n_tasks(on_dask) > before, "the workers have done nothing"
    np.testing.assert_array_equal(
        spread.cv_results_["split0_test_score"], alone.cv_results_["split0_test_score"]
    )
    assert spread.best_estimator_.params_ == alone.best_estimator_.params_
