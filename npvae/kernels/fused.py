"""The loss of a whole network and its gradient in one compiled function, on one thread or on several.

``core/vae.py`` and ``core/autoencoder.py`` say what is computed, and why; this says the same without an
interpreter between one step and the next, which takes longer than the arithmetic where layers are small.
All threads run the same function. They share out the rows or columns of each result, and meet where
one is about to read what another has written. Every finite number is computed in the same way whoever
computes it, so the results do not depend on the number of threads.
"""

import numpy as np

from npvae.kernels import elementwise as f
from npvae.kernels.compiled import ARITHMETIC, EXACT, SUM, bernoulli_into, compile_kernel
from npvae.kernels.gemm import multiply
from npvae.kernels.spinning import meet
from npvae.kernels.tiles import ROWS

# Columns of `layers`, a row for each dense layer of the network, in order.
FAN_IN, FAN_OUT, WEIGHTS, BIAS, OUTPUT = range(5)
# Entries of `settings`, and of `numbers`.
CODE_LAYER, LATENT_DIM, ACTIVATION, IS_VAE, IS_BERNOULLI, LOG_NOISE_VAR = range(6)
BETA, SLOPE, FIXED_LOG_NOISE_VAR = range(3)
# Entries of `results`; the pieces of the squared norm follow.
RECONSTRUCTION, KL, SQUARED_NORM, PIECES = range(4)
_COLUMNS = 16  # of which a thread's part of a product's columns is a multiple
PIECE = 65536  # entries of the gradient whose squares are summed at once

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_LOG_2PI = np.float32(np.log(2 * np.pi))


def workspace_size(layers: np.ndarray, latent_dim: int) -> int:
    """Return how many float32 numbers `loss_and_gradient` needs for each sample of a batch."""
    widest = max(layers[:, FAN_IN].max(), layers[:, FAN_OUT].max())
    return int(layers[:, FAN_OUT].sum() + 2 * widest + latent_dim + 3)


@compile_kernel(ARITHMETIC)
def loss_and_gradient(
    rank, n_threads, meeting, x, eps, theta, gradient, layers, settings, numbers, work, results
):  # fmt: skip
    """Compute a loss and its gradient; the part of thread number `rank`.

    Parameters
    ----------
    rank, n_threads : int
    meeting : (1,) array of int64
        Where the threads count who has arrived; zero before the first call.
    x : (N, D) array
    eps : (N, Z) array
        Noise; not read for an autoencoder.
    theta, gradient : (P,) arrays
        Parameters, and where their gradient is written.
    layers, settings : arrays of int64
        See the names above. LOG_NOISE_VAR is that parameter's place in theta, or -1.
    numbers : (3,) array
    work : array
        Overwritten; see `workspace_size`.
    results : array
        Means over the batch in nats, and the squared norm of the gradient.
    """
    n, last, code = x.shape[0], layers.shape[0] - 1, settings[CODE_LAYER]
    size = n * layers[last, OUTPUT] + n * layers[last, FAN_OUT]
    z = work[size : size + n * settings[LATENT_DIM]].reshape(n, settings[LATENT_DIM])
    size += z.size
    reconstruction, kl = work[size : size + n], work[size + n : size + 2 * n]
    squares = work[size + 2 * n : size + 3 * n]
    size += 3 * n
    space = (work.size - size) // 2
    d_output, d_input = work[size : size + space], work[size + space :]
    no_bias = work[:0]
    top, bottom = _share(n, 1, rank, n_threads)  # this thread's samples

    for layer in range(last + 1):
        h = _input(layer, x, z, layers, settings, work)
        y = _output(layer, layers, work, n)
        W, b = _weights(layer, layers, theta)
        i, i_end, j, j_end = _block(n, layers[layer, FAN_OUT], rank, n_threads)
        multiply(h, False, W, False, b, y, i, i_end, j, j_end)
        if layer != code and layer != last:
            _activate(settings[ACTIVATION], numbers[SLOPE], y, i, i_end, j, j_end)
        meet(meeting, n_threads)
        if layer == code:
            _draw(y[top:bottom], eps[top:bottom], settings, z[top:bottom], kl[top:bottom])
            meet(meeting, n_threads)

    output = _output(last, layers, work, n)
    d_logits = d_output[: output.size].reshape(output.shape)
    log_noise_var = _log_noise_var(theta, settings, numbers)
    _reconstruct(
        x[top:bottom], output[top:bottom], settings, log_noise_var, n,
        reconstruction[top:bottom], squares[top:bottom], d_logits[top:bottom],
    )  # fmt: skip
    meet(meeting, n_threads)

    for layer in range(last, -1, -1):
        h = _input(layer, x, z, layers, settings, work)
        dy = d_output[: n * layers[layer, FAN_OUT]].reshape(n, layers[layer, FAN_OUT])
        W, _ = _weights(layer, layers, theta)
        dW, db = _weights(layer, layers, gradient)
        multiply(h, True, dy, False, no_bias, dW, *_block(dW.shape[0], dW.shape[1], rank, n_threads))
        start, end = _share(db.size, _COLUMNS, rank, n_threads)
        _column_sums(dy, db, start, end)
        if layer > 0:
            dh = d_input[: h.size].reshape(h.shape)
            i, i_end, j, j_end = _block(n, h.shape[1], rank, n_threads)
            multiply(dy, False, W, True, no_bias, dh, i, i_end, j, j_end)
            if layer != code + 1:
                _carry_back(settings[ACTIVATION], numbers[SLOPE], h, dh, i, i_end, j, j_end)
            d_output, d_input = d_input, d_output
        meet(meeting, n_threads)
        if layer == code + 1 and settings[IS_VAE]:
            heads = _output(code, layers, work, n)
            d_heads = d_input[: heads.size].reshape(heads.shape)
            dz = d_output[: z.size].reshape(z.shape)
            _carry_back_to_heads(
                dz[top:bottom], heads[top:bottom], eps[top:bottom], numbers[BETA], n, d_heads[top:bottom]
            )
            d_output, d_input = d_input, d_output
            meet(meeting, n_threads)

    if rank == 0:
        results[RECONSTRUCTION] = _sum(reconstruction) / np.float32(n)
        results[KL] = _sum(kl) / np.float32(n)
        if settings[LOG_NOISE_VAR] >= 0:
            surplus = np.float32(output.shape[1]) - _sum(squares) / np.float32(n)
            gradient[settings[LOG_NOISE_VAR]] = surplus / _TWO
    meet(meeting, n_threads)
    n_pieces = -(-gradient.size // PIECE)
    for piece in range(rank, n_pieces, n_threads):
        results[PIECES + piece] = _sum_of_squares(gradient[piece * PIECE : (piece + 1) * PIECE])
    meet(meeting, n_threads)
    if rank == 0:
        results[SQUARED_NORM] = _sum(results[PIECES : PIECES + n_pieces])


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
def _output(layer, layers, work, n):
    """Return the place of a layer's output (N, O)."""
    start = n * layers[layer, OUTPUT]
    return work[start : start + n * layers[layer, FAN_OUT]].reshape(n, layers[layer, FAN_OUT])


@compile_kernel(EXACT)
def _input(layer, x, z, layers, settings, work):
    """Return what a layer gets: data, a latent point, or the output of the layer before."""
    if layer == 0:
        return x
    if layer == settings[CODE_LAYER] + 1:
        return z
    return _output(layer - 1, layers, work, x.shape[0])


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


@compile_kernel(ARITHMETIC)
def _activate(activation, slope, y, top, bottom, start, end):
    """Apply an activation to a block of y, in place."""
    for i in range(top, bottom):
        row = y[i, start:end]
        if activation == f.RELU:
            for j in range(row.size):
                row[j] = _ZERO if row[j] <= _ZERO else row[j]
        elif activation == f.LEAKY_RELU:
            for j in range(row.size):
                row[j] = row[j] if row[j] > _ZERO else slope * row[j]
        elif activation == f.TANH:
            for j in range(row.size):
                row[j] = f.tanh(row[j])
        elif activation == f.SIGMOID:
            for j in range(row.size):
                row[j] = f.sigmoid(row[j])
        elif activation == f.SOFTPLUS:
            for j in range(row.size):
                row[j] = f.softplus(row[j])


@compile_kernel(ARITHMETIC)
def _carry_back(activation, slope, y, dy, top, bottom, start, end):
    """Multiply a block of dy by the activation's derivative, given its output y, in place."""
    for i in range(top, bottom):
        row, d = y[i, start:end], dy[i, start:end]
        if activation == f.RELU:
            for j in range(row.size):
                d[j] = d[j] if row[j] > _ZERO else _ZERO
        elif activation == f.LEAKY_RELU:
            for j in range(row.size):
                d[j] = d[j] if row[j] > _ZERO else slope * d[j]
        elif activation == f.TANH:
            for j in range(row.size):
                d[j] = d[j] * (_ONE - row[j] * row[j])
        elif activation == f.SIGMOID:
            for j in range(row.size):
                d[j] = d[j] * row[j] * (_ONE - row[j])
        elif activation == f.SOFTPLUS:
            for j in range(row.size):
                d[j] = -d[j] * f.expm1(-row[j])


@compile_kernel(ARITHMETIC)
def _draw(heads, eps, settings, z, kl):
    """Compute z and the KL divergence of each sample from the encoder's output; an AE's output is z."""
    n_latent = z.shape[1]
    terms = np.empty(n_latent, np.float32)
    for i in range(z.shape[0]):
        if not settings[IS_VAE]:
            kl[i] = _ZERO
            for j in range(n_latent):
                z[i, j] = heads[i, j]
            continue
        mu, log_var = heads[i, :n_latent], heads[i, n_latent:]
        for j in range(n_latent):
            z[i, j] = mu[j] + f.exp(log_var[j] / _TWO) * eps[i, j]
            terms[j] = mu[j] * mu[j] + f.expm1(log_var[j]) - log_var[j]
        kl[i] = _sum(terms) / _TWO


@compile_kernel(ARITHMETIC)
def _carry_back_to_heads(dz, heads, eps, beta, n, d_heads):
    """Add up the two paths to mu and log_var: from the reconstruction by way of z, and from the KL term."""
    n_latent, weight = dz.shape[1], beta / np.float32(n)
    for i in range(dz.shape[0]):
        mu, log_var = heads[i, :n_latent], heads[i, n_latent:]
        d_mu, d_log_var = d_heads[i, :n_latent], d_heads[i, n_latent:]
        for j in range(n_latent):
            std = f.exp(log_var[j] / _TWO)
            d_mu[j] = dz[i, j] + weight * mu[j]
            d_log_var[j] = dz[i, j] * eps[i, j] * std / _TWO + weight * f.expm1(log_var[j]) / _TWO


@compile_kernel(ARITHMETIC)
def _reconstruct(x, output, settings, log_noise_var, n, reconstruction, squares, d_output):
    """Compute -ln p(x | z) of each sample, and the gradient of its mean for the output."""
    weight = -_ONE / np.float32(n)
    if settings[IS_BERNOULLI]:
        bernoulli_into(x, output, reconstruction, d_output)
        for i in range(x.shape[0]):
            reconstruction[i] = -reconstruction[i]
    else:
        precision = f.exp(-log_noise_var)
        constant = np.float32(x.shape[1]) * (log_noise_var + _LOG_2PI)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                d_output[i, j] = x[i, j] - output[i, j]
            squares[i] = _sum_of_squares(d_output[i]) * precision
            reconstruction[i] = (squares[i] + constant) / _TWO
        weight *= precision
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            d_output[i, j] *= weight


@compile_kernel(ARITHMETIC)
def _column_sums(dy, db, start, end):
    """Sum the columns start .. end of dy (N, O) over the samples."""
    sums = db[start:end]
    for j in range(sums.size):
        sums[j] = _ZERO
    for i in range(dy.shape[0]):
        row = dy[i, start:end]
        for j in range(sums.size):
            sums[j] += row[j]


@compile_kernel(SUM)
def _sum(terms):
    total = _ZERO
    for i in range(terms.size):
        total += terms[i]
    return total


@compile_kernel(SUM)
def _sum_of_squares(terms):
    total = _ZERO
    for i in range(terms.size):
        total += terms[i] * terms[i]
    return total
