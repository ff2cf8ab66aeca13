"""Loops over neighbouring columns as vector instructions, which aliasing of arrays keeps Numba from finding.

A row is LANES floats side by side; results are those of the same operations on each of them.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 64
"""Columns of one pass."""


def _vector(context, scalar):
    return ir.VectorType(context.get_value_type(scalar), LANES)


def _pointer(context, builder, array_type, array):
    """Address of an array's first element."""
    return context.make_array(array_type)(context, builder, array).data


def _row(builder, base, index, vector):
    """Address of row ``index`` of LANES floats, as a vector's."""
    start = builder.mul(index, ir.Constant(index.type, LANES))
    return builder.bitcast(builder.gep(base, [start]), vector.as_pointer())


def _load(builder, address, element):
    value = builder.load(address)
    value.align = element
    return value


def _all(builder, scalar, vector):
    """A vector of equal elements."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)


def _fma(builder, vector, a, b, c):
    """a * b + c, rounded once."""
    name = f"llvm.fma.v{LANES}f{32 if isinstance(vector.element, ir.FloatType) else 64}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
    return builder.call(function, [a, b, c])


AT_ONCE = 8
"""Rows that `add_rows` adds."""


@intrinsic
def add_rows(typingctx, table, chosen, total):
    """``total[c] += sum over i of table[i, chosen[i], c]`` for AT_ONCE rows, added as a balanced tree.

    ``table`` is float[AT_ONCE, patterns, LANES], ``chosen`` uint8[AT_ONCE], ``total`` float[LANES], all contiguous.
    """

    def codegen(context, builder, signature, args):
        base, index, out = (_pointer(context, builder, t, a) for t, a in zip(signature.args, args, strict=True))
        vector = _vector(context, table.dtype)
        size = 4 if table.dtype == types.float32 else 8
        patterns = cgutils.unpack_tuple(builder, context.make_array(table)(context, builder, args[0]).shape)[1]
        rows = []
        for i in range(AT_ONCE):
            place = ir.Constant(patterns.type, i)
            pattern = builder.zext(builder.load(builder.gep(index, [place])), patterns.type)
            row = builder.add(builder.mul(place, patterns), pattern)
            rows.append(_load(builder, _row(builder, base, row, vector), size))
        while len(rows) > 1:
            rows = [builder.fadd(a, b) for a, b in zip(rows[::2], rows[1::2], strict=True)]
        target = builder.bitcast(out, vector.as_pointer())
        store = builder.store(builder.fadd(_load(builder, target, size), rows[0]), target)
        store.align = size
        return context.get_dummy_value()

    return types.void(table, chosen, total), codegen


@intrinsic
def extend(typingctx, table, change, top):
    """``table[2**top + i] = table[i] + change`` for every i below 2**top; rows of LANES, C-contiguous."""

    def codegen(context, builder, signature, args):
        base = _pointer(context, builder, table, args[0])
        vector = _vector(context, table.dtype)
        size = 4 if table.dtype == types.float32 else 8
        added = _load(builder, builder.bitcast(_pointer(context, builder, change, args[1]), vector.as_pointer()), size)
        half = builder.shl(ir.Constant(args[2].type, 1), args[2])
        with cgutils.for_range(builder, half) as loop:
            value = builder.fadd(_load(builder, _row(builder, base, loop.index, vector), size), added)
            store = builder.store(value, _row(builder, base, builder.add(loop.index, half), vector))
            store.align = size
        return context.get_dummy_value()

    return types.void(table, change, top), codegen


@intrinsic
def above(typingctx, values, limits, out):
    """``out[c] = values[c] > limits[c]``: float[LANES] of one type, uint8[LANES], contiguous."""

    def codegen(context, builder, signature, args):
        vector = _vector(context, values.dtype)
        size = 4 if values.dtype == types.float32 else 8
        first, second = (
            _load(builder, builder.bitcast(_pointer(context, builder, t, a), vector.as_pointer()), size)
            for t, a in zip(signature.args[:2], args[:2], strict=True)
        )
        octets = ir.VectorType(ir.IntType(8), LANES)
        target = builder.bitcast(_pointer(context, builder, out, args[2]), octets.as_pointer())
        store = builder.store(builder.zext(builder.fcmp_ordered(">", first, second), octets), target)
        store.align = 1
        return context.get_dummy_value()

    return types.void(values, limits, out), codegen


@intrinsic
def climb(typingctx, cells, rows, pieces, count, out):
    """Voltage and current of LANES ladders of resistors from their far ends, where they are 1 and 0, into ``out``.

    For the first ``count`` of ``rows`` int64[]: ``current += cells[row] * voltage`` and ``voltage += pieces[i] *
    current``, each rounded once. ``cells`` is float[rows, LANES], ``out`` float[2, LANES]: voltage, current.
    """

    def codegen(context, builder, signature, args):
        base, index, wire = (
            _pointer(context, builder, t, a) for t, a in zip(signature.args[:3], args[:3], strict=True)
        )
        target = _pointer(context, builder, signature.args[4], args[4])
        vector = _vector(context, cells.dtype)
        size = 4 if cells.dtype == types.float32 else 8
        volts = cgutils.alloca_once_value(builder, ir.Constant(vector, [1.0] * LANES))
        amperes = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        with cgutils.for_range(builder, args[3]) as loop:
            row = builder.load(builder.gep(index, [loop.index]))
            piece = _all(builder, builder.load(builder.gep(wire, [loop.index])), vector)
            cell = _load(builder, _row(builder, base, row, vector), size)
            current = _fma(builder, vector, cell, builder.load(volts), builder.load(amperes))
            builder.store(current, amperes)
            builder.store(_fma(builder, vector, piece, current, builder.load(volts)), volts)
        for place, held in enumerate((volts, amperes)):
            address = _row(builder, target, ir.Constant(ir.IntType(64), place), vector)
            store = builder.store(builder.load(held), address)
            store.align = size
        return context.get_dummy_value()

    return types.void(cells, rows, pieces, count, out), codegen
