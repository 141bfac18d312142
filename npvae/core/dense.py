"""The dense layer: y = x W + b."""

from typing import Any, NamedTuple

import numpy as np

from npvae.kernels import product


class DenseCache(NamedTuple):
    """What the backward pass needs: the layer's input and its weights."""

    x: np.ndarray  # (N, I)
    W: np.ndarray  # (I, O)


def dense_forward(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, DenseCache]:
    """Compute the affine map y = x W + b, one row for each sample.

    Parameters
    ----------
    x : (N, I) array
    W : (I, O) array
    b : (O,) array

    Returns
    -------
    y : (N, O) array
    cache : DenseCache
    """
    y = product(x, W, b)  # x @ W + b, (N, O)
    return y, DenseCache(x, W)


def dense_backward(
    dy: np.ndarray,
    cache: DenseCache,
    *,
    out: tuple[np.ndarray, np.ndarray] | None = None,
    need_dx: bool = True,
) -> tuple[Any, np.ndarray, np.ndarray]:
    r"""Carry dL/dy back to the input, the weights and the bias.

    Parameters
    ----------
    dy : (N, O) array
    cache : DenseCache
    out : (dW, db), optional
        Arrays to write the parameters' gradients into. They are overwritten,
        never added to.
    need_dx : bool, default=True
        False leaves dx out (None): a first layer's input is data.

    Returns
    -------
    dx : (N, I) array or None
    dW : (I, O) array
    db : (O,) array

    Notes
    -----
    In coordinates y_no = sum_i x_ni W_io + b_o. By the chain rule

        dL/dx_ni = sum_o dL/dy_no dy_no/dx_ni = sum_o dy_no W_io     dx = dy W^T
        dL/dW_io = sum_n dL/dy_no dy_no/dW_io = sum_n x_ni dy_no     dW = x^T dy
        dL/db_o  = sum_n dL/dy_no                                    db = the column sums of dy

    Every sample uses the same W and b, so their gradients sum over n; dx has
    a row for each sample. The shapes leave no other way to multiply.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Learning representations by
    back-propagating errors, equations 4 to 7.
    """
    x, W = cache
    dW, db = out if out is not None else (None, None)
    dW = product(x.T, dy, out=dW)  # x^T @ dy, (I, O)
    db = dy.sum(axis=0, out=db)  # (O,)
    dx = product(dy, W.T) if need_dx else None  # dy @ W^T, (N, I)
    return dx, dW, db
