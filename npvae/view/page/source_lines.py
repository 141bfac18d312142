"""The lines of npvae that compute the nodes of the explorer's gradient path, with file and line number."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import npvae.core
from npvae.core import gaussian, vae

# The node, the function, and how the line begins. A test asserts that every line is found.
_LINES: dict[str, tuple[Callable[..., Any], str]] = {
    "mu": (vae.VAENetwork.encoder_forward, "mu, mu_cache ="),
    "log_var": (vae.VAENetwork.encoder_forward, "log_var, log_var_cache ="),
    "std": (gaussian.reparameterize_forward, "std ="),
    "z": (gaussian.reparameterize_forward, "z ="),
    "reconstruction": (vae.VAENetwork.forward, "reconstruction, likelihood_cache ="),
    "kl": (gaussian.kl_forward, "kl ="),
    "loss": (vae.VAENetwork._loss, "total ="),
    "z_backward": (gaussian.reparameterize_backward, "return dz.copy()"),
    "kl_backward": (gaussian.kl_backward, "return d_kl * mu"),
    "decoder_backward": (vae.VAENetwork.backward, "dz ="),
    "joined": (vae.VAENetwork.backward, "self.encoder_backward("),
}


def source_lines() -> dict[str, dict[str, str]]:
    """Return, for each node, ``{"where": "npvae/core/gaussian.py, line 33", "code": "z = mu + std * eps"}``.

    Raises
    ------
    LookupError
        A function no longer has the line.
    """
    return {node: _find(function, start) for node, (function, start) in _LINES.items()}


def _find(function: Callable[..., Any], start: str) -> dict[str, str]:
    lines, first = inspect.getsourcelines(function)
    root = Path(npvae.core.__file__).parent.parent.parent
    file = Path(inspect.getsourcefile(function) or "").relative_to(root).as_posix()
    for number, line in enumerate(lines, first):
        if line.strip().startswith(start):
            code = line.partition("  #")[0].strip()
            return {"where": f"{file}, line {number}", "code": code}
    raise LookupError(f"{file}: {function.__qualname__} has no line that starts with {start!r}")
