"""Grey images in a terminal: half-block characters show two pixels, one above the other, in each cell."""

import numpy as np

_CHARACTERS = np.array([" ", "\u2580", "\u2584", "\u2588"])  # none, the upper, the lower, both
_GREYS = 23  # steps of the grey ramp 232 .. 255 of 256-colour terminals


def half_blocks(
    image: np.ndarray, *, colours: bool = False, low: float = 0.0, high: float = 1.0
) -> list[str]:
    """Return the lines of an image.

    Parameters
    ----------
    image : (H, W) array
    colours : bool
        Grey levels by escape sequences of 256-colour terminals; without them a pixel is black or white.
    low, high : float
        Values drawn black and white.

    Returns
    -------
    list of str
        ceil(H / 2) lines of W visible characters.

    Examples
    --------
    >>> half_blocks(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]))
    ['\u2588\u2584', '\u2580 ']
    """
    levels = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
    if len(levels) % 2:
        levels = np.concatenate([levels, np.zeros((1, levels.shape[1]))])
    upper, lower = levels[::2], levels[1::2]
    if not colours:
        return ["".join(line) for line in _CHARACTERS[(upper >= 0.5) + 2 * (lower >= 0.5)]]
    greys = (232 + np.round(_GREYS * np.stack([upper, lower], axis=-1))).astype(int)
    return [
        "".join(f"\x1b[38;5;{top};48;5;{bottom}m\u2580" for top, bottom in line) + "\x1b[0m" for line in greys
    ]


def side_by_side(
    images: dict[str, np.ndarray], *, colours: bool = False, low: float = 0.0, high: float = 1.0
) -> str:
    """Return images of one shape beside each other, each below its name.

    Parameters
    ----------
    images : dict from a name to (H, W) array
        Images narrower than 16 pixels are shown twice as large.
    colours, low, high
        As for `half_blocks`.
    """
    columns, width = [], 0
    for image in images.values():
        zoom = 2 if image.shape[1] < 16 else 1
        enlarged = np.kron(image, np.ones((zoom, zoom)))
        width = max(enlarged.shape[1], *(len(name) for name in images))
        pad = " " * (width - enlarged.shape[1])
        columns.append([line + pad for line in half_blocks(enlarged, colours=colours, low=low, high=high)])
    lines = [
        "   ".join(name.ljust(width) for name in images),
        *("   ".join(line) for line in zip(*columns, strict=True)),
    ]
    return "\n".join(line.rstrip() for line in lines)
