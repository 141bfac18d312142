from typing import NamedTuple

import numpy as np
import pytest

from npvae.gradcheck import check_network


class Loss(NamedTuple):
    total: float


class Network:
    """Two dense layers with a mean squared error; `spoil` changes the gradients."""

    def __init__(self, activation="tanh", spoil=None):
        self.activation = activation
        self.spoil = spoil or (lambda grads: grads)

    def forward(self, params, x, target):
        a = x @ params["hidden.W"] + params["hidden.b"]
        h = np.tanh(a) if self.activation == "tanh" else np.where(a > 0, a, 0)
        return a, h, h @ params["output.W"] + params["output.b"] - target

    def loss(self, params, x, target):
        residual = self.forward(params, x, target)[2]
        return Loss(np.sum(residual * residual) / len(x) / 2)

    def loss_and_grad(self, params, x, target):
        a, h, residual = self.forward(params, x, target)
        do = residual / len(x)
        da = (do @ params["output.W"].T) * (1 - h * h if self.activation == "tanh" else a > 0)
        grads = {"hidden.W": x.T @ da, "hidden.b": da.sum(axis=0)}
        grads |= {"output.W": h.T @ do, "output.b": do.sum(axis=0)}
        return self.loss(params, x, target), self.spoil(grads)


class GradientOnly:
    """The same network without a method `loss`, and with a number for a loss."""

    def __init__(self, network):
        self.network = network

    def loss_and_grad(self, params, x, target):
        loss, grads = self.network.loss_and_grad(params, x, target)
        return loss.total, grads


class Views(dict):
    """A mapping with `astype` and `copy`, whose items are assigned by copying into them."""

    def __setitem__(self, name, value):
        self[name][...] = value

    def copy(self):
        return Views({name: array.copy() for name, array in self.items()})

    def astype(self, dtype):
        return Views({name: array.astype(dtype) for name, array in self.items()})


def problem(D=6, H=5, N=7, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    params = {
        "hidden.W": rng.normal(size=(D, H)) / D**0.5,
        "hidden.b": np.zeros(H),
        "output.W": rng.normal(size=(H, D)) / H**0.5,
        "output.b": np.zeros(D),
    }
    x, target = rng.normal(size=(2, N, D)).astype(dtype)
    return {name: array.astype(dtype) for name, array in params.items()}, x, target


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_correct_network_passes(activation, seed):
    report = check_network(Network(activation), *problem(seed=seed), seed=seed)
    assert report.passed
    assert [entry.name for entry in report.entries] == ["hidden.W", "hidden.b", "output.W", "output.b"]
    for entry in report.entries:
        assert entry.checked == "all"
        assert entry.errors["complex step"] < 1e-12
        assert entry.errors["central differences"] < 1e-7


def test_mappings_and_losses_of_several_kinds():
    params, x, target = problem()
    expected = check_network(Network(), params, x, target).entries
    assert check_network(Network(), Views(params), x, target).entries == expected
    assert check_network(GradientOnly(Network()), params, x, target).entries == expected


def test_float32_is_checked_in_float64():
    report = check_network(Network(), *problem(20, 30, 15, dtype=np.float32))
    assert report.verdict == "pass"
    assert {entry.method for entry in report.entries} == {"complex step"}


def test_float32_inside_float64_fails():
    network = Network(spoil=lambda grads: {k: g.astype(np.float32) for k, g in grads.items()})
    assert check_network(network, *problem()).verdict == "fail"


def test_large_parameters_are_sampled():
    params, x, target = problem(60, 50, 10)
    report = check_network(Network(), params, x, target, n_coordinates=10, n_projections=2)
    assert report.verdict == "pass"
    assert [entry.checked for entry in report.entries] == [
        "10 of 3000, 2 projections",
        "all",
        "10 of 3000, 2 projections",
        "all",
    ]
    assert "n_coordinates=10" in report.reproduce


def test_projections_alone_find_one_wrong_entry():
    def spoil(grads):
        grads["hidden.W"][3, 4] *= 1.01
        return grads

    params, x, target = problem(60, 50, 10)
    report = check_network(
        Network(spoil=spoil), params, x, target, n_entries=0, n_coordinates=0, n_projections=1
    )
    assert [entry.verdict for entry in report.entries] == ["fail", "pass", "pass", "pass"]


@pytest.mark.parametrize("fault", [0.0, 0.5, -1.0, 1.01])
@pytest.mark.parametrize("name", ["hidden.W", "hidden.b", "output.W", "output.b"])
def test_a_wrong_gradient_fails_for_its_parameter_alone(name, fault):
    network = Network(spoil=lambda grads: grads | {name: fault * grads[name]})
    report = check_network(network, *problem())
    assert {entry.name for entry in report.entries if entry.verdict == "fail"} == {name}
    assert report.worst.name == name


def test_a_missing_division_by_the_batch_size_is_recognised():
    network = Network(spoil=lambda grads: {k: 7 * g for k, g in grads.items()})
    report = check_network(network, *problem())
    assert all("missing 1/7" in entry.hint for entry in report.entries)


def test_a_relu_at_zero_is_a_kink():
    params, x, target = problem()
    x[3] = 0
    report = check_network(Network("relu"), params, x, target)
    assert report.verdict == "kink"
    assert report.passed
    assert {entry.name for entry in report.entries if entry.verdict == "kink"} == {"hidden.b"}


@pytest.mark.parametrize("seed", range(10))
def test_many_kinks_at_one_point_do_not_fail_correct_code(seed):
    params, x, target = problem(seed=seed)
    params["hidden.W"][:, 2] = 0
    report = check_network(Network("relu"), params, x, target)
    assert report.verdict in ("kink", "inconclusive")
    wrong = Network("relu", spoil=lambda grads: grads | {"hidden.W": 1.01 * grads["hidden.W"]})
    assert check_network(wrong, params, x, target).verdict == "fail"


def test_nothing_is_changed():
    params, x, target = problem()
    before = {name: array.copy() for name, array in params.items()}
    check_network(Network(), params, x, target)
    assert all(np.array_equal(params[name], before[name]) for name in before)


def test_names_that_differ_are_an_error():
    network = Network(spoil=lambda grads: {"hidden.W": grads["hidden.W"]})
    with pytest.raises(ValueError, match="named"):
        check_network(network, *problem())


def large(seed=0, **kwargs):
    return problem(120, 110, 6, seed=seed, **kwargs)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_large_network_is_checked_on_a_projection_of_each_parameter(activation, seed):
    calls = []
    network = Network(activation)
    forward = network.forward
    network.forward = lambda *args: calls.append(1) or forward(*args)
    report = check_network(network, *large(seed), seed=seed)
    assert report.verdict == "pass", str(report)
    assert {entry.checked.split(" of ")[0] for entry in report.entries} == {"1 projection"}
    assert len(calls) < 80
    assert report.reproduce == f"check_network(network, params, *args, seed={seed})"


@pytest.mark.parametrize("name", ["hidden.W", "hidden.b", "output.W", "output.b"])
def test_one_wrong_entry_of_a_large_network_is_found(name):
    def spoil(grads):
        wrong = grads[name].copy()
        at = np.unravel_index(np.argmax(np.abs(wrong)), wrong.shape)
        wrong[at] *= 1.01
        return grads | {name: wrong}

    report = check_network(Network(spoil=spoil), *large())
    assert {entry.name for entry in report.entries if entry.verdict == "fail"} == {name}


def test_swapped_entries_of_a_large_network_are_found():
    def spoil(grads):
        wrong = grads["output.W"].copy()
        wrong[3, 4], wrong[5, 6] = wrong[5, 6], wrong[3, 4]
        return grads | {"output.W": wrong}

    for seed in range(10):
        assert check_network(Network(spoil=spoil), *large(), seed=seed).verdict == "fail"


def test_a_lie_of_the_complex_step_is_not_believed_in_a_large_network():
    class Lies(Network):
        def forward(self, params, x, target):
            a, h, residual = super().forward(params, x, target)
            if np.iscomplexobj(residual):
                residual = residual + 0.01j * np.imag(params["output.b"])
            return a, h, residual

    by_name = {entry.name: entry for entry in check_network(Lies(), *large()).entries}
    assert by_name["output.b"].method != "complex step"
    assert {entry.verdict for name, entry in by_name.items() if name != "output.b"} == {"pass"}


def test_state_of_a_network_is_checked():
    total = {}

    def accumulate(grads):
        for name, grad in grads.items():
            total[name] = total.get(name, 0) + grad
        return dict(total)

    report = check_network(Network(spoil=accumulate), *problem())
    assert {check.name for check in report.failures} == {"repeatable"}

    class Overwrites(Network):
        def loss_and_grad(self, params, x, target):
            result = super().loss_and_grad(params, x, target)
            params["hidden.b"] += 1.0
            return result

        def loss(self, params, x, target):
            return Network.loss(self, params, x, target)

    params, x, target = problem()
    report = check_network(Overwrites(), params, x, target)
    assert "unchanged inputs" in {check.name for check in report.failures}
    assert not np.any(params["hidden.b"])


def test_a_stale_cache_of_a_network_is_found():
    class Stale(Network):
        """Keeps the hidden layer of one call and uses it in the next."""

        kept = None

        def loss_and_grad(self, params, x, target):
            _, h, residual = self.forward(params, x, target)
            stale, self.kept = (h if self.kept is None else self.kept), h
            loss, grads = super().loss_and_grad(params, x, target)
            return loss, {**grads, "output.W": stale.T @ residual / len(x)}

    report = check_network(Stale(), *problem())
    assert {entry.verdict for entry in report.entries} == {"pass"}
    assert {check.name for check in report.failures} == {"repeatable"}
