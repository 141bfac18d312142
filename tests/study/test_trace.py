"""Each number on the path against the lecture's formulas, written down again here."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from scipy import stats

from npvae import VAE, Autoencoder
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.gaussian import kl_forward
from npvae.core.vae import VAENetwork
from npvae.study import trace_image
from npvae.study.trace import _wrong_sign, trace_network
from npvae.study.trace_record import AE_FORMULAS, FORMULAS, tug_of_war
from tests.core.points import random_parameters

D, Z = 6, 3
NOISE_VARIANCE = 0.3
CASES = [
    (likelihood, beta, hidden)
    for likelihood in ("bernoulli", "gaussian")
    for beta in (0.5, 1.0)
    for hidden in ((), (5,), (7, 4))
]


def layers(part, p, h):
    i = 0
    while f"{part}.{i}.W" in p:
        h = anp.tanh(anp.dot(h, p[f"{part}.{i}.W"]) + p[f"{part}.{i}.b"])
        i += 1
    return h


class Path:
    """The VAE of one image as one would write it on a blackboard; any node may be given."""

    def __init__(self, p, x, eps, beta, likelihood):
        self.p, self.x, self.eps, self.beta, self.likelihood = p, x, eps, beta, likelihood

    def nodes(self, name=None, value=None):
        given = {name: value}
        p, v = self.p, {}

        def put(node, otherwise):
            v[node] = given[node] if node in given else otherwise()

        put("x", lambda: self.x)
        put("hidden", lambda: layers("encoder", p, v["x"]))
        put("mu", lambda: anp.dot(v["hidden"], p["mu.W"]) + p["mu.b"])
        put("log_var", lambda: anp.dot(v["hidden"], p["log_var.W"]) + p["log_var.b"])
        put("std", lambda: anp.exp(v["log_var"] / 2))
        put("eps", lambda: self.eps)
        put("z", lambda: v["mu"] + v["std"] * v["eps"])
        put("output", lambda: anp.dot(layers("decoder", p, v["z"]), p["output.W"]) + p["output.b"])
        put("reconstruction", lambda: self.reconstruction(v["output"]))
        put("kl", lambda: anp.sum(v["mu"] ** 2 + anp.exp(v["log_var"]) - 1 - v["log_var"]) / 2)
        return v

    def reconstruction(self, output):
        if self.likelihood == "bernoulli":
            probability = 1 / (1 + anp.exp(-output))
            return -anp.sum(self.x * anp.log(probability) + (1 - self.x) * anp.log(1 - probability))
        squares = (self.x - output) ** 2 / NOISE_VARIANCE + anp.log(2 * anp.pi * NOISE_VARIANCE)
        return anp.sum(squares) / 2

    def gradient(self, name, value, *, reconstruction=1.0, kl=1.0):
        """Of reconstruction * (first term) + kl * beta * (second term)."""

        def loss(value):
            v = self.nodes(name, value)
            return reconstruction * v["reconstruction"] + kl * self.beta * v["kl"]

        return grad(loss)(value)


def make(likelihood, beta, hidden, seed=0):
    rng = np.random.default_rng(seed)
    network = VAENetwork(
        n_features=D,
        latent_dim=Z,
        hidden=hidden,
        activation="tanh",
        likelihood=likelihood,
        noise_variance=NOISE_VARIANCE,
        beta=beta,
    )
    return network, random_parameters(network, rng, 0.7), rng.random(D), rng.standard_normal(Z)


@pytest.fixture(params=CASES, ids=str)
def case(request):
    likelihood, beta, hidden = request.param
    network, params, x, eps = make(likelihood, beta, hidden)
    return trace_network(network, params, x, eps), Path(dict(params), x, eps, beta, likelihood)


def test_values(case):
    result, path = case
    values = path.nodes()
    for node in result.nodes:
        assert node.value == pytest.approx(np.ravel(values[node.name])[node.index or 0], rel=1e-9), node
        assert node.width == np.size(values[node.name])
    assert result.loss == pytest.approx(values["reconstruction"] + path.beta * values["kl"], rel=1e-12)
    assert (result.beta, result.likelihood) == (path.beta, path.likelihood)


def test_gradients_and_their_parts(case):
    result, path = case
    values = path.nodes()
    for node in result.nodes:
        at, i = values[node.name], node.index or 0
        expected = np.ravel(path.gradient(node.name, at))[i]
        reconstruction = np.ravel(path.gradient(node.name, at, kl=0.0))[i]
        kl = np.ravel(path.gradient(node.name, at, reconstruction=0.0))[i]
        assert node.gradient == pytest.approx(expected, rel=1e-9, abs=1e-12), node
        assert node.from_reconstruction == pytest.approx(reconstruction, rel=1e-9, abs=1e-12), node
        assert node.from_kl == pytest.approx(kl, rel=1e-9, abs=1e-12), node
        assert node.gradient == pytest.approx(node.from_reconstruction + node.from_kl, rel=1e-12, abs=1e-15)


def test_numeric_gradients(case):
    result, _ = case
    for node in result.nodes:
        assert abs(node.gradient - node.numeric) <= 1e-6 * abs(node.gradient) + node.error_bar, node
        assert 0 <= node.error_bar < 1e-6 * max(1, abs(node.gradient)), node


def test_the_formulas_of_the_lecture(case):
    result, path = case
    of = {(node.name, node.index): node for node in result.nodes}
    for i in range(Z):
        mu, log_var, std = of["mu", i], of["log_var", i], of["std", i]
        z, eps = of["z", i], of["eps", i]
        assert std.value == pytest.approx(np.exp(log_var.value / 2), rel=1e-12)
        assert z.value == pytest.approx(mu.value + std.value * eps.value, rel=1e-12)
        assert mu.from_kl == pytest.approx(path.beta * mu.value, rel=1e-12)
        assert log_var.from_kl == pytest.approx(path.beta * (np.exp(log_var.value) - 1) / 2, rel=1e-12)
        assert mu.from_reconstruction == z.gradient
        assert log_var.from_reconstruction == pytest.approx(z.gradient * eps.value * std.value / 2, rel=1e-12)
        assert (z.from_kl, std.from_kl, eps.from_kl) == (0, 0, 0)


def test_which_nodes_are_shown(case):
    """All of the narrow ones, and of each wide one the entry with the largest |value * gradient|."""
    result, path = case
    has_hidden = any(name.startswith("encoder.") for name in path.p)
    shown = [(node.name, node.index) for node in result.nodes]
    expected = [name for name in FORMULAS if has_hidden or name != "hidden"]
    assert list(dict.fromkeys(name for name, _ in shown)) == expected
    for name in ("mu", "log_var", "std", "eps", "z"):
        assert [index for n, index in shown if n == name] == list(range(Z))
    for name in ("x", "hidden", "output") if has_hidden else ("x", "output"):
        gradient = path.gradient(name, path.nodes()[name])
        share = np.abs(path.nodes()[name] * gradient)
        assert [index for n, index in shown if n == name] == [share.argmax()]
    assert ("kl", None) in shown
    assert ("reconstruction", None) in shown


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_they_are_the_gradients_that_training_takes(likelihood):
    """The biases of the two heads add to mu and log_var, and that of the output to the output."""
    network, params, x, eps = make(likelihood, 0.5, (5,))
    result = trace_network(network, params, x, eps)
    loss, grads = network.loss_and_grad(params, x[None], eps[None])
    assert result.loss == pytest.approx(loss.total, rel=1e-12)
    for node in result.nodes:
        if node.name in ("mu", "log_var", "output"):
            assert node.gradient == pytest.approx(grads[f"{node.name}.b"][node.index], rel=1e-12)


def without_the_half(dz, cache):
    std, eps = cache
    return dz.copy(), dz * eps * std


def with_the_variance(dz, cache):
    std, eps = cache
    return dz.copy(), dz * eps * std**2 / 2


def without_the_noise(dz, cache):
    std, _ = cache
    return dz.copy(), dz * std / 2


@pytest.mark.parametrize("fault", [without_the_half, with_the_variance, without_the_noise])
def test_a_wrong_backward_shows(fault, monkeypatch):
    network, params, x, eps = make("bernoulli", 1.0, (5,))
    monkeypatch.setattr("npvae.study.trace.reparameterize_backward", fault)
    result = trace_network(network, params, x, eps)
    for node in result.nodes:
        difference = abs(node.gradient - node.numeric)
        if node.name in ("log_var", "x", "hidden"):  # at and before the fault
            assert difference > 1e-3 * abs(node.gradient) + 10 * node.error_bar, node
        else:
            assert difference <= 1e-6 * abs(node.gradient) + node.error_bar, node


def test_a_learned_noise_variance():
    network, params, x, eps = make("gaussian", 1.0, (5,))
    learned = VAENetwork(
        n_features=D,
        latent_dim=Z,
        hidden=(5,),
        activation="tanh",
        likelihood="gaussian",
        noise_variance="learned",
    )
    same = random_parameters(learned, np.random.default_rng(0))
    for name in params:
        same[name] = params[name]
    same["output.log_noise_var"] = [np.log(NOISE_VARIANCE)]
    loss = trace_network(network, params, x, eps).loss
    assert trace_network(learned, same, x, eps).loss == pytest.approx(loss, rel=1e-12)


def test_float32_parameters_are_used_in_float64_and_left_alone():
    network, params, x, eps = make("bernoulli", 1.0, (5,))
    single = params.astype(np.float32)
    before = single.flat.copy()
    result = trace_network(network, single, x.astype(np.float32), eps.astype(np.float32))
    assert max(abs(node.gradient - node.numeric) for node in result.nodes) < 1e-7
    assert single.flat.dtype == np.float32
    np.testing.assert_array_equal(single.flat, before)


@pytest.mark.parametrize(("n_x", "n_eps"), [(D - 1, Z), (D, Z + 1)])
def test_lengths_are_checked(n_x, n_eps):
    network, params, _, _ = make("bernoulli", 1.0, ())
    with pytest.raises(ValueError, match=f"x must have {D} entries and eps {Z}"):
        trace_network(network, params, np.zeros(n_x), np.zeros(n_eps))


@pytest.mark.parametrize("bad", ["x", "eps"])
def test_numbers_must_be_finite(bad):
    network, params, x, eps = make("bernoulli", 1.0, ())
    {"x": x, "eps": eps}[bad][1] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        trace_network(network, params, x, eps)


@pytest.fixture
def direct(case):
    """The same with z drawn directly."""
    result, path = case
    network, params, x, eps = make(path.likelihood, path.beta, CASES_BY_DEPTH[len(path.p)])
    return result, trace_network(network, params, x, eps, reparameterized=False)


CASES_BY_DEPTH = {len(make("bernoulli", 1.0, hidden)[1]): hidden for _, _, hidden in CASES}


def test_without_the_reparameterization_only_the_kl_reaches_the_encoder(direct):
    with_eps, without = direct
    for one, other in zip(with_eps.nodes, without.nodes, strict=True):
        assert one.value == other.value or one.name in ("x", "hidden")  # whose largest entry is shown
        assert abs(other.gradient - other.numeric) <= 1e-6 * abs(other.gradient) + other.error_bar
        if one.name in ("mu", "log_var"):
            assert (other.gradient, other.from_reconstruction) == (one.from_kl, 0)
        if one.name in ("x", "hidden"):
            assert other.from_reconstruction == 0
        if one.name in ("std", "eps"):
            assert other.gradient == 0
        if one.name in ("z", "output", "reconstruction"):
            assert other.gradient == one.gradient


def test_one_step_is_one_of_gradient_descent(case):
    result, path = case
    network, params, x, eps = make(path.likelihood, path.beta, CASES_BY_DEPTH[len(path.p)])
    loss, grads = network.loss_and_grad(params, x[None], eps[None])
    stepped = params.copy()
    stepped.flat[:] -= 1e-3 * grads.flat
    step = result.step
    assert step.loss_before == result.loss == pytest.approx(loss.total, rel=1e-12)
    assert step.loss_after == pytest.approx(network.loss(stepped, x[None], eps[None]).total, rel=1e-12)
    assert step.expected_change == pytest.approx(-1e-3 * np.sum(grads.flat**2), rel=1e-9)


def test_averages_over_draws():
    """Against the gradients of single traces, whose noise is drawn likewise."""
    network, params, x, eps = make("bernoulli", 0.5, (5,))
    average = trace_network(network, params, x, eps, n_average=6, rng=np.random.default_rng(8)).average
    draws = np.random.default_rng(8).standard_normal((6, Z))
    single = [trace_network(network, params, x, draw) for draw in draws]
    for name, mean, std, wrong in [
        ("mu", average.mu_mean, average.mu_std, average.mu_wrong_sign),
        ("log_var", average.log_var_mean, average.log_var_std, average.log_var_wrong_sign),
    ]:
        gradients = np.array([[one.node(name, d).gradient for d in range(Z)] for one in single])
        np.testing.assert_allclose(mean, gradients.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(std, gradients.std(axis=0), rtol=1e-9)
        signs = np.sign(gradients) != np.sign(gradients.mean(axis=0))
        errors = stats.sem(gradients, ddof=0)
        known = np.abs(gradients.mean(axis=0)) >= 2 * errors
        np.testing.assert_allclose(wrong, np.where(known, signs.mean(axis=0), np.nan))
    assert average.n == 6


def test_a_sign_is_wrong_only_where_the_mean_has_one():
    """Means of 2, 0.21, 0.19 and 0 with a standard deviation of 1 over 100 draws: errors of 0.1."""
    z = np.tile([-1.0, 1.0], 50)
    wrong = _wrong_sign(np.column_stack([z + 2, z + 0.21, z + 0.19, z]))
    np.testing.assert_array_equal(wrong, [0, 0.5, np.nan, np.nan])


def test_averages_do_not_depend_on_blocks(monkeypatch):
    network, params, x, eps = make("gaussian", 1.0, (5,))
    whole, blocks = [], []
    for block, kept in [(1000, whole), (3, blocks)]:
        monkeypatch.setattr("npvae.study.trace._BLOCK", block)
        average = trace_network(network, params, x, eps, n_average=7, rng=np.random.default_rng(1)).average
        kept += [average.mu_mean, average.mu_std, average.log_var_mean, average.log_var_std]
    np.testing.assert_allclose(whole, blocks, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(), (5,), (7, 4)])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_an_autoencoder(hidden, likelihood):
    """What there is of it: no noise, no KL."""
    network = AutoencoderNetwork(
        n_features=D,
        latent_dim=Z,
        hidden=hidden,
        activation="tanh",
        likelihood=likelihood,
        noise_variance=NOISE_VARIANCE,
    )
    rng = np.random.default_rng(0)
    params, x = random_parameters(network, rng, 0.7), rng.random(D)
    result = trace_network(network, params, x)
    loss, grads = network.loss_and_grad(params, x[None])
    assert result.kind == "AE"
    assert result.loss == result.reconstruction == pytest.approx(loss.total, rel=1e-12)
    assert (result.kl, result.average) == (0, None)
    names = [name for name in AE_FORMULAS if hidden or name != "hidden"]
    assert list(dict.fromkeys(node.name for node in result.nodes)) == names
    assert result.latent_dim == Z
    for node in result.nodes:
        assert abs(node.gradient - node.numeric) <= 1e-6 * abs(node.gradient) + node.error_bar, node
        assert node.from_kl == 0
        if node.name in ("code", "output"):
            assert node.gradient == pytest.approx(grads[f"{node.name}.b"][node.index], rel=1e-12)
    np.testing.assert_allclose(
        result.reconstructed, network.decode(params, network.encode(params, x[None]))[0]
    )
    gradients = [abs(result.node("code", d).gradient) for d in range(Z)]
    assert result.most_important(1) == [int(np.argmax(gradients))]


def test_the_most_important_dimensions_have_the_largest_kl(case):
    result, path = case
    values = path.nodes()
    kl = kl_forward(values["mu"][:, None], values["log_var"][:, None])[0]
    assert result.most_important(2) == sorted(np.argsort(-kl)[:2].tolist())
    assert result.most_important(9) == [0, 1, 2]


@pytest.fixture(scope="module")
def models():
    X = np.random.default_rng(0).integers(0, 256, size=(60, D), dtype=np.uint8)
    settings = {"hidden": (5,), "likelihood": "bernoulli", "max_epochs": 2, "tol": None, "random_state": 0}
    return X, VAE(Z, **settings).fit(X), Autoencoder(Z, **settings).fit(X)


def test_of_an_estimator(models):
    X, vae, ae = models
    drawn = trace_image(vae, X[3], random_state=4)
    eps = np.random.default_rng(4).standard_normal(Z)
    assert [drawn.node("eps", d).value for d in range(Z)] == eps.tolist()
    given = trace_image(vae, X[3] / 255, eps)
    assert given.loss == pytest.approx(drawn.loss, rel=1e-6)
    assert trace_image(ae, X[3]).loss == pytest.approx(-ae.score_samples(X[3:4])[0], rel=1e-5)
    np.testing.assert_allclose(drawn.image, X[3] / 255, rtol=1e-6)


def test_a_notebook_shows_tables(models):
    X, vae, ae = models
    text = trace_image(vae, X[0])._repr_html_()
    assert text.count("<table>") == Z == text.count("</table>")
    assert "log_var: " in text
    assert f"{trace_image(vae, X[0]).node('mu', 1).gradient:+.4f}" in text
    assert trace_image(ae, X[0])._repr_html_().count("<table>") == Z


@pytest.mark.parametrize(
    ("of_reconstruction", "of_kl", "said"),
    [
        (
            3.0,
            -0.5,
            "the reconstruction pulls it down, the KL up, towards 0; the reconstruction pulls 6.0",
        ),
        (-0.5, 3.0, "the reconstruction pulls it up, the KL down, towards 0; the KL pulls 6.0 times as hard"),
        (2.0, 1.0, "both pull it down, the KL towards 0; the reconstruction pulls 2.0 times as hard"),
        (0.0, -1.0, "the KL alone pulls it, up, towards 0"),
        (1.0, 0.0, "the reconstruction alone pulls it, down"),
        (0.0, 0.0, "nothing pulls it"),
    ],
)
def test_the_tug_of_war_in_words(of_reconstruction, of_kl, said):
    assert tug_of_war("mu", of_reconstruction, of_kl).startswith(f"mu: {said}")
