"""npvae under its own checker: what is checked, and that it can fail."""

import inspect

import numpy as np
import pytest

from npvae import kernels
from npvae.checks import own
from npvae.checks.kernel_twins import check_twins, twin_names
from npvae.checks.networks import network_cases
from npvae.checks.pairs import check_pair, pair_cases
from npvae.core import activations, gaussian, layers, likelihoods
from npvae.kernels import twins
from npvae.view.tables.gradcheck import own_table

CHECKS = own.own_checks()


def test_every_pair_of_the_core_is_checked():
    checked = {getattr(case.backward, "__name__", "").lstrip("_") for case in pair_cases().values()}
    for module in (layers, activations, gaussian, likelihoods):
        defined = {name for name, f in vars(module).items() if inspect.isfunction(f)}
        assert {name for name in defined if name.endswith("_backward")} <= checked


def test_everything_is_checked_in_both_dtypes_and_on_both_kernels():
    labels = {check.label for check in CHECKS}
    assert len(labels) == len(CHECKS)
    for part in [*pair_cases(), *network_cases()]:
        found = {(label.dtype, label.kernels) for label in labels if label.part == part}
        assert found == {(d, k) for d in ("float64", "float32") for k in ("compiled", "reference")}
    assert {f"twin {name}" for name in twin_names()} <= {label.part for label in labels}


def test_networks_are_of_every_kind():
    names = " ".join(network_cases())
    words = [*activations.ACTIVATIONS, "bernoulli", "gaussian", "learned noise", "beta 0", "beta 4", "AE 3-2"]
    assert all(word in names for word in words)


@pytest.mark.parametrize("check", CHECKS[::5], ids=[str(check.label) for check in CHECKS[::5]])
def test_passes(check):
    report = check.run(1)
    assert report.passed, str(report)


def test_run_own_checks_keeps_order_and_kernels(monkeypatch):
    monkeypatch.setattr(own, "own_checks", lambda: CHECKS[:4])
    before = kernels.choice()
    results = own.run_own_checks(0)
    assert [label for label, _ in results] == [check.label for check in CHECKS[:4]]
    assert kernels.choice() == before
    lines = own_table(results).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "4 of 4 checks passed"


def test_a_wrong_pair_fails():
    case = pair_cases()["tanh"]
    wrong = case._replace(backward=lambda dy, cache: 1.001 * case.backward(dy, cache))
    report = check_pair(wrong, np.float32, 0)
    assert report.verdict == "fail"
    table = own_table([(own.Label("tanh", "float32", "compiled"), report)])
    assert "FAIL" in table
    assert "0 of 1 checks passed" in table


@pytest.mark.parametrize(
    "wrong",
    [
        lambda y: (y * np.float32(1.001), y),
        lambda y: (y[:1], y),
        lambda y: (y.astype(np.float64), y),
    ],
    ids=["value", "shape", "type"],
)
def test_a_wrong_twin_fails(monkeypatch, wrong):
    right = twins.softplus_forward
    kernels._twin.cache_clear()
    monkeypatch.setattr(twins, "softplus_forward", lambda x: wrong(right(x)[0]))
    assert check_twins("softplus_forward", np.float32, 0).verdict == "fail"
    kernels._twin.cache_clear()
