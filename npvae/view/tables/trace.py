"""A trace as text for the terminal, by latent dimension."""

from npvae.study.table import wrapped
from npvae.study.trace_record import (
    Trace,
    average_table,
    closing,
    left_out_text,
    nodes_table,
    pull_texts,
    shown_dimensions,
    signed,
)
from npvae.view.tables.half_blocks import side_by_side


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
    dims = shown_dimensions(trace, show_all=show_all)
    blocks += ["\n".join(_dimension(trace, d)) for d in dims]
    left_out = left_out_text(trace, len(dims))
    if left_out:
        blocks.append(left_out)
    if trace.average is not None:
        blocks.append(average_table(trace, dims).text())
    if show_all:
        blocks.append(nodes_table(trace).text())
    blocks.append("\n".join(wrapped(line) for line in closing(trace)))
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
            f"  reconstruction:      d_code {signed(code.gradient)}",
            f"  finite differences:  d_code {signed(code.numeric)} {_off(code.gradient, code.numeric)}",
            *(f"  {text}" for text in pull_texts(trace, d)),
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
            f"  reconstruction: dz {signed(z.gradient)} -> d_mu {signed(mu.from_reconstruction)} "
            f"{'(x 1)':<18}"
            f" d_log_var {signed(log_var.from_reconstruction)} (x eps std / 2 = {factor:.4f})"
        )
    else:
        first = f"dim {d}: z {_value(z.value)} drawn from N(mu {_value(mu.value)}, std {_value(std.value)})"
        path = (
            f"  reconstruction: dz {signed(z.gradient)} -> | a draw has no derivative: no gradient passes z"
        )
    indent = " " * (len("  reconstruction: dz  -> ") + len(signed(z.gradient)) - 16)
    return [
        f"{first}   (std = exp(log_var / 2), log_var {_value(log_var.value)})",
        path,
        f"  KL:           {indent}d_mu {signed(mu.from_kl)} {f'(= {beta}mu)':<18} d_log_var "
        f"{signed(log_var.from_kl)} (= {beta}(e^log_var - 1) / 2)",
        f"  sum:          {indent}d_mu {signed(mu.gradient)} {'':<18} d_log_var {signed(log_var.gradient)}",
        f"  differences:  {indent}d_mu {signed(mu.numeric)} {_off(mu.gradient, mu.numeric):<18} d_log_var "
        f"{signed(log_var.numeric)} {_off(log_var.gradient, log_var.numeric)}",
        *(f"  {text}" for text in pull_texts(trace, d)),
    ]


def _off(gradient: float, numeric: float) -> str:
    return f"(off {abs(gradient - numeric):.0e})"


def _value(value: float) -> str:
    return f"{value + 0.0:.3f}" if abs(value) < 1e4 else f"{value:.4g}"
