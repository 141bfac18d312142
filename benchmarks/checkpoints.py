"""Keep the state of a training in a file, so that an interrupted one goes on from it to the same bits.

What it takes beside the parameters is the optimizer's vectors and count of steps, and randomness that needs
not be kept: each epoch draws from a generator made of the seed and the epoch's number.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from npvae.persistence import write_atomically
from npvae.training import Stepper


def write_state(path: Path, stepper: Stepper, figures: dict[str, Any]) -> None:
    """Write parameters, the optimizer's state and what else JSON can say to one .npz file."""
    arrays = {f"vector{i}": vector for i, vector in enumerate(stepper.state.vectors)}
    text = json.dumps(figures | {"t": stepper.state.t})
    write_atomically(path, lambda file: np.savez(file, params=stepper.params.flat, figures=text, **arrays))


def read_state(path: Path, stepper: Stepper) -> dict[str, Any]:
    """Fill a stepper made for the same network and optimizer; return the figures."""
    with np.load(path) as file:
        figures = json.loads(str(file["figures"]))
        stepper.params.flat[:], stepper.state.t = file["params"], figures.pop("t")
        for i, vector in enumerate(stepper.state.vectors):
            vector[:] = file[f"vector{i}"]
    return figures
