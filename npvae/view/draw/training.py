"""The result of a training in one picture: the loss, epoch by epoch, and samples beside it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from npvae.view.draw.images import draw_image_grid
from npvae.view.draw.style import MODEL_COLOURS, TEXT_SIZE, new_figure, open_frame, set_title
from npvae.view.draw.tiles import ImageShape


def draw_training(losses: Sequence[float], samples: np.ndarray, image_shape: ImageShape) -> Figure:
    """Draw the losses, in nats per image, and samples of the trained model.

    Parameters
    ----------
    losses : sequence of float
        After each epoch.
    samples : (n, D) array
    image_shape : (height, width) or None

    Returns
    -------
    Figure
    """
    figure = new_figure(12, 5.6)
    left, right = figure.subplots(1, 2)
    left.plot(range(1, len(losses) + 1), losses, color=MODEL_COLOURS[0], linewidth=2)
    left.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    left.set_xlabel("epoch", fontsize=TEXT_SIZE)
    left.set_ylabel("negative ELBO, nats per image", fontsize=TEXT_SIZE)
    open_frame(left)
    set_title(left, f"Loss on test images: {losses[-1]:.1f}")
    draw_image_grid(samples, image_shape, title="Samples: z ~ N(0, I), decoded", ax=right)
    return figure
