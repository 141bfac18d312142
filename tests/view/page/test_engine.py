"""The page's networks, in a browser, against npvae/core with the weights that the page holds."""

import numpy as np
import pytest
from scipy import stats

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.data import load_digits
from npvae.study.trace import trace_network
from npvae.training import Adam
from npvae.view.page.contents import describe_network, rounded

NETWORKS = {
    "relu, Bernoulli": VAENetwork(n_features=64, latent_dim=2, hidden=(32,), likelihood="bernoulli"),
    "two tanh layers, learned noise": VAENetwork(
        n_features=20, latent_dim=3, hidden=(16, 8), activation="tanh", noise_variance="learned", beta=0.5
    ),
    "softplus": VAENetwork(
        n_features=9, latent_dim=4, hidden=(7,), activation="softplus", noise_variance=0.3
    ),
    "linear": VAENetwork(n_features=9, latent_dim=2, hidden=(), likelihood="bernoulli"),
    "AE, leaky ReLU": AutoencoderNetwork(
        n_features=12, latent_dim=2, hidden=(10,), activation="leaky_relu", negative_slope=0.2
    ),
    "AE, sigmoid": AutoencoderNetwork(n_features=12, latent_dim=3, hidden=(10, 6), activation="sigmoid"),
}  # fmt: skip
N = 5
START = """
    const e = npvae.engine, list = (v) => typeof v === "number" ? [v] : v && Array.from(v);
    const model = e.makeModel(a.network, Float64Array.from(a.flat)), x = Float64Array.from(a.x);"""


@pytest.fixture(scope="module")
def page(open_page, explorer):
    return open_page(explorer)


@pytest.fixture
def run(page):
    """Run JavaScript with the arguments as `a`; arrays come back as lists."""

    def run(code, **arguments):
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
        return page.evaluate(f"async (a) => {{ {code} }}", plain)

    return run


def inputs(network, rng, n=N):
    params = init_parameters(network.shapes(), rng, dtype=np.float64)
    x, eps = rng.random((n, network.n_features)), rng.standard_normal((n, network.latent_dim))
    return rounded(params), x * (x > 0.3), eps


def assert_close(actual, expected, tolerance):
    expected = np.asarray(expected)
    actual = np.reshape(actual, expected.shape)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_losses_and_gradients_are_the_cores(name, run, rng):
    network = NETWORKS[name]
    params, x, eps = inputs(network, rng)
    code = (
        START
        + """
        const c = e.forward(model, x, Float64Array.from(a.eps), a.n);
        return {mu: list(c.mu), logVar: list(c.logVar), decoded: list(e.decode(model, c.mu, a.n)),
                reconstruction: list(c.reconstruction), kl: list(c.kl),
                gradient: list(e.backward(model, c, model.network.beta).flat)};"""
    )
    arguments = {"network": describe_network(network), "flat": params.flat, "n": N}
    found = run(code, **arguments, x=x.ravel(), eps=eps.ravel())
    if isinstance(network, VAENetwork):
        mu, log_var = network.encode(params, x)
        assert_close(found["logVar"], log_var, 1e-12)
        (reconstruction, kl), _ = network.forward(params, x, eps)
        _, gradient = network.loss_and_grad(params, x, eps)
        assert_close(found["kl"], kl, 1e-12)
    else:
        mu = network.encode(params, x)
        reconstruction, _ = network.forward(params, x)
        _, gradient = network.loss_and_grad(params, x)
        assert found["logVar"] is None
    assert_close(found["mu"], mu, 1e-12)
    assert_close(found["decoded"], network.decode(params, mu), 1e-12)
    assert_close(found["reconstruction"], reconstruction, 1e-12)
    assert_close(found["gradient"], gradient.flat, 1e-12)


def test_the_page_holds_the_rounded_weights_and_the_images(run, models):
    digits = load_digits()
    for kind, model in zip(("ae", "vae"), models, strict=True):
        held = run(f"return Array.from(npvae.page.data.{kind}.flat)")
        np.testing.assert_array_equal(held, rounded(model.params_).flat)
        codes = run(f"return Array.from(npvae.page.data.{kind}.codes)")
        expected = np.ravel(model.transform(digits.X_test))
        np.testing.assert_allclose(codes, expected, rtol=2e-3, atol=2e-3)
    pixels = run("return Array.from(npvae.page.data.images.pixels)")
    np.testing.assert_array_equal(pixels, np.concatenate([digits.X_test, digits.X_train]).ravel())
    np.testing.assert_array_equal(run("return Array.from(npvae.page.data.images.labels)"), digits.y_test)


def test_training_takes_the_same_steps(run, rng):
    network, steps, n = NETWORKS["relu, Bernoulli"], 200, 16
    params, _, _ = inputs(network, rng)
    X, eps = load_digits().X_train.astype(np.float64), rng.standard_normal((steps, n, 2))
    rows = rng.integers(len(X), size=(steps, n))
    code = (
        START
        + """
        const adam = e.makeAdam(model.flat.length), X = npvae.page.data.images;
        a.rows.forEach((rows, step) => {
          rows.forEach((row, i) => x.set(X.row(X.n_test + row), i * X.D));
          e.trainStep(model, adam, x, Float64Array.from(a.eps[step].flat()), a.n, 1, 1e-3);
        });
        return Array.from(model.flat);"""
    )
    arguments = {"network": describe_network(network), "flat": params.flat, "n": n, "x": np.zeros(n * 64)}
    found = run(code, **arguments, rows=rows, eps=eps)
    optimizer = Adam()
    state = optimizer.start(params.flat)
    for i in range(steps):
        _, gradient = network.loss_and_grad(params, X[rows[i]], eps[i])
        optimizer.update(params.flat, gradient.flat, state, 1e-3)
    np.testing.assert_allclose(found, params.flat, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "name", [name for name, network in NETWORKS.items() if isinstance(network, VAENetwork)]
)
def test_the_path_is_the_traces_and_wiggling_agrees(name, run, rng):
    network = NETWORKS[name]
    params, x, eps = inputs(network, rng, n=1)
    code = (
        START
        + """
        const beta = model.network.beta, names = ["mu", "log_var", "std", "eps", "z", "reconstruction", "kl"];
        const out = {};
        for (const isDirect of [false, true]) {
          const t = e.tracePath(model, x, a.eps, beta, isDirect);
          const entry = (name, value, dim) => ({
            value, rec: list(t[name].rec)[dim], kl: list(t[name].kl)[dim],
            numeric: e.wiggle(model, x, t, name, dim, beta, isDirect),
          });
          const entries = (name) => list(t[name].value).map((value, dim) => entry(name, value, dim));
          out[isDirect] = Object.fromEntries(names.map((name) => [name, entries(name)]));
        }
        return out;"""
    )
    found = run(code, network=describe_network(network), flat=params.flat, x=x.ravel(), eps=eps.ravel())
    nodes = [
        node for node in trace_network(network, params, x[0], eps[0]).nodes if node.name in found["false"]
    ]
    assert len(nodes) == 5 * network.latent_dim + 2
    for node in nodes:
        entry = found["false"][node.name][node.index or 0]
        assert_close(entry["value"], node.value, 1e-12)
        assert_close(entry["rec"], node.from_reconstruction, 1e-12)
        assert_close(entry["kl"], node.from_kl, 1e-12)
        assert_close(entry["numeric"], node.gradient, 1e-7)
    direct = found["true"]
    for name, entries in direct.items():
        for entry, whole in zip(entries, found["false"][name], strict=True):
            assert_close(entry["numeric"], entry["rec"] + entry["kl"], 1e-7)
            assert entry["kl"] == whole["kl"]
            if name in ("mu", "log_var", "std", "eps"):
                assert entry["rec"] == 0 != whole["rec"]


def test_random_numbers_are_normal(run):
    draws = np.array(run("const z = npvae.page.drawPoints; return Array.from(z)"))
    assert len(draws) == 600
    assert stats.kstest(draws, "norm").pvalue > 0.01


def test_averages_over_noise(run, page, models, rng):
    """The means that the page shows lie within five of their standard errors of NumPy's own."""
    _, vae = models
    network, params = vae.network_, rounded(vae.params_)
    page.evaluate("npvae.page.set({step: 'path', image: 5, dim: 1})")
    page.click("[data-action=average]")
    page.wait_for_selector("#average table")
    cells = [text.replace("\u2212", "-") for text in page.locator("#average td").all_inner_texts()]
    (_, mu_mean, mu_sd), (_, log_var_mean, _) = np.array(cells, dtype=float).reshape(2, 3)
    n = 4000
    x = np.repeat(load_digits().X_test[5:6].astype(np.float64), n, axis=0)
    eps = rng.standard_normal((n, 2))
    mu, log_var = network.encode(params, x)
    std = np.exp(log_var / 2)
    output, cache = network.decoder_forward(params, mu + std * eps)
    _, likelihood = network.reconstruction_forward(params, x, output)
    d_output = network.reconstruction_backward(np.ones(n), likelihood, params.zeros_like())
    dz = network.decoder_backward(d_output, cache, params.zeros_like())[:, 1]
    d_log_var = dz * eps[:, 1] * std[:, 1] / 2
    for mean, draws in [(mu_mean, dz), (log_var_mean, d_log_var)]:
        error = draws.std() * np.sqrt(1 / 1000 + 1 / n)
        assert abs(mean - draws.mean()) < 5 * error + 5e-4
    assert mu_sd == pytest.approx(dz.std(), rel=0.15)
