"""Putting the explorer together: one file from the page's sources, two models and images."""

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template

from npvae.data import Dataset
from npvae.estimators import VAE, Autoencoder
from npvae.view.page.contents import explorer_contents
from npvae.writing import write_text_atomically

SCRIPTS = (
    "engine.js",
    "random.js",
    "unpack.js",
    "state.js",
    "images.js",
    "plane.js",
    "draws.js",
    "steps.js",
    "codes.js",
    "posterior.js",
    "path.js",
    "graph.js",
    "log_variance.js",
    "training.js",
    "main.js",
)


def write_explorer(
    path: Path,
    autoencoder: Autoencoder,
    vae: VAE,
    dataset: Dataset,
    *,
    image_shape: tuple[int, int] | None = None,
) -> Path:
    """Write `explorer_page` to a file, which is replaced atomically if it exists; return its path."""
    write_text_atomically(path, explorer_page(autoencoder, vae, dataset, image_shape=image_shape))
    return path


def explorer_page(
    autoencoder: Autoencoder,
    vae: VAE,
    dataset: Dataset,
    *,
    image_shape: tuple[int, int] | None = None,
) -> str:
    """Return the explorer, one HTML page that opens from disk and makes no request.

    Parameters
    ----------
    autoencoder, vae : Autoencoder, VAE
        Fitted on the data set's features, with the same number of latent dimensions, at least 2.
    dataset : Dataset
        Images. Codes of at most 1,000 test images are shown; the training images teach the classifier that
        counts digits among draws.
    image_shape : (height, width), optional
        By default the data set's.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ValueError
        The models do not fit each other or the data, or the rows are not images.

    Notes
    -----
    The content security policy allows the page's own script and style sheet, by their hashes, and nothing
    else: no other code can run, and nothing can be loaded or sent.
    """
    description, arrays = explorer_contents(autoencoder, vae, dataset, image_shape)
    script, style = page_script(), _source("style.css")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src '{_hash_source(script)}'; style-src '{_hash_source(style)}'"
    )
    return Template(_source("page.html")).substitute(
        title=html.escape(f"npvae: an autoencoder and a VAE on {dataset.name}"),
        policy=policy,
        style=style,
        description=json.dumps(description, separators=(",", ":")).replace("<", "\\u003c"),
        arrays=arrays,
        script=script,
    )


class ExplorerFrame:
    """The explorer page as a notebook's output: a frame that shows the page when the cell is displayed.

    Attributes
    ----------
    page : str
        The page's HTML, as `explorer_page` returns it.
    height : int
        Height of the frame in pixels.
    """

    def __init__(self, page: str, height: int) -> None:
        self.page, self.height = page, height

    def _repr_html_(self) -> str:
        return (
            '<iframe title="npvae explorer" sandbox="allow-scripts" '
            f'style="width: 100%; height: {self.height}px; border: 0" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
        )


def explore(
    autoencoder: Autoencoder,
    vae: VAE,
    dataset: Dataset,
    *,
    image_shape: tuple[int, int] | None = None,
    height: int = 900,
) -> ExplorerFrame:
    """Show the explorer page of two models in a notebook.

    Parameters
    ----------
    autoencoder, vae, dataset, image_shape
        As for `explorer_page`, which also says what is raised.
    height : int
        Height of the frame in pixels.

    Returns
    -------
    ExplorerFrame
        Displayed when it is the last value of a cell.
    """
    return ExplorerFrame(explorer_page(autoencoder, vae, dataset, image_shape=image_shape), height)


def page_script() -> str:
    """Return the page's JavaScript: the files of `SCRIPTS` in one scope of their own."""
    parts = [f"// {name}\n{_source(name)}" for name in SCRIPTS]
    return '\n(() => {\n"use strict";\n\n' + "\n".join(parts) + "})();\n"


def _source(name: str) -> str:
    return files("npvae.view.page").joinpath(name).read_text(encoding="utf-8")


def _hash_source(text: str) -> str:
    """Return how a content security policy names an inline script or style sheet."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
