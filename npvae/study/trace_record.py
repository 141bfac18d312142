"""What a trace holds, and how it is told in tables and sentences: in the terminal, a notebook and a page."""

from dataclasses import dataclass

import numpy as np

from npvae.core.gaussian import kl_forward
from npvae.study.table import Table, escaped

#: The nodes of a VAE in forward order, and what each is.
FORMULAS = {
    "x": "the image",
    "hidden": "the encoder's last hidden layer",
    "mu": "hidden W_mu + b_mu",
    "log_var": "hidden W_log_var + b_log_var",
    "std": "exp(log_var / 2)",
    "eps": "a draw from N(0, 1)",
    "z": "mu + std * eps",
    "output": "the decoder's output",
    "reconstruction": "-ln p(x | z)",
    "kl": "KL(N(mu, std^2) || N(0, I))",
}
#: Those of an AE.
AE_FORMULAS = {
    "x": "the image",
    "hidden": "the encoder's last hidden layer",
    "code": "hidden W_code + b_code",
    "output": "the decoder's output",
    "reconstruction": "-ln p(x | code)",
}
OUTPUT_NAMES = {"bernoulli": "logits", "gaussian": "mean"}  # what the decoder's output is
MOST_DIMENSIONS = 4  # that are shown unless all are asked for


@dataclass(frozen=True)
class Node:
    """One number on the path, and dL/d(number).

    Attributes
    ----------
    name : str
        A key of `FORMULAS` or `AE_FORMULAS`.
    index : int or None
        Index of the entry; None if the node is a scalar.
    width : int
        Number of entries of the node.
    value : float
    gradient : float
        By the handwritten backward pass.
    from_reconstruction, from_kl : float
        Its two parts.
    numeric : float
        The same gradient by central differences of the forward pass after this node.
    error_bar : float
        Error bar of `numeric`.
    """

    name: str
    index: int | None
    width: int
    value: float
    gradient: float
    from_reconstruction: float
    from_kl: float
    numeric: float
    error_bar: float


@dataclass(frozen=True)
class Step:
    """The loss before and after one step of gradient descent on the traced image, with the same eps.

    Attributes
    ----------
    learning_rate : float
    loss_before, loss_after : float
        In nats.
    expected_change : float
        To first order: -learning_rate * |gradient|^2.
    """

    learning_rate: float
    loss_before: float
    loss_after: float
    expected_change: float


@dataclass(frozen=True, eq=False)
class Average:
    """The gradients of mu and log_var over many draws of eps.

    Attributes
    ----------
    n : int
        Number of draws.
    mu_mean, mu_std, log_var_mean, log_var_std : (Z,) arrays
        Mean and standard deviation of dL/d(mu) and dL/d(log_var) over the draws.
    mu_wrong_sign, log_var_wrong_sign : (Z,) arrays
        Share of draws whose gradient has another sign than the mean; NaN if the mean is less than two
        standard errors from 0.
    """

    n: int
    mu_mean: np.ndarray
    mu_std: np.ndarray
    mu_wrong_sign: np.ndarray
    log_var_mean: np.ndarray
    log_var_std: np.ndarray
    log_var_wrong_sign: np.ndarray


@dataclass(frozen=True, eq=False)
class Trace:
    """The path of one image, as numbers; a notebook shows it as tables.

    Attributes
    ----------
    kind : {"AE", "VAE"}
    nodes : tuple of Node
        In forward order. Every latent dimension of mu, log_var, std, eps and z (or code) is a node. Of x, the
        hidden layer and the output it is the entry with the largest |value * gradient|.
    loss, reconstruction, kl : float
        loss = reconstruction + beta * kl, in nats; kl is 0 for an AE.
    beta : float
    likelihood : {"bernoulli", "gaussian"}
    reparameterized : bool
        False if z was drawn directly from N(mu, std^2), so that no gradient passes through it.
    image, reconstructed : (D,) arrays
        The image, and E[x | z].
    step : Step
    average : Average or None
    """

    kind: str
    nodes: tuple[Node, ...]
    loss: float
    reconstruction: float
    kl: float
    beta: float
    likelihood: str
    reparameterized: bool
    image: np.ndarray
    reconstructed: np.ndarray
    step: Step
    average: Average | None

    @property
    def latent_dim(self) -> int:
        """Z."""
        return sum(node.name == ("z" if self.kind == "VAE" else "code") for node in self.nodes)

    def node(self, name: str, index: int | None = None) -> Node:
        """Return a node by its name and index; without an index, its first entry."""
        return next(n for n in self.nodes if n.name == name and (index is None or n.index in (index, None)))

    def most_important(self, n: int) -> list[int]:
        """Return the n latent dimensions that matter most for this image, in ascending order.

        For a VAE these have the largest KL, for an AE the largest |gradient|.
        """
        if self.kind == "VAE":
            mu, log_var = (
                np.array([[self.node(name, d).value for d in range(self.latent_dim)]])
                for name in ("mu", "log_var")
            )
            weights = np.array(
                [kl_forward(mu[:, [d]], log_var[:, [d]])[0][0] for d in range(self.latent_dim)]
            )
        else:
            weights = np.array([abs(self.node("code", d).gradient) for d in range(self.latent_dim)])
        return sorted(np.argsort(-weights, kind="stable")[:n].tolist())

    def _repr_html_(self) -> str:
        return "\n".join(text for _, text in trace_sections(self))


def shown_dimensions(trace: Trace, *, show_all: bool) -> list[int]:
    """Return the latent dimensions to show: all, or the four that matter most."""
    return trace.most_important(trace.latent_dim if show_all else MOST_DIMENSIONS)


def left_out_text(trace: Trace, n_shown: int) -> str:
    """Say which latent dimensions are shown if some are left out; "" otherwise."""
    if n_shown == trace.latent_dim:
        return ""
    measure = "KL" if trace.kind == "VAE" else "gradient"
    return (
        f"{n_shown} of {trace.latent_dim} latent dimensions, those with the largest {measure}; --all shows "
        "the others."
    )


def trace_sections(trace: Trace, *, show_all: bool = False) -> list[tuple[str, str]]:
    """Return a trace as HTML: headings, and what stands below them.

    Parameters
    ----------
    trace : Trace
    show_all : bool
        Show every latent dimension, not only the four that matter most, and a table of all nodes.

    Returns
    -------
    list of (str, str)
    """
    dims = shown_dimensions(trace, show_all=show_all)
    left_out = left_out_text(trace, len(dims))
    of_dimensions = [_dimension_table(trace, d).html() for d in dims]
    sections = [
        ("The loss", _paragraph(_sentence(trace) + ".")),
        (
            "The gradient in each latent dimension",
            "\n".join([*([_paragraph(left_out)] if left_out else []), *of_dimensions]),
        ),
    ]
    if trace.average is not None:
        sections.append(("The gradient over many draws of eps", average_table(trace, dims).html()))
    sections.append(("One step of training", "\n".join(_paragraph(line) for line in closing(trace))))
    if show_all:
        sections.append(("All nodes", nodes_table(trace).html()))
    return sections


def average_table(trace: Trace, dims: list[int]) -> Table:
    """Return how the gradients of mu and log_var vary over draws of eps."""
    average = trace.average
    assert average is not None, "only called for a trace with an average"
    rows = []
    for d in dims:
        for name, mean, std, wrong in (
            ("mu", average.mu_mean, average.mu_std, average.mu_wrong_sign),
            ("log_var", average.log_var_mean, average.log_var_std, average.log_var_wrong_sign),
        ):
            from_kl = trace.node(name, d).from_kl
            rows.append(
                (
                    f"dim {d}: d_{name}",
                    signed(from_kl),
                    signed(mean[d] - from_kl),
                    signed(mean[d]),
                    f"{std[d]:.3f}",
                    f"{std[d] / np.sqrt(average.n):.3f}",
                    "-" if np.isnan(wrong[d]) else f"{wrong[d]:.0%}",
                )
            )
    header = (
        f"over {average.n:,} draws of eps",
        "from KL",
        "from recon.,\nmean",
        "both,\nmean",
        "standard\ndeviation",
        "std. error\nof mean",
        "wrong\nsign",
    )
    if not trace.reparameterized:
        note = (
            "Without the reparameterization no gradient of the reconstruction reaches mu and log_var, and "
            "the KL's part is the same for every draw."
        )
    else:
        note = (
            "Averaged is the gradient of the whole loss. The KL's part is the same for every draw of eps; "
            "the reconstruction's part varies, so one draw misleads. Wrong sign: the share of draws whose "
            "gradient has another sign than the mean; - if the mean is less than two standard errors from 0, "
            "because its sign is not known then. Training averages over images and steps."
        )
    return Table("", header, rows, note)


def nodes_table(trace: Trace) -> Table:
    """Return every node with its value and its gradient."""
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


def closing(trace: Trace) -> list[str]:
    """Return what one step of training does, why a cut path matters, and how well the gradients agree."""
    largest = max(abs(node.gradient - node.numeric) for node in trace.nodes)
    lines = [step_text(trace.step) + "."]
    if trace.kind == "VAE" and not trace.reparameterized:
        lines.append(
            "Without the reparameterization only the KL's part reaches mu and log_var: the encoder would "
            "learn N(0, I) for every image, and nothing about the images. With z = mu + std * eps the draw "
            "is eps, and z is an ordinary function of mu and log_var."
        )
    lines.append(f"Largest difference between a gradient and its finite difference: {largest:.1e}.")
    return lines


def pull_texts(trace: Trace, d: int) -> list[str]:
    """Say what pulls a latent dimension's mu and log_var, or its code."""
    if trace.kind == "AE":
        gradient = trace.node("code", d).gradient
        return [
            f"The reconstruction alone pulls the code {'down' if gradient > 0 else 'up'}: nothing pulls it "
            "towards 0."
        ]
    nodes = [trace.node(name, d) for name in ("mu", "log_var")]
    return [tug_of_war(node.name, node.from_reconstruction, node.from_kl) + "." for node in nodes]


def signed(value: float) -> str:
    """Write a gradient with its sign; a zero has a plus."""
    return f"{value + 0.0:+.3f}" if abs(value) < 1e4 else f"{value:+.4g}"


def _paragraph(text: str) -> str:
    return f"<p>{escaped(text)}</p>"


def _sentence(trace: Trace) -> str:
    if trace.kind == "AE":
        return f"AE: loss = reconstruction = {trace.loss:.4f} nats"
    return (
        f"VAE: loss = reconstruction {trace.reconstruction:.4f} + {trace.beta:g} * KL {trace.kl:.4f} = "
        f"{trace.loss:.4f} nats"
    )


def _dimension_table(trace: Trace, d: int) -> Table:
    names = ("z", "mu", "log_var") if trace.kind == "VAE" else ("code",)
    nodes = [trace.node(name, d) for name in names]
    rows = [
        ("value", *(f"{node.value:.4f}" for node in nodes)),
        ("gradient from the reconstruction", *(f"{node.from_reconstruction:+.4f}" for node in nodes)),
        ("gradient from the KL", *(f"{node.from_kl:+.4f}" for node in nodes)),
        ("gradient", *(f"{node.gradient:+.4f}" for node in nodes)),
        ("gradient by finite differences", *(f"{node.numeric:+.4f}" for node in nodes)),
        ("difference of the two", *(f"{abs(node.gradient - node.numeric):.0e}" for node in nodes)),
    ]
    return Table(f"Latent dimension {d}", (f"dim {d}", *names), rows, " ".join(pull_texts(trace, d)))


def _number(value: float) -> str:
    return f"{value + 0.0:.6f}" if abs(value) < 1e4 else f"{value:.5g}"


def tug_of_war(name: str, from_reconstruction: float, from_kl: float) -> str:
    """Say in words where the two parts of a gradient pull a number: gradient descent moves against them.

    Examples
    --------
    >>> tug_of_war("mu", 3.0, -0.6)
    'mu: the reconstruction pulls it down, the KL up, towards 0; the reconstruction pulls 5.0 times as hard'
    >>> tug_of_war("log_var", 0.0, -0.5)
    'log_var: the KL alone pulls it, up, towards 0'
    """
    of_reconstruction, of_kl = (
        "down" if gradient > 0 else "up" for gradient in (from_reconstruction, from_kl)
    )
    if from_reconstruction == 0 and from_kl == 0:
        return f"{name}: nothing pulls it"
    if from_reconstruction == 0:
        return f"{name}: the KL alone pulls it, {of_kl}, towards 0"
    if from_kl == 0:
        return f"{name}: the reconstruction alone pulls it, {of_reconstruction}"
    sizes = {"reconstruction": abs(from_reconstruction), "KL": abs(from_kl)}
    stronger, weaker = sorted(sizes, key=sizes.__getitem__, reverse=True)
    times = f"the {stronger} pulls {sizes[stronger] / sizes[weaker]:.1f} times as hard"
    if from_reconstruction * from_kl > 0:
        return f"{name}: both pull it {of_kl}, the KL towards 0; {times}"
    return f"{name}: the reconstruction pulls it {of_reconstruction}, the KL {of_kl}, towards 0; {times}"


def step_text(step: Step) -> str:
    """Say what one step of gradient descent did."""
    return (
        f"One step of gradient descent on this image with learning rate {step.learning_rate:g}: loss "
        f"{step.loss_before:.4f} -> {step.loss_after:.4f} nats "
        f"(change {step.loss_after - step.loss_before:+.4f}, to first order {step.expected_change:+.4f})"
    )
