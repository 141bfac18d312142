"""The text of a trace: its numbers are the trace's, wherever they stand."""

import re
from dataclasses import replace

import numpy as np
import pytest

from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.vae import VAENetwork
from npvae.study.trace import trace_network
from npvae.study.trace_record import FORMULAS
from npvae.view.tables.trace import trace_text
from tests.core.points import random_parameters

D = 6


def make(latent_dim=2, *, beta=1.0, ae=False, **options):
    rng = np.random.default_rng(0)
    settings = {"n_features": D, "latent_dim": latent_dim, "hidden": (5,), "likelihood": "bernoulli"}
    network = AutoencoderNetwork(**settings) if ae else VAENetwork(**settings, beta=beta)
    params, x = random_parameters(network, rng, 0.7), rng.random(D)
    return trace_network(network, params, x, None if ae else rng.standard_normal(latent_dim), **options)


def block(text, d):
    """The lines of a latent dimension."""
    (found,) = re.findall(rf"(?ms)^dim {d}: .*?(?=\n\n)", text)
    return found.splitlines()


def numbers(line):
    return [float(number) for number in re.findall(r"[-+]?\d+\.\d+", line)]


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_a_latent_dimension(beta):
    trace = make(beta=beta)
    text = trace_text(trace)
    for d in (0, 1):
        mu, log_var, std, eps, z = (trace.node(name, d) for name in ("mu", "log_var", "std", "eps", "z"))
        first, path, kl, total, differences, *words = block(text, d)
        assert numbers(first) == pytest.approx([n.value for n in (mu, std, eps, z, log_var)], abs=6e-4)
        factor = eps.value * std.value / 2
        of_path = [z.gradient, mu.from_reconstruction, log_var.from_reconstruction, factor]
        assert numbers(path) == pytest.approx(of_path, abs=6e-4)
        shown = [number for number in numbers(kl) if number != beta]
        assert shown == pytest.approx([mu.from_kl, log_var.from_kl], abs=6e-4)
        assert ("(= 0.5 mu)" in kl) == (beta == 0.5)
        assert numbers(total) == pytest.approx([mu.gradient, log_var.gradient], abs=6e-4)
        assert numbers(differences) == pytest.approx([mu.numeric, log_var.numeric], abs=6e-4)
        assert [float(error) for error in re.findall(r"off ([\d.e+-]+)", differences)] == pytest.approx(
            [abs(n.gradient - n.numeric) for n in (mu, log_var)], rel=0.5
        )
        assert [word.split(":")[0].strip() for word in words] == ["mu", "log_var"]
        columns = {line.index("d_mu") for line in (path, kl, total, differences)}
        assert len(columns) == 1
        assert len({line.index("d_log_var") for line in (path, kl, total, differences)}) == 1


def test_the_head_and_the_step():
    trace = make()
    text = trace_text(trace)
    assert f"= {trace.loss:.3f} nats" in text
    assert f"{trace.step.loss_before:.4f} -> {trace.step.loss_after:.4f}" in text
    assert max(map(len, text.splitlines())) <= 110
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_a_wrong_gradient_shows_in_the_last_line():
    trace = make()
    assert float(trace_text(trace).split()[-1].rstrip(".")) < 1e-8
    nodes = tuple(replace(n, numeric=n.numeric + 0.25) if n.name == "z" else n for n in trace.nodes)
    assert float(trace_text(replace(trace, nodes=nodes)).split()[-1].rstrip(".")) == pytest.approx(0.25)


def test_without_the_reparameterization():
    text = trace_text(make(reparameterized=False))
    assert "no gradient passes z" in block(text, 0)[1]
    assert "eps" not in block(text, 0)[0]
    assert "only the KL's part reaches mu and log_var" in " ".join(text.split())


@pytest.mark.parametrize("ae", [False, True])
def test_of_many_dimensions_the_most_important_are_shown(ae):
    trace = make(7, ae=ae)
    text = trace_text(trace)
    shown = [int(d) for d in re.findall(r"(?m)^dim (\d+): ", text)]
    assert shown == trace.most_important(4)
    assert "4 of 7 latent dimensions" in text
    text = trace_text(trace, show_all=True)
    assert [int(d) for d in re.findall(r"(?m)^dim (\d+): ", text)] == list(range(7))
    assert "4 of 7" not in text


def test_all_nodes_are_in_a_table():
    trace = make()
    table = trace_text(trace, show_all=True)
    for node in trace.nodes:
        label = "logits" if node.name == "output" else node.name
        label = label if node.index is None else f"{label}[{node.index}]"
        (line,) = [row for row in table.splitlines() if row.startswith(f"{label} = {FORMULAS[node.name]}")]
        values = [node.value, node.gradient, node.from_reconstruction, node.from_kl, node.numeric]
        assert [float(word) for word in line.split()[-5:]] == pytest.approx(values, abs=6e-7)


def test_an_autoencoder():
    trace = make(2, ae=True)
    first, gradient, differences, _ = block(trace_text(trace), 1)
    code = trace.node("code", 1)
    assert numbers(first) == pytest.approx([code.value], abs=6e-4)
    assert numbers(gradient) == pytest.approx([code.gradient], abs=6e-4)
    assert numbers(differences)[0] == pytest.approx(code.numeric, abs=6e-4)


@pytest.mark.parametrize("share", [0.3, np.nan])
def test_averages(share):
    """Of the whole gradient and of its two parts; a share that has no meaning is a dash."""
    trace = make(n_average=40)
    average = replace(trace.average, log_var_wrong_sign=np.array([0.0, share]))
    text = trace_text(replace(trace, average=average))
    (line,) = [row for row in text.splitlines() if row.startswith("dim 1: d_log_var")]
    *shown, wrong = line.split()[-6:]
    from_kl, mean = trace.node("log_var", 1).from_kl, average.log_var_mean[1]
    std = average.log_var_std[1]
    expected = [from_kl, mean - from_kl, mean, std, std / np.sqrt(40)]
    assert [float(number) for number in shown] == pytest.approx(expected, abs=6e-4)
    assert wrong == ("-" if np.isnan(share) else "30%")
    assert "over 40 draws of eps" in text
    assert "one draw misleads" in " ".join(text.split())


def test_where_nothing_varies_no_draw_misleads():
    text = " ".join(trace_text(make(n_average=40, reparameterized=False)).split())
    assert "misleads" not in text
    assert "the KL's part is the same for every draw" in text


def test_images():
    text = trace_text(make(), (2, 3))
    assert text.splitlines()[0].split() == ["image", "reconstruction"]
    assert "\u2588" in text or "\u2580" in text or "\u2584" in text
    assert "\x1b[" in trace_text(make(), (2, 3), colours=True)
    assert "\x1b[" not in text


def test_no_minus_before_a_zero():
    trace = make()
    nodes = tuple(replace(n, from_kl=-0.0, gradient=-0.0) if n.name == "mu" else n for n in trace.nodes)
    assert "-0.000 " not in trace_text(replace(trace, nodes=nodes))
