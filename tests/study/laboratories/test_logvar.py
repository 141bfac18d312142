import numpy as np
import pytest

from npvae.core.parameters import Parameters
from npvae.data import load_digits
from npvae.gradcheck import check_network
from npvae.study.laboratories.logvar import (
    HEADS,
    HeadVAENetwork,
    kl_ratio,
    last_that,
    run_logvar,
    working_range,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("inside", "outside", "limit"), [(0, 1e30, 88.25), (3.0, -1e30, -0.1), (1, 0, 1e-20)]
)
def test_bisection_finds_the_last_number(dtype, inside, outside, limit):
    limit = dtype(limit)
    sign = np.sign(outside - inside)
    found = last_that(lambda a: sign * a <= sign * limit, dtype(inside), dtype(outside))
    assert found == limit


def test_bisection_without_an_end():
    assert last_that(lambda a: True, np.float32(0), np.float32(1e30)) == np.float32(1e30)


def test_where_the_log_variance_ends():
    """exp of a float32 overflows above 88.72, the logarithm of the largest one; sigma lives twice as long."""
    largest = np.log(float(np.finfo(np.float32).max))
    found = working_range(HEADS["log-variance"], np.float32)
    assert found.kl_to == pytest.approx(largest, abs=1e-5)
    assert found.std_to == pytest.approx(2 * largest, abs=1e-4)
    wide = working_range(HEADS["log-variance"], np.float64)
    assert wide.kl_to == pytest.approx(np.log(np.finfo(np.float64).max), abs=1e-10)


def test_where_softplus_ends():
    """1 + e^a is 1 where e^a is at most half of the distance from 1 to the next number."""
    found = working_range(HEADS["softplus"], np.float32)
    assert found.std_from == pytest.approx(np.log(2.0**-24), abs=1e-3)  # -16.6
    assert found.std_to == pytest.approx(88.7228, abs=1e-3)
    stable = working_range(HEADS["stable softplus"], np.float32)
    assert stable.std_from < -100
    assert stable.std_to > 1e38


def test_raw_outputs_have_no_meaning_below_0():
    for name in ("raw sigma", "raw variance"):
        assert 0 < working_range(HEADS[name], np.float64).kl_from < 1e-100


def test_a_small_kl_is_three_times_wrong_without_expm1():
    single, double = kl_ratio(np.float32), kl_ratio(np.float64)
    assert single["exp(v) - 1"] == pytest.approx(3.3, abs=0.05)
    assert abs(single["expm1(v)"] - 1) < 1e-3
    assert abs(double["expm1(v)"] - 1) < 1e-10


@pytest.mark.parametrize("head", HEADS)
def test_gradients_of_every_head(head, rng):
    network = HeadVAENetwork(
        n_features=4, latent_dim=2, hidden=(5,), activation="tanh", likelihood="bernoulli", head=head
    )
    params = Parameters(network.shapes(), 0.2 * rng.standard_normal(Parameters(network.shapes()).flat.size))
    params["log_var.b"] = np.full(2, HEADS[head].start)
    report = check_network(network, params, rng.uniform(size=(3, 4)), rng.standard_normal((3, 2)))
    assert report.passed, str(report)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_starts_at_sigma_1(name):
    head = HEADS[name]
    assert head.std(np.array(head.start)) == pytest.approx(1, rel=1e-12)
    for a in (head.start, head.start + 0.5):
        assert head.log_var(np.array(a)) == pytest.approx(2 * np.log(head.std(np.array(a))), abs=1e-12)


def test_training():
    """A raw variance turns negative: at once, or later where it starts at 1. The other heads train."""
    result = run_logvar(load_digits(), n_epochs=10)
    assert result.trained_from_zero["raw variance"].failed_at == 1
    assert result.trained["raw variance"].failed_at > 1
    for name in HEADS.keys() - {"raw variance"}:
        for run in (result.trained[name], result.trained_from_zero[name]):
            assert run.failed_at is None
            assert run.losses[-1] < 27 < run.losses[0]
    trained = result.trained["log-variance"]
    assert -8 < trained.least < trained.largest < 0.2
