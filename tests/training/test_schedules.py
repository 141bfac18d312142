import math

import numpy as np
import pytest

from npvae.training import CosineDecay
from npvae.training.schedules import kl_weight, learning_rate_at


def test_cosine_starts_at_initial_and_ends_at_final():
    rate = CosineDecay(0.1, n_epochs=8, final=0.02)
    assert rate(0) == 0.1
    assert rate(8) == pytest.approx(0.02)
    assert rate(4) == pytest.approx(0.06)  # half way in between


def test_cosine_stays_at_final_afterwards():
    rate = CosineDecay(0.1, n_epochs=8, final=0.02)
    assert rate(9) == rate(1000) == rate(8)


def test_cosine_values():
    """SGDR, equation 5: min + (max - min) (1 + cos(pi t / T)) / 2."""
    rate = CosineDecay(3.0, n_epochs=6, final=1.0)
    degrees = [0, 30, 60, 90, 120, 150, 180]
    cosines = [1, math.sqrt(3) / 2, 0.5, 0, -0.5, -math.sqrt(3) / 2, -1]
    for epoch in range(len(degrees)):
        assert rate(epoch) == pytest.approx(2 + cosines[epoch])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("n_epochs", 0), ("n_epochs", -3), ("n_epochs", True), ("n_epochs", 2.5), ("initial", -1.0),
        ("initial", True), ("initial", math.nan), ("final", "fast"), ("final", math.inf),
    ],
)  # fmt: skip
def test_a_cosine_over_no_epochs_or_between_no_rates_is_refused(name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be .*, got {wrong!r}"):
        CosineDecay(**{"initial": 0.1, "n_epochs": 5} | {name: wrong})


@pytest.mark.parametrize("rate", [0.25, np.float32(0.25), np.array(0.25), lambda epoch: 0.25, 0, 1])
def test_a_learning_rate_is_a_number_or_a_function(rate):
    result = learning_rate_at(rate, 3)
    assert type(result) is float
    assert result in (0.25, 0, 1)


def test_a_function_is_given_the_epoch():
    assert [learning_rate_at(lambda epoch: 2.0**-epoch, epoch) for epoch in range(3)] == [1, 0.5, 0.25]


@pytest.mark.parametrize(
    "rate",
    [
        -1e-3, 1e7, math.nan, math.inf, "fast", None, True, 10**400, 1j, np.zeros(2), np.array("fast"),
        lambda epoch: -1.0, lambda epoch: None, lambda epoch: True, lambda epoch: np.zeros(2),
        lambda epoch: math.inf,
    ],
)  # fmt: skip
def test_an_unusable_learning_rate_names_the_fix(rate):
    with pytest.raises(ValueError, match=r"learning_rate must be a number from 0 to 1e\+06, or .*epoch 7"):
        learning_rate_at(rate, 7)


@pytest.mark.parametrize("rate", [lambda: 0.1, lambda epoch: 1 / (epoch - 7), lambda epoch: {}["rate"]])
def test_an_error_of_the_function_is_named(rate):
    with pytest.raises(ValueError, match=r"learning_rate\(7\), of epoch 7, raised .*Error\(") as caught:
        learning_rate_at(rate, 7)
    assert isinstance(caught.value.__cause__, TypeError | ZeroDivisionError | KeyError)


@pytest.mark.parametrize(
    ("warmup", "weights"),
    [(0, [1, 1, 1]), (1, [1, 1, 1]), (2, [0.5, 1, 1]), (5, [0.2, 0.4, 0.6, 0.8, 1, 1])],
)
def test_the_kl_weight_rises_linearly_to_one(warmup, weights):
    assert [kl_weight(epoch, warmup) for epoch in range(len(weights))] == pytest.approx(weights)
