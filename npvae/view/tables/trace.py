"""A trace as a table for the terminal."""

from npvae.study.trace import FORMULAS, Node, Trace

OUTPUT_NAMES = {"bernoulli": "logits", "gaussian": "mean"}  # what the decoder's output is


def trace_table(trace: Trace) -> str:
    """Return the trace as text: one line for each number on the path, in forward order.

    Parameters
    ----------
    trace : Trace
        From `npvae.study.trace.trace`.

    Returns
    -------
    str
        At most 118 columns wide.
    """
    lines = [
        f"One image, one draw of eps. loss = reconstruction + {trace.beta:g} * KL = {trace.loss:.6f} nats",
        "",
        f"{'node':<16}{'value':>12}{'dL/d(node)':>13}{'from recon.':>13}{'from KL':>13}"
        f"{'by differences':>16}   {'what it is'}",
    ]
    for name, formula in FORMULAS.items():
        for node in (node for node in trace.nodes if node.name == name):
            lines.append(_line(node, trace.likelihood, formula))
    lines.append(
        f"{'loss':<16}{_number(trace.loss):>12}{_number(1):>13}{'-':>13}{'-':>13}{_number(1):>16}   "
        f"reconstruction + {trace.beta:g} * kl"
    )
    largest = max(abs(node.gradient - node.numeric) for node in trace.nodes)
    lines += [
        "",
        "The reconstruction reaches mu and log_var through z: d_mu = dz, d_log_var = dz * eps * std / 2.",
        "The KL term adds beta * mu and beta * (exp(log_var) - 1) / 2, without passing through z.",
        "Of wide nodes the entry with the largest |value * gradient| is shown; x as the encoder's input.",
        f"Largest distance between a gradient and the same by finite differences: {largest:.1e}",
    ]
    return "\n".join(lines)


def _line(node: Node, likelihood: str, description: str) -> str:
    name = OUTPUT_NAMES[likelihood] if node.name == "output" else node.name
    label = name if node.index is None else f"{name}[{node.index}]"
    numbers = (node.gradient, node.from_reconstruction, node.from_kl)
    gradients = "".join(f"{_number(number):>13}" for number in numbers)
    return f"{label:<16}{_number(node.value):>12}{gradients}{_number(node.numeric):>16}   {description}"


def _number(value: float) -> str:
    value += 0.0  # no minus before a zero
    return f"{value:.6f}" if abs(value) < 1e4 else f"{value:.5g}"
