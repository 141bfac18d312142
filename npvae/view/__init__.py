"""Pictures of trained models, drawn with matplotlib.

A function that draws one panel takes `ax` and returns it; one that draws several takes `figure` (a Figure or
SubFigure, preferably with constrained layout) and returns a tuple of Axes. Without these arguments they make
a new figure, available as ``ax.figure``, outside of pyplot: no display is needed, nothing has to be closed,
and no global setting is changed. `save_figure` writes it to a file. `explore` shows the explorer page of two
models in a notebook.
"""

from npvae.view.draw.history import draw_history
from npvae.view.draw.images import draw_image_grid, draw_image_rows, draw_samples
from npvae.view.draw.interpolation import draw_interpolation
from npvae.view.draw.latent import (
    describe_spread,
    draw_latent_codes,
    draw_latent_comparison,
    draw_latent_histograms,
)
from npvae.view.draw.latent_point import draw_latent_point
from npvae.view.draw.nearest import draw_nearest
from npvae.view.draw.plane import draw_decoded_plane
from npvae.view.draw.save import save_figure
from npvae.view.draw.trace import draw_trace
from npvae.view.draw.traversal import draw_traversal
from npvae.view.page.export import explore

__all__ = [
    "describe_spread",
    "draw_decoded_plane",
    "draw_history",
    "draw_image_grid",
    "draw_image_rows",
    "draw_interpolation",
    "draw_latent_codes",
    "draw_latent_comparison",
    "draw_latent_histograms",
    "draw_latent_point",
    "draw_nearest",
    "draw_samples",
    "draw_trace",
    "draw_traversal",
    "explore",
    "save_figure",
]
