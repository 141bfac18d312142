"""Save the state of a training run, so that an interrupted run can be resumed with bit-identical results.

The file holds the parameters, the optimizer's vectors and its number of steps. It needs no random state:
each epoch draws from a generator seeded with the seed and the epoch's number.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from npvae.training import Stepper
from npvae.writing import write_atomically


def write_state(path: Path, stepper: Stepper, figures: dict[str, Any]) -> None:
    """Write parameters, the optimizer's state and what else JSON can say to one .npz file."""
    arrays: dict[str, Any] = {f"vector{i}": vector for i, vector in enumerate(stepper.state.vectors)}
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
