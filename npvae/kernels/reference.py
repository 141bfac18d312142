"""The hot loops in NumPy: the specification of ``compiled.py``.

Every function here has a numba twin of the same name and signature. These
run on any floating type, complex and longdouble included, and on any memory
layout. NaN stays NaN in all of them.
"""

import numpy as np

from npvae.kernels.subnormal import negligible


def product(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """Return a @ b + bias, or a @ b without a bias.

    Parameters
    ----------
    a, b : (N, K) and (K, M) arrays
    bias : (M,) array, optional
    out : (N, M) array, optional
        Overwritten and returned; may not overlap the others.

    Raises
    ------
    ValueError
        The shapes do not fit each other.
    """
    y = np.matmul(a, b, out=out)
    return y if bias is None else np.add(y, bias, out=out)


def relu(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return max(a + b, 0) for a (N, H) and b (H,); a complex number counts by its real part."""
    t = a + b
    return np.where(t.real <= 0, t.dtype.type(0), t)


def relu_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy where the output y was positive, else 0; both (N, H)."""
    return np.where(y.real > 0, dy, dy.dtype.type(0))


def leaky_relu(a: np.ndarray, b: np.ndarray, slope: float) -> np.ndarray:
    """Return t = a + b where positive, else slope * t, for a (N, H) and b (H,)."""
    t = a + b
    return np.where(t.real > 0, t, t * slope)


def leaky_relu_gradient(dy: np.ndarray, y: np.ndarray, slope: float) -> np.ndarray:
    """Return dy where the output y was positive, else slope * dy; both (N, H)."""
    return np.where(y.real > 0, dy, dy * slope)


def tanh_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy (1 - y^2) for y = tanh(t); both (N, H)."""
    return dy * (1 - y * y)


def sigmoid(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-t)), t = a + b, for a (N, H) and b (H,), without overflow at any t."""
    t = a + b
    e = np.exp(np.where(t.real > 0, -t, t))  # |e| <= 1
    return np.where(t.real > 0, 1, e) / (1 + e)


def sigmoid_gradient(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy y (1 - y) for y = sigmoid(t); both (N, H)."""
    return dy * y * (1 - y)


def softplus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ln(1 + exp(t)), t = a + b, for a (N, H) and b (H,), without overflow at any t."""
    t = a + b
    positive = t.real > 0
    return np.where(positive, t, 0) + np.log1p(np.exp(np.where(positive, -t, t)))


def bernoulli(x: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of x in [0, 1] under Bernoulli(sigmoid(logits)), and its gradient.

    Parameters
    ----------
    x, logits : (N, D) arrays

    Returns
    -------
    log_likelihood : (N,) array
        sum_d x_d l_d - ln(1 + exp(l_d)), in nats.
    residual : (N, D) array
        x - sigmoid(logits), which is d(log_likelihood) / d(logits).
    """
    positive = logits.real > 0
    e = np.exp(np.where(positive, -logits, logits))  # exp(-|l|), at most 1
    log_likelihood = (x * logits - np.where(positive, logits, 0) - np.log1p(e)).sum(axis=1)
    return log_likelihood, x - np.where(positive, 1, e) / (1 + e)


def scale_rows(a: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the rows of a (N, D), each times its entry of d (N,)."""
    return a * d[:, None]


def take_pixels(X: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows (n,) of pixels X (M, D), uint8 for 0..255, as (n, D) float32 in [0, 1]."""
    return np.divide(X[rows], 255, dtype=np.float32)


def sgd(
    theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, learning_rate: float, momentum: float
) -> None:
    """One step of gradient descent with momentum, in place.

    velocity <- momentum velocity + gradient;  theta <- theta - learning_rate velocity

    A velocity smaller than `npvae.kernels.subnormal.negligible` becomes 0.

    Parameters
    ----------
    theta, gradient, velocity : (P,) arrays
        `theta` and `velocity` are changed.
    learning_rate, momentum : float

    References
    ----------
    Sutskever, Martens, Dahl & Hinton (2013), On the importance of initialization and momentum
    in deep learning, equations 1 and 2, with the learning rate outside of the velocity.
    """
    velocity *= momentum
    velocity += gradient
    velocity[np.abs(velocity) < negligible(velocity.dtype)] = 0
    theta -= learning_rate * velocity


def adagrad(
    theta: np.ndarray, gradient: np.ndarray, squares: np.ndarray, learning_rate: float, epsilon: float
) -> None:
    """One step of Adagrad, in place.

    squares <- squares + gradient^2;  theta <- theta - learning_rate gradient / (sqrt(squares) + epsilon)

    Parameters
    ----------
    theta, gradient, squares : (P,) arrays
        `theta` and `squares` are changed.
    learning_rate, epsilon : float

    References
    ----------
    Duchi, Hazan & Singer (2011), Adaptive subgradient methods, figure 1 (diagonal case).
    """
    squares += gradient * gradient
    theta -= learning_rate * gradient / (np.sqrt(squares) + epsilon)


def adam(
    theta: np.ndarray,
    gradient: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    t: int,
) -> None:
    """Step number t = 1, 2, ... of Adam, in place.

    m <- beta1 m + (1 - beta1) gradient;  v <- beta2 v + (1 - beta2) gradient^2
    theta <- theta - learning_rate m_hat / (sqrt(v_hat) + epsilon),
    m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)

    An m smaller than `npvae.kernels.subnormal.negligible`, and a v that is nearly subnormal, become 0.

    Parameters
    ----------
    theta, gradient, m, v : (P,) arrays
        `theta`, `m` and `v` are changed.
    learning_rate, beta1, beta2, epsilon : float
    t : int

    References
    ----------
    Kingma & Ba (2015), Adam, algorithm 1.
    """
    m *= beta1
    m += (1 - beta1) * gradient
    m[np.abs(m) < negligible(m.dtype)] = 0
    v *= beta2
    v += (1 - beta2) * gradient * gradient
    v[v < 8 * np.finfo(v.dtype).tiny] = 0
    step = learning_rate / (1 - beta1**t)
    theta -= step * m / (np.sqrt(v / (1 - beta2**t)) + epsilon)
