"""What tests of data-parallel training run under mpirun: ``ranks_program.py CASE FOLDER``.

Every rank writes what it found to FOLDER/rank<R>.json.
"""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

from npvae import VAE, Autoencoder
from npvae.training import Stepper, TrainingDivergedError
from npvae.training.parallel import ParallelError

RANK = int(os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK", "0")))


def tables():
    """201 rows: with batches of 40 the last one has a single row, fewer than there are ranks."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((201, 3)) @ rng.standard_normal((3, 12)) + 0.3 * rng.standard_normal((201, 12))
    return X.astype(np.float32), (255 / (1 + np.exp(-X))).astype(np.uint8)


def settings(**changes):
    return {"hidden": (16,), "batch_size": 40, "max_epochs": 6, "tol": None, "random_state": 0} | changes


def fit_all():
    """Return the models that are compared with those of one process, by name."""
    X, pixels = tables()
    early = settings(early_stopping=True, n_iter_no_change=2, max_epochs=60, learning_rate=0.02)
    return {
        "gaussian": VAE(2, **settings()).fit(X),
        "again": VAE(2, **settings()).fit(X),
        "clipped": VAE(2, **settings(max_grad_norm=2.0, kl_warmup_epochs=3)).fit(X),
        "autoencoder": Autoencoder(2, **settings()).fit(X),
        "early stopping": VAE(2, **early).fit(X),
        "binarised": VAE(
            2, likelihood="bernoulli", dynamic_binarization=True, objective="iwae", n_draws=3, **settings()
        ).fit(pixels, X_val=pixels[:50]),
        "settled": VAE(2, **settings(tol=0.05, n_iter_no_change=1, max_epochs=200)).fit(X),
        "continued": VAE(2, warm_start=True, **settings(max_epochs=3)).fit(X).fit(X),
        "partial_fit": VAE(2, **settings()).partial_fit(X[:100]).partial_fit(X[100:]),
    }


LONG = VAE(2, **settings(max_epochs=30))


def described(model):
    history = {name: values for name, values in model.history_.items() if name != "seconds"}
    return {
        "bits": model.params_.flat.tobytes().hex(),
        "history": history,
        "stop_reason": model.stop_reason_,
        "best_epoch": model.best_epoch_,
    }


def agree(folder):
    X, _ = tables()
    models = {name: described(model) for name, model in fit_all().items()}
    called = []

    def third_is_last(state):
        called.append(state.epoch)
        return state.epoch == 2

    models["callback"] = described(VAE(2, **settings()).fit(X, callbacks=[third_is_last]))
    models["no seed"] = described(VAE(2, **settings(random_state=None, early_stopping=True)).fit(X))
    errors = []
    for kind, train in [
        (ParallelError, lambda: VAE(2, **settings()).fit(X + RANK)),
        (ParallelError, lambda: VAE(2, **settings(random_state=RANK)).fit(X)),
        (TrainingDivergedError, lambda: VAE(2, **settings(learning_rate=1e6, optimizer="sgd")).fit(X)),
    ]:
        try:
            train()
        except kind as error:
            errors.append(str(error))
    child = "from npvae.training.parallel import n_launched; print(n_launched())"
    n_launched = int(subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE, check=True).stdout)
    return {"models": models, "called": called, "errors": errors, "child": n_launched}


WAYS_TO_END = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "raise": None}


def fail(folder, how):
    """Train with a checkpoint; at the 20th step of rank 1, of six in an epoch, something happens to it."""
    step, n_steps = Stepper.step, []

    def failing(self, *arguments):
        n_steps.append(1)
        if RANK == 1 and len(n_steps) == 20:
            if WAYS_TO_END[how] is None:
                raise MemoryError("no memory on this rank")
            os.kill(os.getpid(), WAYS_TO_END[how])
        return step(self, *arguments)

    Stepper.step = failing
    return described(LONG.fit(tables()[0], checkpoint=folder / f"{how}.checkpoint"))


def resume(folder):
    """Resume what failed, and train without an interruption."""
    X, _ = tables()
    resumed = {how: described(VAE.resume(folder / f"{how}.checkpoint", X)) for how in WAYS_TO_END}
    return resumed | {"unbroken": described(LONG.fit(X))}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    case, folder = sys.argv[1], Path(sys.argv[2])
    name, *options = case.split("-")
    found = {"agree": agree, "fail": fail, "resume": resume}[name](folder, *options)
    (folder / f"rank{RANK}.json").write_text(json.dumps(found))
