"""The innermost loops of a matrix product, written in vector instructions.

A product is computed in tiles: `ROWS` rows by a few vectors of columns, small enough for all sums to stay in
registers from the first term to the last. Compilers do not find that form in a plain loop, so the
functions here give LLVM the vectors themselves; ``gemm.py`` cuts a product into tiles.

References
----------
Goto & van de Geijn (2008), Anatomy of high-performance matrix multiplication, section 4.
"""

from itertools import product
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

# The CPU features that numba was told to compile for, or those of this processor.
_FEATURES: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
if _FEATURES is None:
    _FEATURES = llvmlite.binding.get_host_cpu_features().flatten()

if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    VECTOR_BYTES, ROWS, VECTORS = 0, 0, 0
elif "+avx512f" in _FEATURES:
    VECTOR_BYTES, ROWS, VECTORS = 64, 8, 2
elif "+avx2" in _FEATURES and "+fma" in _FEATURES:
    VECTOR_BYTES, ROWS, VECTORS = 32, 4, 3
else:
    VECTOR_BYTES, ROWS, VECTORS = 0, 0, 0  # BLAS knows other processors better

INDEX = numba.types.intp


class _Vectors:
    """Vectors as wide as the processor's registers, of an array's entries, while a function is compiled."""

    def __init__(self, context: Any, builder: Any, array: Any) -> None:
        self.context, self.builder = context, builder
        self.element = context.get_value_type(array.dtype)
        self.lanes = VECTOR_BYTES // (array.dtype.bitwidth // 8)
        self.type = ir.VectorType(self.element, self.lanes)

    def address(self, kind: Any, array: Any, *offsets: Any) -> Any:
        """Return the address of the entry of a contiguous array that lies at the sum of the offsets."""
        data = self.context.data_model_manager[kind].get(self.builder, array, "data")
        for offset in offsets:
            data = self.builder.gep(data, [offset])
        return data

    def load(self, address: Any) -> Any:
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        return self.builder.load(pointer, align=self.element_bytes)

    def store(self, vector: Any, address: Any) -> None:
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        self.builder.store(vector, pointer, align=self.element_bytes)

    @property
    def element_bytes(self) -> int:
        return VECTOR_BYTES // self.lanes

    def filled_with(self, scalar: Any, kind: Any = None) -> Any:
        """Return a vector that holds the scalar in every lane."""
        undefined = ir.Constant(kind or self.type, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.IntType(32)(0))
        return self.shuffle(first, undefined, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, lanes: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), lanes)
        return self.builder.shuffle_vector(a, b, mask)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return a b + c, rounded once."""
        kind = ir.FunctionType(self.type, [self.type] * 3)
        name = f"llvm.fma.v{self.lanes}f{8 * self.element_bytes}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c])

    def load_first(self, n: Any, address: Any) -> Any:
        """Load the first n lanes, all if n is larger; the others are zero."""
        zeros = ir.Constant(self.type, [0.0] * self.lanes)
        return self._masked("load", self.type, [], n, address, [zeros])

    def store_first(self, n: Any, vector: Any, address: Any) -> None:
        """Store the first n lanes, all if n is larger."""
        self._masked("store", ir.VoidType(), [vector], n, address, [])

    def _masked(
        self, what: str, result: Any, before: list[Any], n: Any, address: Any, after: list[Any]
    ) -> Any:
        numbers = ir.Constant(ir.VectorType(n.type, self.lanes), list(range(self.lanes)))
        mask = self.builder.icmp_signed("<", numbers, self.filled_with(n, numbers.type))
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        arguments = [*before, pointer, ir.IntType(32)(self.element_bytes), mask, *after]
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        name = f"llvm.masked.{what}.v{self.lanes}f{8 * self.element_bytes}.p0"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)


def _make_multiply_tile(n_vectors: int) -> Any:
    @intrinsic
    def multiply_tile(
        typing_context: Any,
        a: Any, a_start: Any, a_row: Any, a_column: Any,
        terms: Any, terms_start: Any, n_terms: Any,
        panel: Any,
        y: Any, y_start: Any, y_row: Any, n_rows: Any, n_columns: Any,
    ) -> Any:  # fmt: skip
        """Compute y[m, j] = panel[0, j] + sum over some k of a[m, k] panel[1 + k, j] for one tile.

        All arrays are C-contiguous and addressed by flat indices. Entry (m, k) of a is at a_start +
        m a_row + k a_column, entry (m, j) of y at y_start + m y_row + j; a row of the panel is `n_vectors`
        full vectors. The k are `n_terms` entries of `terms`, from `terms_start` on. There are at most
        `ROWS` rows and at most as many columns as the panel has; other entries of y are not written.
        """
        signature = numba.types.void(a, *[INDEX] * 3, terms, *[INDEX] * 2, panel, y, *[INDEX] * 4)
        return signature, _generate

    def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_start, a_row, a_column, terms, terms_start, n_terms, panel, *rest = arguments
        y, y_start, y_row, n_rows, n_columns = rest
        kind_a, kind_terms, kind_panel, kind_y = (signature.args[i] for i in (0, 4, 7, 8))
        vectors, index = _Vectors(context, builder, kind_y), a_start.type
        last, cells = builder.sub(n_rows, index(1)), list(product(range(ROWS), range(n_vectors)))

        def row(m: int) -> Any:  # a missing row repeats the last one
            return builder.select(builder.icmp_signed("<", index(m), n_rows), index(m), last)

        rows_of_a = [vectors.address(kind_a, a, a_start, builder.mul(row(m), a_row)) for m in range(ROWS)]
        term = vectors.address(kind_terms, terms, terms_start)
        width = index(n_vectors * vectors.lanes)

        def row_of_panel(i: Any) -> list[Any]:
            start = vectors.address(kind_panel, panel, builder.mul(i, width))
            return [vectors.load(builder.gep(start, [index(v * vectors.lanes)])) for v in range(n_vectors)]

        starts = row_of_panel(index(0))
        before = builder.block
        loop, done = builder.append_basic_block("terms"), builder.append_basic_block("summed")
        builder.cbranch(builder.icmp_signed(">", n_terms, index(0)), loop, done)

        builder.position_at_end(loop)
        i = builder.phi(index)
        sums = [builder.phi(vectors.type) for _ in cells]
        k = builder.sext(builder.load(builder.gep(term, [i])), index)
        columns = row_of_panel(builder.add(k, index(1)))
        column_of_a = builder.mul(k, a_column)
        factors = [vectors.filled_with(builder.load(builder.gep(r, [column_of_a]))) for r in rows_of_a]
        new = [
            vectors.multiply_add(factors[m], columns[v], total)
            for (m, v), total in zip(cells, sums, strict=True)
        ]
        next_i = builder.add(i, index(1))
        builder.cbranch(builder.icmp_signed("<", next_i, n_terms), loop, done)
        i.add_incoming(index(0), before)
        i.add_incoming(next_i, loop)

        builder.position_at_end(done)
        totals = [builder.phi(vectors.type) for _ in cells]
        for (_, v), running, added, total in zip(cells, sums, new, totals, strict=True):
            for phi in (running, total):
                phi.add_incoming(starts[v], before)
                phi.add_incoming(added, loop)

        def places() -> Any:
            for (m, v), total in zip(cells, totals, strict=True):
                where = vectors.address(kind_y, y, y_start, builder.mul(row(m), y_row))
                yield v * vectors.lanes, total, builder.gep(where, [index(v * vectors.lanes)])

        full = builder.icmp_signed(">=", n_columns, width)
        with builder.if_else(full) as (whole, part):
            with whole:
                for _, total, where in places():
                    vectors.store(total, where)
            with part:
                for first, total, where in places():
                    vectors.store_first(builder.sub(n_columns, index(first)), total, where)
        return context.get_dummy_value()

    return multiply_tile


# By the number of vectors in a row of the tile.
multiply_narrow_tile, multiply_tile = (_make_multiply_tile(n) for n in (1, max(VECTORS, 1)))


@intrinsic
def copy_vector(typing_context: Any, x: Any, x_start: Any, y: Any, y_start: Any, n: Any) -> Any:
    """Copy n entries from x (at x_start) to y (at y_start); fill the rest of the vector with zeros."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, x_start, y, y_start, n = arguments
        vectors = _Vectors(context, builder, signature.args[0])
        source = vectors.address(signature.args[0], x, x_start)
        target = vectors.address(signature.args[2], y, y_start)
        with builder.if_else(builder.icmp_signed(">=", n, n.type(vectors.lanes))) as (whole, part):
            with whole:
                vectors.store(vectors.load(source), target)
            with part:
                vectors.store(vectors.load_first(n, source), target)
        return context.get_dummy_value()

    return numba.types.void(x, INDEX, y, INDEX, INDEX), generate


@intrinsic
def transpose_square(
    typing_context: Any, x: Any, x_start: Any, x_row: Any, y: Any, y_start: Any, y_row: Any
) -> Any:
    """Write the transpose of a square block of x, as wide as a vector is long, into y.

    Both arrays are C-contiguous and addressed by flat indices: entry (i, j) of the block of x is
    at x_start + i x_row + j, entry (j, i) of y at y_start + j y_row + i.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, x_start, x_row, y, y_start, y_row = arguments
        kind_x, kind_y = signature.args[0], signature.args[3]
        vectors, index = _Vectors(context, builder, kind_x), x_start.type
        n = vectors.lanes
        rows = [
            vectors.load(vectors.address(kind_x, x, x_start, builder.mul(index(i), x_row))) for i in range(n)
        ]
        # Swap the off-diagonal quarters of the block, then those of each quarter, and so on.
        half = n // 2
        while half:
            upper = [lane if not lane & half else lane - half + n for lane in range(n)]
            lower = [lane + half if not lane & half else lane + n for lane in range(n)]
            for i in range(n):
                if not i & half:
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = vectors.shuffle(*pair, upper), vectors.shuffle(*pair, lower)
            half //= 2
        for j in range(n):
            vectors.store(rows[j], vectors.address(kind_y, y, y_start, builder.mul(index(j), y_row)))
        return context.get_dummy_value()

    return numba.types.void(x, INDEX, INDEX, y, INDEX, INDEX), generate
