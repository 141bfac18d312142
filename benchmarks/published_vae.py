"""Reach the published loss of pytorch/examples' VAE on MNIST.

    python benchmarks/published_vae.py MNIST_FOLDER [--seeds 0 1 2] [--out FOLDER]

784-400-(20, 20)-400-784, relu, Bernoulli on grey pixels, Adam 1e-3, batch 128, 10 epochs. Published after 7
epochs: 107.63 nats on the training set and 106.66 on the test set. Grey pixels make this a cross-entropy, not
a likelihood of binary data: do not compare it with figures for binarised MNIST.

Prints a line for each seed and the mean; exits 1 if the mean is above 106.7. With --out, the models are
saved in FOLDER, and a model that is already there is not trained again.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from measuring import contents, write_json

import npvae
from npvae import VAE
from npvae.data import Dataset, load_dataset
from npvae.view.draw.save import save_figure
from npvae.view.draw.style import INK, MODEL_COLOURS, TEXT_SIZE, new_figure, open_frame, set_title

PUBLISHED_EPOCH, PUBLISHED, LIMIT = 7, {"train": 107.63, "test": 106.66}, 106.7
PICTURE = Path(__file__).parent / "pictures" / "published-vae.png"


def trained(seed: int, data: Dataset, folder: Path | None) -> VAE:
    """Return the model of a seed, from its file where there is one."""
    path = folder / f"seed{seed}.safetensors" if folder else None
    if path and path.exists():
        return npvae.load(path)
    vae = VAE(20, likelihood="bernoulli", max_epochs=10, tol=None, random_state=seed, verbose=1)
    vae.fit(data.X_train, X_val=data.X_test)
    if path:
        vae.save(path)
    return vae


def draw(models: list[VAE], path: Path) -> None:
    """Draw the losses of every seed over the epochs, and the published ones."""
    figure = new_figure(12, 6.75)
    ax = figure.add_subplot()
    names = {"train": ("loss", "--"), "test": ("validation_loss", "-")}
    for (part, (name, style)), colour in zip(names.items(), MODEL_COLOURS, strict=False):
        for i, vae in enumerate(models):
            losses = vae.history_[name]
            label = f"npvae, {part}, {len(models)} seeds" if i == 0 else None
            ax.plot(range(1, len(losses) + 1), losses, style, color=colour, linewidth=2, label=label)
        ax.plot(
            PUBLISHED_EPOCH, PUBLISHED[part], "o", color=colour, markersize=11, markeredgecolor="white",
            label=f"pytorch/examples, {part}: {PUBLISHED[part]}",
        )  # fmt: skip
    ax.set_ylim(104, 125)
    ax.set_xlabel("epoch", fontsize=TEXT_SIZE, color=INK)
    ax.set_ylabel("loss, nats per image", fontsize=TEXT_SIZE, color=INK)
    ax.legend(frameon=False, fontsize=TEXT_SIZE)
    open_frame(ax)
    set_title(ax, "The VAE of pytorch/examples on MNIST", "784-400-20-400-784, grey pixels")
    save_figure(figure, path)


def main() -> int:
    """Train what is missing, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a folder with MNIST")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep models here; go on from them")
    parser.add_argument("--picture", type=Path, default=PICTURE, help=f"default: pictures/{PICTURE.name}")
    args = parser.parse_args()
    data = load_dataset(args.data)
    models = [trained(seed, data, args.out) for seed in args.seeds]
    losses = [-vae.score(data.X_test) for vae in models]
    for seed, vae, loss in zip(args.seeds, models, losses, strict=True):
        history = vae.history_
        print(
            f"seed {seed}: test {loss:.2f}, train {history['loss'][-1]:.2f} "
            f"({history['reconstruction'][-1]:.2f} + {history['kl'][-1]:.2f}) nats, "
            f"{np.median(history['seconds']):.2f} s an epoch"
        )
    mean = float(np.mean(losses))
    print(f"mean test loss {mean:.2f} nats; published {PUBLISHED['test']} after {PUBLISHED_EPOCH} epochs")
    if args.out:
        write_json(args.out / "published_vae.json", contents("published_vae", test=losses, mean=mean))
    draw(models, args.picture)
    return 0 if mean <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
