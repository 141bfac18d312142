"""The loss of a whole network and its gradient in one compiled function, on one thread or on several.

``core/vae.py`` and ``core/autoencoder.py`` explain what is computed, and why. This module computes the same
without the interpreter, which takes longer than the arithmetic if layers are small. All threads run the
same function: each computes some rows or columns of each result, and all meet at a barrier before one reads
what another has written. Every thread computes a finite number in the same way, so the results do not
depend on the number of threads.

Of N samples with k draws of z each, the encoder has N rows and the decoder N k: see ``draws.py``.

This module is cheap to compile. The kernels that do the arithmetic are called by their addresses, so each
is compiled once, and only if the network needs it (``pointers.py``). Views of arrays are made by minimal
functions (``views.py``).
"""

from typing import Any

import numpy as np

from npvae.kernels import gemm
from npvae.kernels.compiled import ARITHMETIC, EXACT, compile_kernel
from npvae.kernels.spinning import meet
from npvae.kernels.step import blocks, draws, sums
from npvae.kernels.step.draws import gather_heads, scatter_heads
from npvae.kernels.step.pointers import FLAG, INDEX, MATRIX, REAL, VECTOR, VOID, Table
from npvae.kernels.tiles import ROWS
from npvae.kernels.views import matrix_at, vector_at

# Columns of `layers`, a row for each dense layer of the network, in order. WEIGHTS and BIAS are places in
# theta. Of a batch of N samples, a layer's input and output begin at N times INPUT and OUTPUT in `work` and
# have N times ROWS_OF_ONE rows; the first layer's input is x.
FAN_IN, FAN_OUT, WEIGHTS, BIAS, INPUT, OUTPUT, ROWS_OF_ONE = range(7)
# Entries of `settings`, and of `numbers`.
CODE_LAYER, LATENT_DIM, IS_VAE, LOG_NOISE_VAR, N_DRAWS, IS_IWAE, HEADS = range(7)
BETA, SLOPE, FIXED_LOG_NOISE_VAR = range(3)
# Entries of `results`; the pieces of the squared norm follow.
RECONSTRUCTION, KL, BOUND, SQUARED_NORM, PIECES = range(5)
_COLUMNS = 16  # a thread's share of a product's columns is a multiple of it
PIECE = 65536  # entries of the gradient whose squares are summed at once

_TWO = np.float32(2)

# The kernels that do the work: `loss_and_gradient` calls them by their addresses (see ``pointers.py``).
_TABLE = Table()
_multiply = _TABLE.entry("multiply", VOID(MATRIX, FLAG, MATRIX, FLAG, VECTOR, MATRIX, *[INDEX] * 4))
_activate = _TABLE.entry("activate", VOID(REAL, MATRIX, *[INDEX] * 4))
_carry_back = _TABLE.entry("carry_back", VOID(REAL, MATRIX, MATRIX, *[INDEX] * 4))
_draw = _TABLE.entry("draw", VOID(MATRIX, MATRIX, INDEX, FLAG, INDEX, INDEX, MATRIX, VECTOR))
_reconstruct = _TABLE.entry(
    "reconstruct", VOID(MATRIX, MATRIX, INDEX, REAL, INDEX, INDEX, VECTOR, VECTOR, MATRIX)
)
_weigh = _TABLE.entry("weigh", VOID(*[MATRIX] * 3, INDEX, REAL, INDEX, INDEX, *[VECTOR] * 4, MATRIX))
_carry_back_to_heads = _TABLE.entry(
    "carry_back_to_heads", VOID(*[MATRIX] * 4, VECTOR, INDEX, FLAG, REAL, INDEX, INDEX, MATRIX)
)
_sum_columns = _TABLE.entry("sum_columns", VOID(MATRIX, VECTOR, INDEX, INDEX))
_sum_of = _TABLE.entry("sum_of", REAL(VECTOR))
_sum_of_squares = _TABLE.entry("sum_of_squares", REAL(VECTOR))


def kernels(activation: str, likelihood: str, is_iwae: bool) -> dict[str, Any]:
    """Return the kernels that `loss_and_gradient` calls for a network of this kind."""
    activate, carry_back = blocks.ACTIVATIONS[activation]
    needed = {
        "multiply": gemm.multiply,
        "activate": activate,
        "carry_back": carry_back,
        "draw": draws.draw,
        "reconstruct": draws.bernoulli if likelihood == "bernoulli" else draws.gaussian,
        "carry_back_to_heads": draws.carry_back_to_heads,
        "sum_columns": sums.sum_columns,
        "sum_of": sums.sum_of,
        "sum_of_squares": sums.sum_of_squares,
    }
    return needed | ({"weigh": draws.weigh} if is_iwae else {})


def addresses(kernels: dict[str, Any]) -> np.ndarray:
    """Return the addresses of these kernels in this process; load or compile them first, if need be."""
    return _TABLE.addresses(kernels)


def workspace_size(layers: np.ndarray, latent_dim: int, n_draws: int) -> int:
    """Return how many float32 numbers `loss_and_gradient` needs for each sample of a batch."""
    outputs = layers[-1, OUTPUT] + n_draws * layers[-1, FAN_OUT]
    widest = max(layers[:, FAN_IN].max(), layers[:, FAN_OUT].max())
    return int(outputs + n_draws * (2 * widest + latent_dim + 3) + 2)


@compile_kernel(ARITHMETIC)
def loss_and_gradient(
    addresses, rank, n_threads, meeting, x, eps, theta, gradient, heads, d_heads, layers, settings, numbers,
    work, results
):  # fmt: skip
    """Compute a loss and its gradient; the part of thread number `rank`.

    Parameters
    ----------
    addresses : array of int64
        The array that the function `addresses` returns.
    rank, n_threads : int
    meeting : (1,) array of int64
        Counter of the threads' barrier; zero before the first call.
    x : (N, D) array
    eps : (N k, Z) array
        Noise of k draws for each sample; not read for an autoencoder.
    theta, gradient : (P,) arrays
        Parameters, and where their gradient is written.
    heads, d_heads : arrays
        Overwritten with the weights of mu and log_var side by side, (H, 2 Z) and (2 Z,), so that one
        product computes both, and with their gradient. Not used for an autoencoder.
    layers, settings : arrays of int64
        See the names above. LOG_NOISE_VAR is that parameter's place in theta, or -1, HEADS that of mu.W.
    numbers : (3,) array
    work : array
        Overwritten; see `workspace_size`.
    results : array
        Means over the batch in nats (of the bound only for "iwae"), and the squared norm of the gradient.
    """
    n, last, code = x.shape[0], layers.shape[0] - 1, settings[CODE_LAYER]
    is_vae, is_iwae, k = settings[IS_VAE] != 0, settings[IS_IWAE] != 0, settings[N_DRAWS]
    z = matrix_at(work, n * layers[code + 1, INPUT], n * k, settings[LATENT_DIM])
    end = n * layers[code + 1, INPUT] + n * k * settings[LATENT_DIM]
    kl, bound, end = vector_at(work, end, n), vector_at(work, end + n, n), end + 2 * n
    reconstruction, squares = vector_at(work, end, n * k), vector_at(work, end + n * k, n * k)
    weights, end = vector_at(work, end + 2 * n * k, n * k), end + 3 * n * k
    d_output, d_input = end, end + (work.size - end) // 2  # where in `work` the gradients of layers begin
    no_bias = vector_at(work, 0, 0)
    top, bottom = rank * n // n_threads, (rank + 1) * n // n_threads  # this thread's samples

    if is_vae and rank == 0:
        gather_heads(theta, settings[HEADS], layers[code, FAN_IN], settings[LATENT_DIM], heads)
    if code == 0:
        meet(meeting, n_threads)

    for layer in range(last + 1):
        fan_in, fan_out = layers[layer, FAN_IN], layers[layer, FAN_OUT]
        n_rows = n * layers[layer, ROWS_OF_ONE]
        h = matrix_at(work, n * layers[layer, INPUT], n_rows, fan_in) if layer > 0 else x
        flat = heads if is_vae and layer == code else theta
        W = matrix_at(flat, layers[layer, WEIGHTS], fan_in, fan_out)
        b = vector_at(flat, layers[layer, BIAS], fan_out)
        y = matrix_at(work, n * layers[layer, OUTPUT], n_rows, fan_out)
        i, i_end, j, j_end = _block(n_rows, fan_out, rank, n_threads)
        _multiply(addresses, h, False, W, False, b, y, i, i_end, j, j_end)
        if layer != code and layer != last:
            _activate(addresses, numbers[SLOPE], y, i, i_end, j, j_end)
        meet(meeting, n_threads)
        if layer == code:
            _draw(addresses, y, eps, k, is_vae, top, bottom, z, kl)
            meet(meeting, n_threads)

    output = matrix_at(work, n * layers[last, OUTPUT], n * k, layers[last, FAN_OUT])
    d_logits = matrix_at(work, d_output, n * k, layers[last, FAN_OUT])
    learned = settings[LOG_NOISE_VAR]
    log_noise_var = theta[learned] if learned >= 0 else numbers[FIXED_LOG_NOISE_VAR]
    _reconstruct(addresses, x, output, k, log_noise_var, top, bottom, reconstruction, squares, d_logits)
    if is_iwae:
        codes = matrix_at(work, n * layers[code, OUTPUT], n, layers[code, FAN_OUT])
        _weigh(
            addresses, codes, eps, z, k, numbers[BETA], top, bottom, reconstruction, weights, bound, squares,
            d_logits,
        )  # fmt: skip
    meet(meeting, n_threads)

    for layer in range(last, -1, -1):
        fan_in, fan_out = layers[layer, FAN_IN], layers[layer, FAN_OUT]
        n_rows = n * layers[layer, ROWS_OF_ONE]
        h = matrix_at(work, n * layers[layer, INPUT], n_rows, fan_in) if layer > 0 else x
        dy = matrix_at(work, d_output, n_rows, fan_out)
        is_head = is_vae and layer == code
        d_flat = d_heads if is_head else gradient
        dW = matrix_at(d_flat, layers[layer, WEIGHTS], fan_in, fan_out)
        db = vector_at(d_flat, layers[layer, BIAS], fan_out)
        i, i_end, j, j_end = _block(fan_in, fan_out, rank, n_threads)
        _multiply(addresses, h, True, dy, False, no_bias, dW, i, i_end, j, j_end)
        _sum_columns(addresses, dy, db, rank * fan_out // n_threads, (rank + 1) * fan_out // n_threads)
        if layer > 0:
            W = matrix_at(heads if is_head else theta, layers[layer, WEIGHTS], fan_in, fan_out)
            dh = matrix_at(work, d_input, n_rows, fan_in)
            i, i_end, j, j_end = _block(n_rows, fan_in, rank, n_threads)
            _multiply(addresses, dy, False, W, True, no_bias, dh, i, i_end, j, j_end)
            if layer != code + 1:
                _carry_back(addresses, numbers[SLOPE], h, dh, i, i_end, j, j_end)
            d_output, d_input = d_input, d_output
        meet(meeting, n_threads)
        if layer == code + 1 and is_vae:
            codes = matrix_at(work, n * layers[code, OUTPUT], n, layers[code, FAN_OUT])
            d_codes = matrix_at(work, d_input, n, layers[code, FAN_OUT])
            dz = matrix_at(work, d_output, n * k, fan_in)
            _carry_back_to_heads(
                addresses, dz, z, eps, codes, weights, k, is_iwae, numbers[BETA], top, bottom, d_codes
            )
            d_output, d_input = d_input, d_output
            meet(meeting, n_threads)

    if rank == 0:
        if is_vae:
            scatter_heads(d_heads, layers[code, FAN_IN], settings[LATENT_DIM], gradient, settings[HEADS])
        results[RECONSTRUCTION] = _sum_of(addresses, reconstruction) / np.float32(n * k)
        results[KL] = _sum_of(addresses, kl) / np.float32(n)
        if is_iwae:
            results[BOUND] = _sum_of(addresses, bound) / np.float32(n)
        if learned >= 0:
            surplus = np.float32(x.shape[1]) - _sum_of(addresses, squares) / np.float32(n * k)
            gradient[learned] = surplus / _TWO
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
def _block(n_rows, n_columns, rank, n_threads):
    """Return a thread's part of a product: some of its rows, or of its columns if there are more of these."""
    by_rows = n_rows >= n_columns
    size, unit = (n_rows, ROWS) if by_rows else (n_columns, _COLUMNS)
    length = -(-size // (unit * n_threads)) * unit
    start = min(rank * length, size)
    end = min(start + length, size)
    return (start, end, 0, n_columns) if by_rows else (0, n_rows, start, end)
