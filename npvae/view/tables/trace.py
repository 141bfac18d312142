"""A trace as text for the terminal, by latent dimension."""

import numpy as np

from npvae.study.table import Table, wrapped
from npvae.study.trace import AE_FORMULAS, FORMULAS, Average, Trace, step_text, tug_of_war
from npvae.view.tables.half_blocks import side_by_side

OUTPUT_NAMES = {"bernoulli": "logits", "gaussian": "mean"}  # what the decoder's output is
MOST_DIMENSIONS = 4  # that are shown unless all are asked for


def trace_text(
    trace: Trace,
    image_shape: tuple[int, int] | None = None,
    *,
    show_all: bool = False,
    colours: bool = False,
) -> str:
    """Return a trace as text of at most 110 columns.

    Parameters
    ----------
    trace : Trace
        From `npvae.study.trace_image`.
    image_shape : (height, width) or None
        None shows no images.
    show_all : bool
        Show every latent dimension, not only the four that matter most, and a table of all nodes.
    colours : bool
        Grey levels by the escape sequences of terminals.

    Returns
    -------
    str
    """
    blocks = []
    if image_shape is not None:
        images = {"image": trace.image, "reconstruction": trace.reconstructed}
        blocks.append(
            side_by_side({name: x.reshape(image_shape) for name, x in images.items()}, colours=colours)
        )
    blocks.append(_head(trace))
    n_shown = trace.latent_dim if show_all else min(MOST_DIMENSIONS, trace.latent_dim)
    dims = trace.most_important(n_shown)
    blocks += ["\n".join(_dimension(trace, d)) for d in dims]
    if n_shown < trace.latent_dim:
        measure = "KL" if trace.kind == "VAE" else "gradient"
        blocks.append(
            f"{n_shown} of {trace.latent_dim} latent dimensions, those with the largest {measure}; --all "
            "shows the others."
        )
    if trace.average is not None:
        blocks.append(_average(trace.average, dims))
    if show_all:
        blocks.append(_nodes(trace).text())
    blocks.append("\n".join(wrapped(line) for line in _closing(trace)))
    return "\n\n".join(blocks)


def _head(trace: Trace) -> str:
    if trace.kind == "AE":
        return f"AE: loss = reconstruction = {trace.loss:.6f} nats. There is no noise, no variance and no KL."
    drawn = (
        "one draw of eps" if trace.reparameterized else "one z drawn from N(mu, std^2) directly, without eps"
    )
    return (
        f"VAE, one image, {drawn}: loss = reconstruction {trace.reconstruction:.3f} + {trace.beta:g} * KL "
        f"{trace.kl:.3f} = {trace.loss:.3f} nats"
    )


def _dimension(trace: Trace, d: int) -> list[str]:
    if trace.kind == "AE":
        code = trace.node("code", d)
        return [
            f"dim {d}: code {_value(code.value)}",
            f"  reconstruction:      d_code {_signed(code.gradient)}",
            f"  finite differences:  d_code {_signed(code.numeric)} {_off(code.gradient, code.numeric)}",
            "  The reconstruction alone pulls the code "
            f"{'down' if code.gradient > 0 else 'up'}: nothing pulls it towards 0.",
        ]
    mu, log_var, std, eps, z = (trace.node(name, d) for name in ("mu", "log_var", "std", "eps", "z"))
    beta = "" if trace.beta == 1 else f"{trace.beta:g} "
    factor = eps.value * std.value / 2
    if trace.reparameterized:
        first = (
            f"dim {d}: mu {_value(mu.value)} + std {_value(std.value)} * eps {_value(eps.value)} = "
            f"z {_value(z.value)}"
        )
        path = (
            f"  reconstruction: dz {_signed(z.gradient)} -> d_mu {_signed(mu.from_reconstruction)} "
            f"{'(x 1)':<18}"
            f" d_log_var {_signed(log_var.from_reconstruction)} (x eps std / 2 = {factor:.4f})"
        )
    else:
        first = f"dim {d}: z {_value(z.value)} drawn from N(mu {_value(mu.value)}, std {_value(std.value)})"
        path = (
            f"  reconstruction: dz {_signed(z.gradient)} -> | a draw has no derivative: no gradient passes z"
        )
    words = [tug_of_war(node.name, node.from_reconstruction, node.from_kl) + "." for node in (mu, log_var)]
    indent = " " * (len("  reconstruction: dz  -> ") + len(_signed(z.gradient)) - 16)
    return [
        f"{first}   (std = exp(log_var / 2), log_var {_value(log_var.value)})",
        path,
        f"  KL:           {indent}d_mu {_signed(mu.from_kl)} {f'(= {beta}mu)':<18} d_log_var "
        f"{_signed(log_var.from_kl)} (= {beta}(e^log_var - 1) / 2)",
        f"  sum:          {indent}d_mu {_signed(mu.gradient)} {'':<18} d_log_var {_signed(log_var.gradient)}",
        f"  differences:  {indent}d_mu {_signed(mu.numeric)} {_off(mu.gradient, mu.numeric):<18} d_log_var "
        f"{_signed(log_var.numeric)} {_off(log_var.gradient, log_var.numeric)}",
        *(f"  {text}" for text in words),
    ]


def _average(average: Average, dims: list[int]) -> str:
    """Say how much one draw of eps misleads."""
    rows = []
    for d in dims:
        for name, mean, std, wrong in (
            ("d_mu", average.mu_mean, average.mu_std, average.mu_wrong_sign),
            ("d_log_var", average.log_var_mean, average.log_var_std, average.log_var_wrong_sign),
        ):
            rows.append(
                (
                    f"dim {d}: {name}",
                    _signed(mean[d]),
                    f"{std[d]:.3f}",
                    f"{std[d] / np.sqrt(average.n):.3f}",
                    f"{wrong[d]:.0%}",
                )
            )
    header = (
        f"over {average.n:,} draws of eps",
        "mean",
        "standard\ndeviation",
        "std. error\nof mean",
        "wrong\nsign",
    )
    note = (
        "One draw of eps misleads: its gradient has this standard deviation about the mean, and in this "
        "share "
        "of the draws the wrong sign. Training averages over images and steps."
    )
    return Table("", header, rows, note).text()


def _nodes(trace: Trace) -> Table:
    formulas = FORMULAS if trace.kind == "VAE" else AE_FORMULAS
    rows = []
    for node in trace.nodes:
        name = OUTPUT_NAMES[trace.likelihood] if node.name == "output" else node.name
        rows.append(
            (
                f"{name if node.index is None else f'{name}[{node.index}]'} = {formulas[node.name]}",
                *(
                    _number(value)
                    for value in (node.value, node.gradient, node.from_reconstruction, node.from_kl)
                ),
                _number(node.numeric),
            )
        )
    header = ("node", "value", "gradient", "from\nrecon.", "from KL", "by\ndifferences")
    note = "Of the image, the hidden layer and the output: the entry with the largest |value * gradient|."
    return Table("", header, rows, note)


def _closing(trace: Trace) -> list[str]:
    largest = max(abs(node.gradient - node.numeric) for node in trace.nodes)
    lines = [step_text(trace.step) + "."]
    if trace.kind == "VAE" and not trace.reparameterized:
        lines.append(
            "Without the reparameterization only the KL's part reaches mu and log_var: the encoder would "
            "learn "
            "N(0, I) for every image, and nothing about the images. With z = mu + std * eps the draw is eps, "
            "and z is an ordinary function of mu and log_var."
        )
    lines.append(f"Largest difference between a gradient and its finite difference: {largest:.1e}.")
    return lines


def _off(gradient: float, numeric: float) -> str:
    return f"(off {abs(gradient - numeric):.0e})"


def _value(value: float) -> str:
    return f"{value + 0.0:.3f}" if abs(value) < 1e4 else f"{value:.4g}"


def _signed(value: float) -> str:
    return f"{value + 0.0:+.3f}" if abs(value) < 1e4 else f"{value:+.4g}"


def _number(value: float) -> str:
    return f"{value + 0.0:.6f}" if abs(value) < 1e4 else f"{value:.5g}"
