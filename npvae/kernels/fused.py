"""The loss of a whole network and its gradient in one compiled function, on one thread or on several.

``core/vae.py`` and ``core/autoencoder.py`` say what is computed, and why; this says the same without an
interpreter between one step and the next, which takes longer than the arithmetic where layers are small.
All threads run the same function. They share out the rows or columns of each result, and meet where
one is about to read what another has written. Every finite number is computed in the same way whoever
computes it, so the results do not depend on the number of threads.

Of N samples with k draws of z each, the encoder has N rows and the decoder N k: see ``draws.py``.
"""

import numpy as np

from npvae.kernels.blocks import activate, carry_back
from npvae.kernels.compiled import ARITHMETIC, EXACT, compile_kernel
from npvae.kernels.draws import carry_back_to_heads, draw, gather_heads, reconstruct, scatter_heads
from npvae.kernels.gemm import multiply
from npvae.kernels.spinning import meet
from npvae.kernels.sums import sum_columns, sum_of, sum_of_squares
from npvae.kernels.tiles import ROWS

# Columns of `layers`, a row for each dense layer of the network, in order.
FAN_IN, FAN_OUT, WEIGHTS, BIAS, OUTPUT = range(5)
# Entries of `settings`, and of `numbers`.
CODE_LAYER, LATENT_DIM, ACTIVATION, IS_VAE, IS_BERNOULLI, LOG_NOISE_VAR, N_DRAWS, IS_IWAE, HEADS = range(9)
BETA, SLOPE, FIXED_LOG_NOISE_VAR = range(3)
# Entries of `results`; the pieces of the squared norm follow.
RECONSTRUCTION, KL, BOUND, SQUARED_NORM, PIECES = range(5)
_COLUMNS = 16  # of which a thread's part of a product's columns is a multiple
PIECE = 65536  # entries of the gradient whose squares are summed at once

_TWO = np.float32(2)


def workspace_size(layers: np.ndarray, latent_dim: int, n_draws: int) -> int:
    """Return how many float32 numbers `loss_and_gradient` needs for each sample of a batch."""
    outputs = layers[-1, OUTPUT] + n_draws * layers[-1, FAN_OUT]
    widest = max(layers[:, FAN_IN].max(), layers[:, FAN_OUT].max())
    return int(outputs + n_draws * (2 * widest + latent_dim + 3) + 2)


@compile_kernel(ARITHMETIC)
def loss_and_gradient(
    rank, n_threads, meeting, x, eps, theta, gradient, heads, d_heads, layers, settings, numbers, work,
    results
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
    heads, d_heads : arrays
        Overwritten: mu's and log_var's weights side by side, (H, 2 Z) and (2 Z,), which one product takes,
        and their gradient. Not used for an autoencoder.
    layers, settings : arrays of int64
        See the names above. LOG_NOISE_VAR is that parameter's place in theta, or -1, HEADS that of mu.W.
    numbers : (3,) array
    work : array
        Overwritten; see `workspace_size`.
    results : array
        Means over the batch in nats, that of the bound for "iwae" only, and the squared norm of the gradient.
    """
    n, last, code = x.shape[0], layers.shape[0] - 1, settings[CODE_LAYER]
    is_iwae, k = settings[IS_IWAE], settings[N_DRAWS]
    size = n * layers[last, OUTPUT] + n * k * layers[last, FAN_OUT]
    z = work[size : size + n * k * settings[LATENT_DIM]].reshape(n * k, settings[LATENT_DIM])
    size += z.size
    kl, bound = work[size : size + n], work[size + n : size + 2 * n]
    size += 2 * n
    reconstruction, squares = work[size : size + n * k], work[size + n * k : size + 2 * n * k]
    weights = work[size + 2 * n * k : size + 3 * n * k]
    size += 3 * n * k
    space = (work.size - size) // 2
    d_output, d_input = work[size : size + space], work[size + space :]
    no_bias = work[:0]
    top, bottom = _share(n, 1, rank, n_threads)  # this thread's samples
    first, end = top * k, bottom * k  # and their draws

    if settings[IS_VAE] and rank == 0:
        gather_heads(theta[settings[HEADS] :], layers[code, FAN_IN], settings[LATENT_DIM], heads)
    if code == 0:
        meet(meeting, n_threads)

    for layer in range(last + 1):
        h = _input(layer, x, z, layers, settings, work)
        y = _output(layer, layers, settings, work, n)
        W, b = _weights(layer, layers, heads if settings[IS_VAE] and layer == code else theta)
        i, i_end, j, j_end = _block(y.shape[0], y.shape[1], rank, n_threads)
        multiply(h, False, W, False, b, y, i, i_end, j, j_end)
        if layer != code and layer != last:
            activate(settings[ACTIVATION], numbers[SLOPE], y, i, i_end, j, j_end)
        meet(meeting, n_threads)
        if layer == code:
            draw(
                y[top:bottom], eps[first:end], k, settings[IS_VAE], is_iwae,
                z[first:end], kl[top:bottom], weights[first:end],
            )  # fmt: skip
            meet(meeting, n_threads)

    output = _output(last, layers, settings, work, n)
    d_logits = d_output[: output.size].reshape(output.shape)
    log_noise_var = _log_noise_var(theta, settings, numbers)
    reconstruct(
        x[top:bottom], output[first:end], n, k, settings[IS_BERNOULLI], log_noise_var, is_iwae, numbers[BETA],
        reconstruction[first:end], squares[first:end], weights[first:end], bound[top:bottom],
        d_logits[first:end],
    )  # fmt: skip
    meet(meeting, n_threads)

    for layer in range(last, -1, -1):
        h = _input(layer, x, z, layers, settings, work)
        dy = d_output[: h.shape[0] * layers[layer, FAN_OUT]].reshape(h.shape[0], layers[layer, FAN_OUT])
        W, _ = _weights(layer, layers, heads if settings[IS_VAE] and layer == code else theta)
        dW, db = _weights(layer, layers, d_heads if settings[IS_VAE] and layer == code else gradient)
        multiply(h, True, dy, False, no_bias, dW, *_block(dW.shape[0], dW.shape[1], rank, n_threads))
        sum_columns(dy, db, *_share(db.size, _COLUMNS, rank, n_threads))
        if layer > 0:
            dh = d_input[: h.size].reshape(h.shape)
            i, i_end, j, j_end = _block(h.shape[0], h.shape[1], rank, n_threads)
            multiply(dy, False, W, True, no_bias, dh, i, i_end, j, j_end)
            if layer != code + 1:
                carry_back(settings[ACTIVATION], numbers[SLOPE], h, dh, i, i_end, j, j_end)
            d_output, d_input = d_input, d_output
        meet(meeting, n_threads)
        if layer == code + 1 and settings[IS_VAE]:
            codes = _output(code, layers, settings, work, n)  # mu and log_var, (N, 2 Z)
            d_codes = d_input[: codes.size].reshape(codes.shape)
            dz = d_output[: z.size].reshape(z.shape)
            carry_back_to_heads(
                dz[first:end], z[first:end], eps[first:end], codes[top:bottom], weights[first:end],
                n, k, is_iwae, numbers[BETA], d_codes[top:bottom],
            )  # fmt: skip
            d_output, d_input = d_input, d_output
            meet(meeting, n_threads)

    if rank == 0:
        if settings[IS_VAE]:
            scatter_heads(d_heads, layers[code, FAN_IN], settings[LATENT_DIM], gradient[settings[HEADS] :])
        results[RECONSTRUCTION] = sum_of(reconstruction) / np.float32(n * k)
        results[KL] = sum_of(kl) / np.float32(n)
        if is_iwae:
            results[BOUND] = sum_of(bound) / np.float32(n)
        if settings[LOG_NOISE_VAR] >= 0:
            surplus = np.float32(output.shape[1]) - sum_of(squares) / np.float32(n * k)
            gradient[settings[LOG_NOISE_VAR]] = surplus / _TWO
    meet(meeting, n_threads)
    n_pieces = -(-gradient.size // PIECE)
    for piece in range(rank, n_pieces, n_threads):
        results[PIECES + piece] = sum_of_squares(gradient[piece * PIECE : (piece + 1) * PIECE])
    meet(meeting, n_threads)
    if rank == 0:
        results[SQUARED_NORM] = sum_of(results[PIECES : PIECES + n_pieces])


@compile_kernel(EXACT)
def _share(size, unit, rank, n_threads):
    """Return where a thread's part of 0 .. size begins and ends; all begin at multiples of `unit`."""
    length = -(-size // (unit * n_threads)) * unit
    return min(rank * length, size), min((rank + 1) * length, size)


@compile_kernel(EXACT)
def _block(n_rows, n_columns, rank, n_threads):
    """Return a thread's part of a product: some of its rows, or of its columns if there are more of these."""
    if n_rows >= n_columns:
        top, bottom = _share(n_rows, ROWS, rank, n_threads)
        return top, bottom, 0, n_columns
    start, end = _share(n_columns, _COLUMNS, rank, n_threads)
    return 0, n_rows, start, end


@compile_kernel(EXACT)
def _output(layer, layers, settings, work, n):
    """Return the place of a layer's output: (N, O) in the encoder, (N k, O) in the decoder."""
    start, n_rows = n * layers[layer, OUTPUT], n * settings[N_DRAWS] if layer > settings[CODE_LAYER] else n
    return work[start : start + n_rows * layers[layer, FAN_OUT]].reshape(n_rows, layers[layer, FAN_OUT])


@compile_kernel(EXACT)
def _input(layer, x, z, layers, settings, work):
    """Return what a layer gets: data, a latent point, or the output of the layer before."""
    if layer == 0:
        return x
    if layer == settings[CODE_LAYER] + 1:
        return z
    return _output(layer - 1, layers, settings, work, x.shape[0])


@compile_kernel(EXACT)
def _weights(layer, layers, flat):
    """Return W (I, O) and b (O,) of a layer, or their gradients, as views of a flat vector."""
    fan_in, fan_out, start = layers[layer, FAN_IN], layers[layer, FAN_OUT], layers[layer, WEIGHTS]
    W = flat[start : start + fan_in * fan_out].reshape(fan_in, fan_out)
    return W, flat[layers[layer, BIAS] : layers[layer, BIAS] + fan_out]


@compile_kernel(EXACT)
def _log_noise_var(theta, settings, numbers):
    """Return the logarithm of the Gaussian likelihood's variance."""
    return theta[settings[LOG_NOISE_VAR]] if settings[LOG_NOISE_VAR] >= 0 else numbers[FIXED_LOG_NOISE_VAR]
