import itertools
import re

import numpy as np
import pytest

from npvae.gradcheck import assert_gradients, check_vjp
from tests.gradcheck.functions import dense_backward, dense_forward, draw


def dense_args(seed=0):
    return [draw(5, 4, seed=seed), draw(4, 3, seed=seed + 100), draw(3, seed=seed + 200)]


def square_forward(x):
    return x**2, (x,)


def square_backward(dy, cache):
    return 2 * dy * cache[0]


def failed(report):
    return {check.name for check in report.failures}


def overwrites_dy(dy, cache):
    dy *= 2 * cache[0]
    return dy


def overwrites_the_cache(dy, cache):
    held = cache[0]
    held *= 2 * dy
    return held


def accumulator():
    total = np.zeros((4, 3))

    def backward(dy, cache):
        total[...] += 2 * dy * cache[0]
        return total.copy()

    return square_forward, backward


def reused_buffer():
    buffer = np.empty((4, 3))

    def backward(dy, cache):
        return np.multiply(2 * dy, cache[0], out=buffer)

    return square_forward, backward


def sticky_cache():
    kept = {}

    def forward(x):
        kept.setdefault("x", x.copy())
        return x**2, None

    return forward, lambda dy, cache: 2 * dy * kept["x"]


def shared_scratch():
    scratch = np.empty((4, 3))

    def forward(x):
        if x.shape != scratch.shape or x.dtype != scratch.dtype:
            return x**2, (x,)
        scratch[...] = x
        return x**2, (scratch,)

    return forward, square_backward


def fresh_noise():
    rng = np.random.default_rng(5)
    return square_forward, lambda dy, cache: 2 * dy * cache[0] + 1e-3 * rng.normal(size=dy.shape)


FAULTS = {
    "dy overwritten": (lambda: (square_forward, overwrites_dy), "unchanged dy"),
    "cache overwritten": (lambda: (lambda x: (x**2, (x.copy(),)), overwrites_the_cache), "unchanged cache"),
    "input overwritten": (lambda: (square_forward, overwrites_the_cache), "unchanged inputs"),
    "accumulation": (accumulator, "no accumulation"),
    "buffer for results": (reused_buffer, "earlier results"),
    "first cache kept": (sticky_cache, "stale cache"),
    "one scratch array": (shared_scratch, "stale cache"),
    "fresh noise": (fresh_noise, "repeatable"),
    "clipped dy": (
        lambda: (square_forward, lambda dy, cache: np.clip(dy, -5, 5) * 2 * cache[0]),
        "linear in dy",
    ),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_state_are_found(name, seed):
    pair, check = FAULTS[name]
    report = check_vjp(*pair(), [draw(4, 3, seed=seed)], seed=seed)
    assert report.verdict == "fail"
    assert not report.passed
    assert check in failed(report)
    assert f"FAIL {check}" in str(report)


@pytest.mark.parametrize("name", ["dy overwritten", "first cache kept", "buffer for results"])
def test_values_alone_do_not_show_them(name):
    report = check_vjp(*FAULTS[name][0](), [draw(4, 3)], protocol=False, variations=False)
    assert report.verdict == "pass"
    assert report.checks == ()
    assert "protocol=False, variations=False" in report.reproduce


def test_a_mutation_inside_a_nested_cache_is_found():
    class Holder:
        def __init__(self, x):
            self.inside = {"x": [x.copy()]}

    def backward(dy, cache):
        dx = 2 * dy * cache[0].inside["x"][0]
        cache[0].inside["x"][0][0, 0] += 1
        return dx

    report = check_vjp(lambda x: (x**2, (Holder(x),)), backward, [draw(4, 3)])
    assert "unchanged cache" in failed(report)
    assert "cache[0].inside['x'][0]" in str(report)


def test_accumulation_and_noise_are_told_apart():
    accumulated = str(check_vjp(*accumulator(), [draw(4, 3)]))
    noisy = str(check_vjp(*fresh_noise(), [draw(4, 3)]))
    assert "adds to the result of the first" in accumulated
    assert "draws fresh noise" in noisy
    assert re.search(r"is \S+ in one call and \S+ in the next", noisy)
    assert "draws fresh noise" not in accumulated


def test_a_forward_that_draws_fresh_noise_is_said_to():
    def forward(x):
        noise = np.random.default_rng().normal(size=x.shape)
        return x * noise, noise

    report = check_vjp(forward, lambda dy, noise: dy * noise, [draw(4, 3)])
    assert report.verdict == "inconclusive"
    assert "the forward draws fresh noise" in str(report)


@pytest.mark.parametrize("kind", ["generator", "random state", "global"])
def test_noise_is_held(kind):
    source = {"generator": np.random.default_rng(3), "random state": np.random.RandomState(3), "global": None}

    def forward(mu, log_var, rng):
        eps = (rng or np.random).normal(size=mu.shape)
        std = np.exp(log_var / 2)
        return mu + std * eps, (std, eps)

    def backward(dy, cache):
        return dy, dy * cache[0] * cache[1] / 2

    before = np.random.get_state()[1].copy()  # noqa: NPY002
    args = [draw(4, 3), draw(4, 3, seed=1), source[kind]]
    report = check_vjp(forward, backward, args)
    assert report.verdict == "pass", str(report)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002

    def draws(dy, cache):
        return dy, dy * cache[0] * np.random.normal(size=dy.shape) / 2  # noqa: NPY002

    wrong = check_vjp(forward, draws, args)
    assert wrong.verdict == "fail"
    assert "draws fresh noise" in str(wrong)


def test_what_is_merely_unusual_is_a_note():
    class Cube:
        def forward(self, x):
            self.x = x
            return x**3, self

        def backward(self, dy, cache):
            return 3 * dy * self.x**2

    cube = Cube()
    report = check_vjp(cube.forward, cube.backward, [draw(4, 3)])
    assert report.verdict == "pass"
    assert "stale cache" in {note.name for note in report.notes}

    report = check_vjp(lambda x, y: (x + y, None), lambda dy, cache: (dy, dy), [draw(4), draw(4)])
    assert report.verdict == "pass"
    assert "aliases" in {note.name for note in report.notes}

    def once(dy, cache):
        return 2 * dy * cache.pop()

    report = check_vjp(lambda x: (x**2, [x]), once, [draw(4, 3)])
    assert "repeatable" in {note.name for note in report.notes}


def test_a_cross_entropy_of_one_hot_targets_is_not_failed():
    def forward(logits, targets):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        return -np.sum(targets * np.log(p)) / len(p), (p, targets)

    def backward(dy, cache):
        return dy * (cache[0] - cache[1]) / len(cache[0])

    for seed in range(10):
        targets = np.eye(4)[np.random.default_rng(seed).integers(4, size=6)]
        report = check_vjp(forward, backward, [draw(6, 4, seed=seed), targets], wrt=[0], seed=seed)
        assert report.verdict == "pass", str(report)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_correct_code_is_never_failed(dtype):
    functions = [
        (dense_forward, dense_backward, dense_args),
        (square_forward, square_backward, lambda seed: [draw(4, 3, seed=seed)]),
        (
            lambda x: (np.log(x * x + 1), x),
            lambda dy, x: dy * 2 * x / (x * x + 1),
            lambda seed: [draw(4, 3, seed=seed)],
        ),
        (lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0), lambda seed: [draw(4, 3, seed=seed)]),
        (
            lambda x: (x - x.mean(axis=0), None),
            lambda dy, _: dy - dy.mean(axis=0),
            lambda seed: [draw(5, 2, seed=seed)],
        ),
        (
            lambda x: (np.sqrt(x), x),
            lambda dy, x: dy / np.sqrt(x) / 2,
            lambda seed: [np.abs(draw(4, 3, seed=seed)) + 0.1],
        ),
    ]
    for seed, (forward, backward, args) in itertools.product(range(15), functions):
        report = check_vjp(forward, backward, [a.astype(dtype) for a in args(seed)], seed=seed)
        assert report.verdict == "pass", f"{seed}\n{report}"


def test_inputs_are_given_back_as_they_were():
    x = draw(4, 3)
    kept = x.copy()

    def forward(x):
        x *= 2
        return x**2, x.copy()

    report = check_vjp(forward, lambda dy, doubled: 4 * dy * doubled, [x])
    assert failed(report) == {"unchanged inputs"}
    assert np.array_equal(x, kept)


def test_assert_gradients():
    assert assert_gradients(square_forward, square_backward, [draw(3)]).passed
    with pytest.raises(AssertionError, match=r"FAIL[\s\S]*reproduce: check_vjp"):
        assert_gradients(square_forward, lambda dy, cache: dy, [draw(3)], seed=4)


def test_which_arguments_are_differentiable_is_found_by_shape():
    def forward(x, mask, w):
        return x * mask * w, (x, mask, w)

    def backward(dy, cache):
        x, mask, w = cache
        return dy * mask * w, np.sum(dy * x * mask, axis=0)

    report = check_vjp(forward, backward, [draw(5, 3), draw(5, 1), draw(3)])
    assert [entry.name for entry in report.entries] == ["x", "w"]
    assert report.verdict == "pass"
    with pytest.raises(ValueError, match="2 ways"):
        check_vjp(lambda a, b: (a * b, b), lambda dy, b: (dy * b,), [draw(3), draw(3)])
    report = check_vjp(lambda a, b: (a * b, b), lambda dy, b: (dy * b, None), [draw(3), draw(3)])
    assert [entry.name for entry in report.entries] == ["a"]
    assert (report.verdict, failed(report)) == ("inconclusive", {"left out"})
