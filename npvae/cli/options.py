"""Options that several commands have, and what they mean."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from npvae.data import Dataset
    from npvae.estimators import VAE, Autoencoder

LARGE = 10_000  # training images from which on 10 epochs of batches of 128 are enough


MOST_SEEDS = 10_000
LARGEST_SEED = 2**32 - 1 - MOST_SEEDS  # scikit-learn takes seeds below 2^32


def at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a type for argparse: integers from `least` on, or up to `most`."""
    wanted = f"of at least {least}" if most is None else f"from {least} to {most}"

    def integer(text: str) -> int:
        if not text.lstrip("+-").isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"must be an integer {wanted}, got {text!r}")
        return int(text)

    return integer


def add_model_file(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, the file of a fitted model."""
    parser.add_argument("model", metavar="MODEL", help="a model file")


def add_picture_options(parser: argparse.ArgumentParser, *, with_data: bool = True) -> None:
    """Add --out, for a picture or an array, and --image-shape."""
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write: .png or .npy")
    parser.add_argument(
        "--image-shape",
        type=at_least(1),
        nargs=2,
        metavar=("H", "W"),
        help="height and width in pixels (default: "
        + ("those of the data)" if with_data else "a square, if possible)"),
    )


def add_seed_option(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add --seed; that of the data's split is --split-seed."""
    parser.add_argument(
        "--seed",
        type=at_least(0, LARGEST_SEED),
        default=0,
        help="seed of all random numbers except the split of the data (default: 0)",
    )


def add_data_options(parser: argparse.ArgumentParser, *, training: bool = False) -> None:
    """Add --data, --binarize and --split-seed; dynamic binarisation is for training."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        default="digits",
        metavar="WHAT",
        help="digits (1797 images of 8 x 8, part of scikit-learn; the default); a .csv file of numbers, with "
        "or without a header line; a .npy or .npz file; a folder of PNG or JPEG images of one size, or of "
        "such folders, one for each class; a folder with X_train.npy and X_test.npy; a folder of MNIST-like "
        "IDX files (plain or .gz); or openml:mnist",
    )
    group.add_argument(
        "--binarize",
        choices=["grey", "static", "dynamic"] if training else ["grey", "static"],
        default="grey",
        help="keep grey pixels (default), or draw each pixel black or white once (static)"
        + (", or redraw the training pixels in every batch (dynamic)" if training else ""),
    )
    group.add_argument(
        "--split-seed",
        type=at_least(0, LARGEST_SEED),
        default=0,
        metavar="SEED",
        help="seed of the split into training and test samples, and of --binarize static (default: 0); data "
        "that come in two parts are not split",
    )


def add_part_option(parser: argparse.ArgumentParser) -> None:
    """Add --part, for commands that go through the samples one by one."""
    parser.add_argument(
        "--part",
        choices=["all", "train", "test"],
        help="samples to use. Default: all for a single file or a folder of images, in stored order; "
        "test for digits and for data that come in two parts. There, all means the training samples, then "
        "the test samples (for digits: scikit-learn's order)",
    )


#: Settings by name, as `--preset` sets them.
PRESETS: dict[str, dict[str, Any]] = {
    # STAT453 (Raschka 2021), L17/1_VAE_mnist_sigmoid_mse.ipynb. The squared error summed over pixels is the
    # Gaussian likelihood with noise variance 1/2, up to a constant. Its convolutional layers are dense here.
    "stat453": {
        "latent_dim": 2,
        "activation": "leaky_relu",
        "likelihood": "gaussian",
        "noise_variance": "0.5",
        "optimizer": "adam",
        "learning_rate": 5e-4,
        "batch_size": 256,
        "epochs": 50,
    }
}


class _Preset(argparse.Action):
    """Set the options of a preset, as if they were written in its place."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, value: Any, option: Any = None) -> None:
        for name, setting in PRESETS[value].items():
            several = isinstance(getattr(namespace, name), list)
            setattr(namespace, name, [setting] if several else setting)


def add_model_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options of architecture and training; with `several`, --latent-dim takes a list."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--preset",
        action=_Preset,
        choices=list(PRESETS),
        default=argparse.SUPPRESS,
        help="stat453: as the course STAT453 trains on MNIST, but dense layers: summed squared error, 2 "
        "latent dimensions, leaky_relu, Adam at 0.0005, 50 epochs in batches of 256; later options change it",
    )
    if several:
        group.add_argument(
            "--latent-dim",
            type=int,
            nargs="+",
            default=[2, 10],
            metavar="Z",
            help="latent dimensions (default: 2 10)",
        )
    else:
        group.add_argument(
            "--latent-dim", type=int, default=2, metavar="Z", help="latent dimensions (default: 2)"
        )
    group.add_argument(
        "--hidden",
        type=int,
        nargs="*",
        default=[400],
        metavar="H",
        help="widths of the encoder's hidden layers, mirrored by the decoder (default: 400; no number: a "
        "linear model)",
    )
    group.add_argument(
        "--activation", default="relu", help="relu (default), leaky_relu, tanh, sigmoid, softplus or identity"
    )
    group.add_argument(
        "--likelihood",
        choices=["bernoulli", "gaussian"],
        help="distribution of the decoder's output (default: bernoulli for data in [0, 1], otherwise "
        "gaussian)",
    )
    group.add_argument(
        "--noise-variance",
        default="learned",
        metavar="V",
        help='variance of the gaussian likelihood: "learned" (default) or a number',
    )
    group.add_argument("--beta", type=float, default=1.0, help="weight of the VAE's KL term (default: 1)")
    group.add_argument(
        "--free-bits",
        type=float,
        default=0.0,
        metavar="NATS",
        help="nats of each latent dimension's KL, averaged over the batch, that cost nothing: against "
        "posterior collapse (default: 0). Only for the ELBO with one draw; training is slower, as it does "
        "not use the compiled step",
    )
    group.add_argument(
        "--objective",
        choices=["elbo", "iwae"],
        default="elbo",
        help="what the VAE maximises: the ELBO (default) or the importance-weighted bound of --draws draws",
    )
    group.add_argument(
        "--draws",
        type=at_least(1),
        metavar="K",
        help="draws of z per image and step (default: 1 for elbo, 5 for iwae)",
    )
    group = parser.add_argument_group("training")
    group.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help=f"epochs (default: 10 for {LARGE:,} or more training images, otherwise 100)",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=f"images per step (default: 128 for {LARGE:,} or more training images, otherwise 32)",
    )
    group.add_argument("--learning-rate", type=float, default=1e-3, metavar="RATE", help="default: 0.001")
    group.add_argument(
        "--optimizer", choices=["adam", "adagrad", "sgd"], default="adam", help="default: adam"
    )
    group.add_argument(
        "--max-grad-norm",
        type=float,
        metavar="NORM",
        help="scale gradients with a larger norm down to it (default: never)",
    )
    group.add_argument(
        "--kl-warmup-epochs",
        type=int,
        default=0,
        metavar="N",
        help="raise the weight of the KL term over N epochs (default: 0)",
    )
    group.add_argument(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="threads (default: one per core); the results do not depend on it",
    )
    add_seed_option(group)


def make_estimator(kind: str, args: argparse.Namespace, data: "Dataset") -> "VAE | Autoencoder":
    """Return an unfitted "vae" or "ae" with the settings of the command line.

    Parameters
    ----------
    kind : {"vae", "ae"}
    args : Namespace
    data : Dataset
        Its size decides the defaults of --epochs and --batch-size.

    Raises
    ------
    ValueError
        A setting is out of its range.
    """
    import numpy as np

    from npvae.estimators import VAE, Autoencoder

    large = len(data.X_train) >= LARGE
    low, high = data.value_range
    in_unit_interval = data.X_train.dtype == np.uint8 or (low >= 0 and high <= 1)
    settings: dict[str, Any] = {
        "latent_dim": args.latent_dim,
        "hidden": tuple(args.hidden),
        "activation": args.activation,
        "likelihood": args.likelihood or ("bernoulli" if in_unit_interval else "gaussian"),
        "noise_variance": _noise_variance(args.noise_variance),
        "optimizer": args.optimizer,
        "learning_rate": args.learning_rate,
        "max_grad_norm": args.max_grad_norm,
        "batch_size": args.batch_size if args.batch_size is not None else (128 if large else 32),
        "max_epochs": args.epochs if args.epochs is not None else (10 if large else 100),
        "tol": None,  # this many, so that models can be compared
        "dynamic_binarization": args.binarize == "dynamic",
        "n_threads": args.threads,
        "random_state": args.seed,
        "verbose": 1,
    }
    model: VAE | Autoencoder
    if kind == "ae":
        model = Autoencoder(**settings)
    else:
        model = VAE(
            **settings,
            beta=args.beta,
            kl_warmup_epochs=args.kl_warmup_epochs,
            free_bits=args.free_bits,
            objective=args.objective,
            n_draws=args.draws if args.draws is not None else (5 if args.objective == "iwae" else 1),
        )
    model.check_settings(data.X_train.shape[1])
    if args.likelihood == "bernoulli" and not in_unit_interval:
        raise ValueError(
            f"{data.name} has values from {low:g} to {high:g}, but --likelihood bernoulli is for data in "
            "[0, 1]; take --likelihood gaussian, or scale the data"
        )
    return model


def _noise_variance(text: str) -> "float | Literal['learned']":
    if text == "learned":
        return "learned"
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'--noise-variance must be a number or "learned", got {text!r}') from None


def image_shape(
    args: argparse.Namespace, n_features: int, of_data: tuple[int, int] | None = None
) -> tuple[int, int] | None:
    """Return (height, width): of --image-shape, else of the data, else a square if the width allows it.

    Raises
    ------
    ValueError
        The shape does not have `n_features` pixels.
    """
    given = args.image_shape or of_data
    if given is not None:
        height, width = given
        if height * width != n_features:
            raise ValueError(f"--image-shape {height} {width} is {height * width} pixels, not {n_features}")
        return height, width
    side = round(n_features**0.5)
    return (side, side) if side * side == n_features else None
