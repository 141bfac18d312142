"""Repeat figure 2 of Kingma & Welling (2014): the lower bound on MNIST for five numbers of latent dimensions.

    python benchmarks/kingma_welling.py DATA [--samples 1e7] [--sizes 3 5 10 20 200] [--out FOLDER]

As in the paper: 500 tanh units in encoder and decoder, a Bernoulli decoder, minibatches of 100, one draw of
z, the prior N(0, I) on the parameters as weight decay, and Adagrad with the step size of 0.01, 0.02 and 0.1
that has the best bound on training images after 3 epochs. The paper goes to 1e8 training samples.

Where the paper is ambiguous: it draws all parameters from N(0, 0.01). This is read as a variance of 0.01,
because the paper writes N(mean, variance) elsewhere; a standard deviation of 0.01, as in the re-run by van
Amersfoort & Fabius (github.com/y0ast/Variational-Autoencoder), starts much more slowly. As there, the pixels
are grey values taken as probabilities, so the bound is minus a cross-entropy, not to be compared with that on
binarised images (--binarize static). Bounds are taken on the first 10,000 training images and on the test
images, with the same draws of z every time.

With --out, the state of every size is saved in FOLDER as NZ.npz after each epoch, and an interrupted run
resumes from it bit for bit; all figures are in kingma_welling.json. Exits 1 if a size overfits: if its
bound on the test images ends more than 1 nat below its best.
"""

import argparse
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from checkpoints import read_state, write_state
from measuring import contents, described, write_json
from tqdm import tqdm

from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import Dataset, load_dataset
from npvae.training import Adagrad, Stepper, TrainingDivergedError, TrainingSettings, train
from npvae.training.loop import validation_loss
from npvae.training.optimizers import OptimizerState
from npvae.view.draw.save import save_figure
from npvae.view.draw.style import CLASS_COLOURS, INK, TEXT_SIZE, new_figure, open_frame, set_title

PICTURE = Path(__file__).parent / "pictures" / "kingma-welling.png"
# Ends of the test curves after 1e8 samples, read off the figure, from memory.
PAPER = {3: "-125 to -130", 5: "about -115", 10: "about -105", 20: "about -100", 200: "about -100"}
COLOURS = dict(zip(PAPER, [CLASS_COLOURS[i] for i in (2, 6, 4, 0, 8)], strict=True))
STEP_SIZES, TRIAL_EPOCHS = (0.01, 0.02, 0.1), 3
DUE = {round(10 ** (k / 10)) for k in range(50)}  # epochs after which bounds are taken, evenly on a log axis


@dataclass(frozen=True)
class AdagradWithPrior(Adagrad):
    """Adagrad on the loss and the parameters' prior N(0, I), of which each sample carries 1 / n_train."""

    n_train: int = 1

    def update(
        self, theta: np.ndarray, gradient: np.ndarray, state: OptimizerState, learning_rate: float
    ) -> None:
        """Take one step in place."""
        super().update(theta, gradient + theta / self.n_train, state, learning_rate)


@dataclass
class Run:
    """Training with one number of latent dimensions: the state and the bounds so far."""

    size: int
    step_size: float
    data: Dataset
    epochs: int = 0
    minutes: float = 0.0
    bounds: dict[str, list[float]] = field(default_factory=lambda: {"samples": [], "train": [], "test": []})

    def __post_init__(self) -> None:
        n_train, n_features = self.data.X_train.shape
        shape = {"n_features": n_features, "latent_dim": self.size, "hidden": (500,)}
        network = VAENetwork(**shape, activation="tanh", likelihood="bernoulli")
        params, rng = Parameters(network.shapes()), self.generator()
        params.flat[:] = np.sqrt(0.01) * rng.standard_normal(params.flat.size)
        self.stepper = Stepper(network, params, AdagradWithPrior(n_train=n_train), rng)

    def generator(self) -> np.random.Generator:
        """Return the next epoch's source of randomness: one that needs not be stored to go on."""
        return np.random.default_rng((self.size, self.epochs))

    def train_to(self, last: int) -> None:
        """Train for one epoch and take the bounds, if they are due."""
        started = time.perf_counter()
        self.epochs += 1
        self.stepper.rng = rng = self.generator()
        settings = TrainingSettings(learning_rate=self.step_size, batch_size=100, max_epochs=1)
        training = train(self.stepper, self.data.X_train, settings, rng)
        if training.stop_reason == "interrupted":
            raise KeyboardInterrupt
        if self.epochs in DUE or self.epochs == last:
            network, params = self.stepper.network, self.stepper.params
            self.bounds["samples"].append(self.epochs * len(self.data.X_train))
            for name, X in (("train", self.data.X_train[:10_000]), ("test", self.data.X_test)):
                self.bounds[name].append(-validation_loss(network, params, X))
        self.minutes += (time.perf_counter() - started) / 60

    def figures(self) -> dict[str, Any]:
        """Return all that is not an array."""
        return {k: getattr(self, k) for k in ("size", "step_size", "epochs", "minutes", "bounds")}

    @classmethod
    def kept(cls, path: Path, size: int, data: Dataset) -> "Run":
        """Read a run from a file that `write_state` wrote."""
        run = cls(size, 0.0, data)
        for name, value in read_state(path, run.stepper).items():
            setattr(run, name, value)
        return run


def begin(size: int, data: Dataset) -> Run:
    """Train for a few epochs with each step size; return the run with the best bound on training images."""
    runs = []
    for step_size in STEP_SIZES:
        run = Run(size, step_size, data)
        with suppress(TrainingDivergedError):
            for _ in range(TRIAL_EPOCHS):
                run.train_to(TRIAL_EPOCHS)
            runs.append(run)
    return max(runs, key=lambda run: run.bounds["train"][-1])


def trained(size: int, data: Dataset, last: int, folder: Path | None) -> Run:
    """Return a run of at least `last` epochs, going on from the file that is there."""
    path = folder / f"{size}.npz" if folder else None
    run = Run.kept(path, size, data) if path and path.exists() else begin(size, data)
    bar = tqdm(range(run.epochs, last), f"Nz = {size}", last, initial=run.epochs, mininterval=10)
    for _ in bar:
        run.train_to(last)
        if path:
            write_state(path, run.stepper, run.figures())
        bar.set_postfix_str(f"train {run.bounds['train'][-1]:.2f}, test {run.bounds['test'][-1]:.2f}")
    return run


def show(runs: list[dict[str, Any]]) -> bool:
    """Print the bounds at the end beside the paper's; return whether no size overfits."""
    print("   Nz  step   samples    train     test  best test  minutes  paper, test, 1e8 samples (read off)")
    for run in runs:
        samples, train, test = (values[-1] for values in run["bounds"].values())
        print(
            f"{run['size']:5}  {run['step_size']:<4}  {samples:8.2g}  {train:7.2f}  {test:7.2f}  "
            f"{max(run['bounds']['test']):9.2f}  {run['minutes']:7.1f}  {PAPER.get(run['size'], '-')}"
        )
    return all(max(run["bounds"]["test"]) - run["bounds"]["test"][-1] < 1 for run in runs)


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw the bounds over the samples seen, a colour for each size, training images dashed."""
    figure = new_figure(12, 6.75)
    ax = figure.add_subplot()
    for run in runs:
        (samples, train, test), colour = run["bounds"].values(), COLOURS.get(run["size"], INK)
        ax.semilogx(samples, train, "--", color=colour, linewidth=1.8)
        ax.semilogx(samples, test, "-", color=colour, linewidth=2.5, label=f"$N_z$ = {run['size']}")
    ax.plot([], [], "--", color=INK, label="training images")
    ax.plot([], [], "-", color=INK, label="test images")
    ax.legend(loc="lower right", frameon=False, fontsize=TEXT_SIZE)
    ax.set_xlabel("training samples seen", fontsize=TEXT_SIZE, color=INK)
    ax.set_ylabel("lower bound, nats per image", fontsize=TEXT_SIZE, color=INK)
    ax.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
    open_frame(ax)
    set_title(ax, "Superfluous latent dimensions do not overfit", "VAEs on MNIST, as Kingma & Welling (2014)")
    save_figure(figure, path)


def main() -> int:
    """Train what is missing, write, print, draw."""
    parser = argparse.ArgumentParser(description="Repeat figure 2 of Kingma & Welling (2014).")
    parser.add_argument("data", help="a folder with MNIST, or what else load_dataset takes")
    parser.add_argument("--samples", type=float, default=1e7, help="training samples to see; default: 1e7")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(PAPER), metavar="NZ")
    parser.add_argument("--binarize", choices=["grey", "static"], default="grey", help="default: grey")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep states here; go on from them")
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default: pictures/{PICTURE.name}")
    args = parser.parse_args()
    data = load_dataset(args.data, binarize=args.binarize)
    last = max(int(np.ceil(args.samples / len(data.X_train))), TRIAL_EPOCHS)
    folder = args.out / args.binarize if args.out else None
    runs = [trained(size, data, last, folder).figures() for size in args.sizes]
    content = contents("kingma_welling", data=args.binarize, runs=runs)
    write_json(folder / "kingma_welling.json" if folder else None, content)
    print(described(content["machine"]))
    draw(runs, args.picture)
    return 0 if show(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
