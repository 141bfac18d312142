"""The loss of a whole network and its gradient in one compiled function, on one thread or on several.

``core/vae.py`` and ``core/autoencoder.py`` say what is computed, and why; this says the same without an
interpreter between one step and the next, which takes longer than the arithmetic where layers are small.
All threads run the same function. They share out the rows or columns of each result, and meet where
one is about to read what another has written. Every finite number is computed in the same way whoever
computes it, so the results do not depend on the number of threads.

Of N samples with k draws of z each, the encoder has N rows and the decoder N k: see ``draws.py``.
"""

import numpy as np

from numba import types

from npvae.kernels import blocks, draws, gemm, sums
from npvae.kernels.compiled import ARITHMETIC, EXACT, compile_kernel
from npvae.kernels.pointers import FLAG, INDEX, MATRIX, REAL, VECTOR, Table
from npvae.kernels.spinning import meet
from npvae.kernels.tiles import ROWS
from npvae.kernels.views import matrix_at, vector_at

# Columns of `layers`, a row for each dense layer of the network, in order.
FAN_IN, FAN_OUT, WEIGHTS, BIAS, OUTPUT = range(5)
# Entries of `settings`, and of `numbers`.
CODE_LAYER, LATENT_DIM, ACTIVATION, IS_VAE, IS_BERNOULLI, LOG_NOISE_VAR, N_DRAWS, IS_IWAE = range(8)
BETA, SLOPE, FIXED_LOG_NOISE_VAR = range(3)
# Entries of `results`; the pieces of the squared norm follow.
RECONSTRUCTION, KL, BOUND, SQUARED_NORM, PIECES = range(5)
_COLUMNS = 16  # of which a thread's part of a product's columns is a multiple
PIECE = 65536  # entries of the gradient whose squares are summed at once

_TWO = np.float32(2)

kernels = Table()
_multiply = kernels.add(
    gemm.multiply, types.void(MATRIX, FLAG, MATRIX, FLAG, VECTOR, MATRIX, *[INDEX] * 4)
)
_activate = kernels.add(blocks.activate, types.void(INDEX, REAL, MATRIX, *[INDEX] * 4))
_carry_back = kernels.add(blocks.carry_back, types.void(INDEX, REAL, MATRIX, MATRIX, *[INDEX] * 4))
_draw = kernels.add(draws.draw, types.void(MATRIX, MATRIX, INDEX, FLAG, FLAG, INDEX, INDEX, MATRIX, VECTOR, VECTOR))
_reconstruct = kernels.add(
    draws.reconstruct,
    types.void(
        MATRIX, MATRIX, INDEX, FLAG, REAL, FLAG, REAL, INDEX, INDEX, VECTOR, VECTOR, VECTOR, VECTOR, MATRIX
    ),
)
_carry_back_to_heads = kernels.add(
    draws.carry_back_to_heads,
    types.void(MATRIX, MATRIX, MATRIX, MATRIX, VECTOR, INDEX, FLAG, REAL, INDEX, INDEX, MATRIX),
)
_sum_columns = kernels.add(sums.sum_columns, types.void(MATRIX, VECTOR, INDEX, INDEX))
_sum_of = kernels.add(sums.sum_of, REAL(VECTOR))
_sum_of_squares = kernels.add(sums.sum_of_squares, REAL(VECTOR))


def workspace_size(layers: np.ndarray, latent_dim: int, n_draws: int) -> int:
    """Return how many float32 numbers `loss_and_gradient` needs for each sample of a batch."""
    outputs = layers[-1, OUTPUT] + n_draws * layers[-1, FAN_OUT]
    widest = max(layers[:, FAN_IN].max(), layers[:, FAN_OUT].max())
    return int(outputs + n_draws * (2 * widest + latent_dim + 3) + 2)


@compile_kernel(ARITHMETIC)
def loss_and_gradient(
    addresses, rank, n_threads, meeting, x, eps, theta, gradient, layers, settings, numbers, work, results
):  # fmt: skip
    """Compute a loss and its gradient; the part of thread number `rank`.

    Parameters
    ----------
    rank, n_threads : int
    meeting : (1,) array of int64
        Where the threads count who has arrived; zero before the first call.
    x : (N, D) array
    eps : (N k, Z) array
        Noise of k draws for each sample; not read for an autoencoder.
    theta, gradient : (P,) arrays
        Parameters, and where their gradient is written.
    layers, settings : arrays of int64
        See the names above. LOG_NOISE_VAR is that parameter's place in theta, or -1.
    numbers : (3,) array
    work : array
        Overwritten; see `workspace_size`.
    results : array
        Means over the batch in nats, that of the bound for "iwae" only, and the squared norm of the gradient.
    """
    n, last, code = x.shape[0], layers.shape[0] - 1, settings[CODE_LAYER]
    is_vae, is_iwae, k = settings[IS_VAE] != 0, settings[IS_IWAE] != 0, settings[N_DRAWS]
    end = n * layers[last, OUTPUT] + n * k * layers[last, FAN_OUT]
    z, end = matrix_at(work, end, n * k, settings[LATENT_DIM]), end + n * k * settings[LATENT_DIM]
    kl, bound, end = vector_at(work, end, n), vector_at(work, end + n, n), end + 2 * n
    reconstruction, squares = vector_at(work, end, n * k), vector_at(work, end + n * k, n * k)
    weights, end = vector_at(work, end + 2 * n * k, n * k), end + 3 * n * k
    d_output, d_input = end, end + (work.size - end) // 2  # where in `work` the gradients of layers begin
    no_bias = vector_at(work, 0, 0)
    top, bottom = _share(n, 1, rank, n_threads)  # this thread's samples

    for layer in range(last + 1):
        h = _input(layer, x, z, layers, settings, work)
        y = _output(layer, layers, settings, work, n)
        W, b = _weights(layer, layers, theta)
        i, i_end, j, j_end = _block(y.shape[0], y.shape[1], rank, n_threads)
        _multiply(addresses, h, False, W, False, b, y, i, i_end, j, j_end)
        if layer != code and layer != last:
            _activate(addresses, settings[ACTIVATION], numbers[SLOPE], y, i, i_end, j, j_end)
        meet(meeting, n_threads)
        if layer == code:
            _draw(addresses, y, eps, k, is_vae, is_iwae, top, bottom, z, kl, weights)
            meet(meeting, n_threads)

    output = _output(last, layers, settings, work, n)
    d_logits = matrix_at(work, d_output, n * k, output.shape[1])
    log_noise_var = _log_noise_var(theta, settings, numbers)
    _reconstruct(
        addresses, x, output, k, settings[IS_BERNOULLI] != 0, log_noise_var, is_iwae, numbers[BETA], top, bottom,
        reconstruction, squares, weights, bound, d_logits,
    )  # fmt: skip
    meet(meeting, n_threads)

    for layer in range(last, -1, -1):
        h = _input(layer, x, z, layers, settings, work)
        dy = matrix_at(work, d_output, h.shape[0], layers[layer, FAN_OUT])
        W, _ = _weights(layer, layers, theta)
        dW, db = _weights(layer, layers, gradient)
        _multiply(addresses, h, True, dy, False, no_bias, dW, *_block(dW.shape[0], dW.shape[1], rank, n_threads))
        _sum_columns(addresses, dy, db, *_share(db.size, _COLUMNS, rank, n_threads))
        if layer > 0:
            dh = matrix_at(work, d_input, h.shape[0], h.shape[1])
            i, i_end, j, j_end = _block(h.shape[0], h.shape[1], rank, n_threads)
            _multiply(addresses, dy, False, W, True, no_bias, dh, i, i_end, j, j_end)
            if layer != code + 1:
                _carry_back(addresses, settings[ACTIVATION], numbers[SLOPE], h, dh, i, i_end, j, j_end)
            d_output, d_input = d_input, d_output
        meet(meeting, n_threads)
        if layer == code + 1 and is_vae:
            heads = _output(code, layers, settings, work, n)
            d_heads = matrix_at(work, d_input, n, heads.shape[1])
            dz = matrix_at(work, d_output, n * k, z.shape[1])
            _carry_back_to_heads(
                addresses, dz, z, eps, heads, weights, k, is_iwae, numbers[BETA], top, bottom, d_heads
            )
            d_output, d_input = d_input, d_output
            meet(meeting, n_threads)

    if rank == 0:
        results[RECONSTRUCTION] = _sum_of(addresses, reconstruction) / np.float32(n * k)
        results[KL] = _sum_of(addresses, kl) / np.float32(n)
        if is_iwae:
            results[BOUND] = _sum_of(addresses, bound) / np.float32(n)
        if settings[LOG_NOISE_VAR] >= 0:
            surplus = np.float32(output.shape[1]) - _sum_of(addresses, squares) / np.float32(n * k)
            gradient[settings[LOG_NOISE_VAR]] = surplus / _TWO
    meet(meeting, n_threads)
    n_pieces = -(-gradient.size // PIECE)
    for piece in range(rank, n_pieces, n_threads):
        results[PIECES + piece] = _sum_of_squares(
            addresses, vector_at(gradient, piece * PIECE, min(PIECE, gradient.size - piece * PIECE))
        )
    meet(meeting, n_threads)
    if rank == 0:
        results[SQUARED_NORM] = _sum_of(addresses, vector_at(results, PIECES, n_pieces))


@compile_kernel(EXACT, inner=True)
def _share(size, unit, rank, n_threads):
    """Return where a thread's part of 0 .. size begins and ends; all begin at multiples of `unit`."""
    length = -(-size // (unit * n_threads)) * unit
    return min(rank * length, size), min((rank + 1) * length, size)


@compile_kernel(EXACT, inner=True)
def _block(n_rows, n_columns, rank, n_threads):
    """Return a thread's part of a product: some of its rows, or of its columns if there are more of these."""
    if n_rows >= n_columns:
        top, bottom = _share(n_rows, ROWS, rank, n_threads)
        return top, bottom, 0, n_columns
    start, end = _share(n_columns, _COLUMNS, rank, n_threads)
    return 0, n_rows, start, end


@compile_kernel(EXACT, inner=True)
def _output(layer, layers, settings, work, n):
    """Return the place of a layer's output: (N, O) in the encoder, (N k, O) in the decoder."""
    n_rows = n * settings[N_DRAWS] if layer > settings[CODE_LAYER] else n
    return matrix_at(work, n * layers[layer, OUTPUT], n_rows, layers[layer, FAN_OUT])


@compile_kernel(EXACT, inner=True)
def _input(layer, x, z, layers, settings, work):
    """Return what a layer gets: data, a latent point, or the output of the layer before."""
    if layer == 0:
        return x
    if layer == settings[CODE_LAYER] + 1:
        return z
    return _output(layer - 1, layers, settings, work, x.shape[0])


@compile_kernel(EXACT, inner=True)
def _weights(layer, layers, flat):
    """Return W (I, O) and b (O,) of a layer, or their gradients, as views of a flat vector."""
    fan_in, fan_out = layers[layer, FAN_IN], layers[layer, FAN_OUT]
    W = matrix_at(flat, layers[layer, WEIGHTS], fan_in, fan_out)
    return W, vector_at(flat, layers[layer, BIAS], fan_out)


@compile_kernel(EXACT, inner=True)
def _log_noise_var(theta, settings, numbers):
    """Return the logarithm of the Gaussian likelihood's variance."""
    return theta[settings[LOG_NOISE_VAR]] if settings[LOG_NOISE_VAR] >= 0 else numbers[FIXED_LOG_NOISE_VAR]
