import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from npvae import VAE, kernels
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.training.threads import StepThreads, available_threads, step_threads

LARGE = AutoencoderNetwork(n_features=784, latent_dim=2, hidden=(400,))
SMALL = AutoencoderNetwork(n_features=3, latent_dim=2, hidden=())


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize(("network", "n_threads"), [(LARGE, 3), (SMALL, 1)])
def test_large_networks_get_a_team(network, n_threads):
    n_params = 640_000 if network is LARGE else 14
    with kernels.using("compiled"), step_threads(network, n_params, 128, 3):
        assert kernels.current_team().n_threads == (n_threads if kernels.has_compiled_products() else 1)
    assert kernels.current_team() is None


@pytest.mark.parametrize(("network", "n_threads"), [(LARGE, 1), (SMALL, 1)])
def test_without_compiled_products_the_threads_are_those_of_blas(network, n_threads):
    before = blas_threads()
    with kernels.using("reference"), step_threads(network, 640_000, 128, n_threads):
        assert set(blas_threads()) == {n_threads}
        assert kernels.current_team().n_threads == 1
    assert blas_threads() == before


def test_overlapping_trainings_leave_the_threads_as_they_were():
    before = available_threads()
    first, second = (step_threads(LARGE, 640_000, 128) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert available_threads() == before


def test_by_default_as_many_threads_as_blas_may_use():
    with threadpool_limits(1, user_api="blas"):
        assert available_threads() == 1
    assert 1 <= available_threads() <= max(blas_threads())
    assert available_threads(7) == 7


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, True, "2"])
def test_numbers_of_threads_that_cannot_be(n_threads):
    with pytest.raises(ValueError, match=r"n_threads.*\[1, 1024\] or None"):
        VAE(n_threads=n_threads).fit(np.zeros((4, 3)))


@pytest.fixture
def choosing():
    """Run steps that take so many milliseconds with the team and alone; return which the team took."""
    with kernels.using_team(2) as team:
        threads = StepThreads(team)

        def run(n_steps, together, alone):
            taken = []

            def step():
                taken.append(team.awake)
                time.sleep((together if team.awake else alone) / 1000)
                return "result"

            for _ in range(n_steps):
                assert threads.run(step) == "result"
            return taken

        yield run


def test_the_faster_way_is_taken_and_looked_at_again(choosing):
    assert set(choosing(30, together=3, alone=0)[6:]) == {False}
    later = choosing(700, together=0, alone=1)
    assert later[-100:].count(False) <= 3  # those of a trial


def test_a_team_that_loses_is_tried_more_and_more_seldom(choosing):
    taken = choosing(3000, together=0.5, alone=0)
    tries = np.flatnonzero(np.diff(taken, prepend=False))[::2]
    assert np.all(np.diff(np.diff(tries)) > 0)
    assert sum(taken) < 12


def test_a_team_that_becomes_slow_is_left_at_once(choosing):
    assert set(choosing(30, together=0, alone=3)[6:]) == {True}
    later = choosing(60, together=12, alone=3)
    assert True not in later[30:]


def test_a_team_of_one_is_never_on_trial():
    with kernels.using_team(1) as team:
        threads = StepThreads(team)
        assert [threads.run(lambda: team.awake) for _ in range(20)] == [True] * 20


@pytest.mark.skipif(not kernels.has_compiled_products(), reason="the threads of BLAS do not promise that")
@pytest.mark.parametrize("batch_size", [100, 300])
def test_the_same_bits_with_any_number_of_threads(batch_size):
    X = np.random.default_rng(0).integers(0, 256, (600, 300), dtype=np.uint8)
    models = [
        VAE(3, hidden=(500, 200), likelihood="bernoulli", batch_size=batch_size, max_epochs=2, random_state=0,
            n_threads=n_threads, max_grad_norm=1.0).fit(X)
        for n_threads in (1, 2, 3, 2, None)
    ]  # fmt: skip
    for model in models[1:]:
        np.testing.assert_array_equal(model.params_.flat, models[0].params_.flat)
        assert model.history_["loss"] == models[0].history_["loss"]
