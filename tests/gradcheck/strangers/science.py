"""Functions in the style of scipy and scikit-learn: values with gradients, Jacobians, compiled losses."""

import numpy as np

from npvae.gradcheck import check_gradient
from tests.gradcheck.strangers.stranger import Stranger, as_gradient, as_pair, draw

X = np.array([0.7, -1.2, 0.4, 1.1])
TIMES = np.linspace(0, 2, 7)
MEASURED = np.array([2.1, 1.4, 1.1, 0.6, 0.5, 0.3, 0.2])
POINTS, RESPONSES = draw(6, 2), draw(6, seed=1)
BINARY = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
B = draw(5, 5, seed=2)
POSITIVE_DEFINITE = B @ B.T + 0.5 * np.eye(5)


class OutOfBounds(BaseException):
    """Stands for the end of the process where compiled code runs past the end of an array."""


def rosenbrock(x):
    """scipy's rosen: a function and its derivative."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_der(x):
    valley = x[1:] - x[:-1] ** 2
    der = np.zeros_like(x)
    der[:-1] = -400 * x[:-1] * valley - 2 * (1 - x[:-1])
    der[1:] += 200 * valley
    return der


def rosenbrock_der_assigned(x):
    valley = x[1:] - x[:-1] ** 2
    der = np.zeros_like(x)
    der[:-1] = -400 * x[:-1] * valley - 2 * (1 - x[:-1])
    der[1:] = 200 * valley
    return der


def logistic(w, X=POINTS, y=RESPONSES > 0):
    """scipy's jac=True: a function returns its value and its gradient."""
    z = X @ w
    p = 1 / (1 + np.exp(-z))
    return np.sum(np.log1p(np.exp(z)) - y * z) + np.sum(w**2) / 2, X.T @ (p - y) + w


def logistic_unpenalised(w):
    value, gradient = logistic(w)
    return value, gradient - w


class Memoize:
    """scipy's MemoizeJac: the value's call keeps the gradient for the derivative's."""

    def __init__(self):
        self.x = None

    def _compute_if_needed(self, x):
        if self.x is None or not np.array_equal(x, self.x):
            self.x = np.array(x)
            self.value, self.gradient = logistic(x)

    def __call__(self, x):
        self._compute_if_needed(x)
        return self.value

    def derivative(self, x):
        self._compute_if_needed(x)
        return self.gradient.copy()


class MemoizeByName(Memoize):
    def _compute_if_needed(self, x):
        if self.x is None or self.x.shape != x.shape:
            super()._compute_if_needed(x)

    def __call__(self, x):
        return logistic(x)[0]


def decay(p):
    """scipy's least_squares: residuals and their Jacobian."""
    return p[0] * np.exp(-p[1] * TIMES) + p[2] - MEASURED


def decay_jac(p):
    e = np.exp(-p[1] * TIMES)
    return np.stack([e, -p[0] * TIMES * e, np.ones_like(TIMES)], axis=1)


def decay_jac_inner_derivative_forgotten(p):
    e = np.exp(-p[1] * TIMES)
    return np.stack([e, -p[0] * e, np.ones_like(TIMES)], axis=1)


def half_binomial(y, sign=1.0):
    """scikit-learn's compiled losses: targets of the batch's length, and no check of bounds."""

    def loss(raw):
        if len(raw) != len(y):
            raise OutOfBounds
        return np.sum(np.log1p(np.exp(raw)) - y * raw)

    def gradient(raw):
        if len(raw) != len(y):
            raise OutOfBounds
        return sign * (1 / (1 + np.exp(-raw)) - y)

    return loss, gradient


def marginal_likelihood(theta, trace_sign=-1.0):
    """scikit-learn's Gaussian process: (value, gradient) for the kernel's logarithmic parameters."""
    squares = np.sum((POINTS[:, None] - POINTS) ** 2, axis=2)
    K = np.exp(theta[0]) * np.exp(-squares / 2 * np.exp(-2 * theta[1]))
    noisy = K + np.exp(theta[2]) * np.eye(len(K))
    alpha, inverse = np.linalg.solve(noisy, RESPONSES), np.linalg.inv(noisy)
    gradients = (K, K * squares * np.exp(-2 * theta[1]), np.exp(theta[2]) * np.eye(len(K)))
    value = -RESPONSES @ alpha / 2 - np.sum(np.log(np.diag(np.linalg.cholesky(noisy))))
    pull = np.outer(alpha, alpha) + trace_sign * inverse
    return value, np.array([np.sum(pull * gradient) / 2 for gradient in gradients])


def marginal_likelihood_trace_added(theta):
    return marginal_likelihood(theta, trace_sign=1.0)


def log_determinant(A):
    """By Cholesky, which reads the lower triangle alone and raises unless the matrix is positive definite."""
    return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(A))))


def log_determinant_gradient(A):
    inverse = np.linalg.inv(A)
    return np.tril(2 * inverse) - np.diag(np.diag(inverse))


def log_determinant_gradient_symmetric(A):
    return np.linalg.inv(A)


def cross_entropy(p):
    """A check of the domain, close to its border."""
    if np.any(np.real(p) < 0) or np.any(np.real(p) > 1):
        raise ValueError("probabilities are from 0 to 1")
    return -np.sum(np.log(p))


def single(x):
    """JAX's default: it computes in float32 or complex64, whatever comes in."""
    return np.asarray(x, np.complex64 if np.iscomplexobj(x) else np.float32)


def sine_forward(x):
    return np.sin(single(x)), single(x)


def sine_backward(dy, x):
    return dy * np.cos(x)


def sine_backward_doubled(dy, x):
    return 2 * dy * np.cos(x)


def logistic_single(x):
    return np.sum(np.log1p(np.exp(single(x))))


def logistic_single_gradient(x):
    return 1 / (1 + np.exp(-single(x)))


def logistic_single_gradient_complement(x):
    return 1 / (1 + np.exp(single(x)))


STRANGERS = (
    Stranger(
        "a function and its derivative: scipy's rosen",
        as_gradient(X),
        (rosenbrock, rosenbrock_der),
        {"assigned, not added": (rosenbrock, rosenbrock_der_assigned)},
    ),
    Stranger(
        "f -> (value, gradient): scipy's jac=True",
        lambda f: check_gradient(f, None, np.array([0.3, -0.8])),
        logistic,
        {"penalty without a gradient": logistic_unpenalised},
    ),
    Stranger(
        "the value's call keeps the gradient: scipy's MemoizeJac",
        lambda kind: (lambda f: check_gradient(f, f.derivative, np.array([0.3, -0.8])))(kind()),
        Memoize,
        {"kept for other points of that shape": MemoizeByName},
    ),
    Stranger(
        "residuals and a Jacobian: scipy's least_squares",
        as_gradient(np.array([2.0, 0.9, 0.1])),
        (decay, decay_jac),
        {"inner derivative forgotten": (decay, decay_jac_inner_derivative_forgotten)},
    ),
    Stranger(
        "compiled, targets of the batch's length: scikit-learn's losses",
        as_gradient(draw(5)),
        half_binomial(BINARY),
        {"y - p": half_binomial(BINARY, sign=-1.0)},
    ),
    Stranger(
        "(value, gradient) through a Cholesky: scikit-learn's Gaussian process",
        lambda f: check_gradient(f, None, np.array([0.2, -0.1, -1.0])),
        marginal_likelihood,
        {"the trace's sign": marginal_likelihood_trace_added},
    ),
    Stranger(
        "raises where a matrix is not positive definite: Cholesky",
        as_gradient(POSITIVE_DEFINITE),
        (log_determinant, log_determinant_gradient),
        {"symmetric, where one triangle is read": (log_determinant, log_determinant_gradient_symmetric)},
    ),
    Stranger(
        "raises outside of a domain, close by",
        as_gradient(np.array([0.5, 0.9, 1e-5])),
        (cross_entropy, lambda p: -1 / p),
        {"doubled": (cross_entropy, lambda p: -2 / p)},
    ),
    Stranger(
        "float32 inside: JAX's default",
        as_pair(draw(5)),
        (sine_forward, sine_backward),
        {"doubled": (sine_forward, sine_backward_doubled)},
    ),
    Stranger(
        "a float32 gradient of float64 arguments: JAX's grad",
        as_gradient(draw(5)),
        (logistic_single, logistic_single_gradient),
        {"1 - sigmoid": (logistic_single, logistic_single_gradient_complement)},
    ),
)
