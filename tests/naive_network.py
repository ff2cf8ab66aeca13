"""A network's integers, computed the slow and obvious way from its fields alone."""

import itertools
import math

import numpy as np

from hwsim.network import Network


def naive_run(network: Network, x: np.ndarray) -> dict[str, np.ndarray]:
    """int64 result of every node; nothing here calls a method of an operator."""
    values: dict[str, np.ndarray] = {}
    for node in network.nodes:
        inputs = [values[name] for name in node.inputs]
        compute = globals()[f"_{type(node.operator).__name__.lower()}"]
        values[node.name] = compute(node.operator, *(inputs or [x])).astype(np.int64)
    return values


def naive_outputs(network: Network, x: np.ndarray) -> np.ndarray:
    """Real outputs float64."""
    return naive_run(network, x)[network.nodes[-1].name] * network.output_scale


def _input(operator, x):
    scaled = np.asarray(x, np.float64) / operator.scale
    return np.minimum(np.maximum(np.round(scaled), operator.low), operator.high)


def _weights(weight):
    """int64[N, K]: what one activation is multiplied by in all, group scale and offset included."""
    full = np.zeros(weight.codes.shape, dtype=np.int64)
    for n, k in itertools.product(*map(range, full.shape)):
        group = k // weight.group_size
        if weight.plane_weights is not None:
            signed = weight.plane_alphabet == "+-1"
            for plane, values in enumerate(weight.plane_weights):
                bit = int(weight.codes[n, k]) >> plane & 1
                step = int(values[n % len(values), group % values.shape[1]])
                full[n, k] += int(weight.scale[n, group]) * (2 * bit - 1 if signed else bit) * step
            full[n, k] += 0 if weight.offset is None else int(weight.offset[n, group])
            continue
        table = 0 if weight.select is None else weight.select[n % len(weight.select), group % weight.select.shape[1]]
        full[n, k] = int(weight.scale[n, group]) * int(weight.codebook.values[table, weight.codes[n, k]])
        if weight.offset is not None:
            full[n, k] += int(weight.offset[n, group])
    return full


def _quantize(sums, quantizer):
    """``sums`` int64[..., N] through the output quantizer."""
    if quantizer.sum_shift:
        sums = np.floor_divide(sums + (1 << (quantizer.sum_shift - 1)), 1 << quantizer.sum_shift)
    total = sums + quantizer.bias.astype(np.int64)
    assert np.abs(total).max(initial=0) < 1 << 31
    if quantizer.threshold:
        return np.where((total >= 0) ^ quantizer.invert, quantizer.high, quantizer.low)
    shift = quantizer.shift.astype(np.int64)
    half = np.array([1 << int(s - 1) for s in shift], dtype=np.int64)
    scaled = (total * quantizer.multiplier.astype(np.int64) + half) >> shift
    return np.minimum(np.maximum(scaled, quantizer.low), quantizer.high)


def _linear(operator, x):
    return _quantize(np.einsum("...k,nk->...n", x, _weights(operator.weight)), operator.quantizer)


def _conv(operator, x):
    weight = _weights(operator.weight).reshape(operator.weight.shape)
    channels_out, per_group, *kernel = weight.shape
    padding = [(0, 0), (0, 0), *((p, p) for p in operator.padding)]
    padded = np.pad(x, padding, constant_values=operator.pad_value)
    axes = list(zip(padded.shape[2:], kernel, operator.stride, operator.dilation, strict=True))
    out = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in axes]
    result = np.zeros((len(x), channels_out, *out), dtype=np.int64)
    block = channels_out // operator.groups
    for channel in range(channels_out):
        first = (channel // block) * per_group
        for tap in itertools.product(*map(range, kernel)):
            where = tuple(
                slice(t * d, t * d + (o - 1) * s + 1, s) for t, o, (_, _, s, d) in zip(tap, out, axes, strict=True)
            )
            part = padded[(slice(None), slice(first, first + per_group), *where)]
            result[:, channel] += np.einsum("bc...,c->b...", part, weight[(channel, slice(None), *tap)])
    return np.moveaxis(_quantize(np.moveaxis(result, 1, -1), operator.quantizer), -1, 1)


def _merged(operator, bits):
    """±1 [outputs, N] of bits [outputs, window, splits * N]: pooled as sums would be, then one vote per split."""
    outputs = bits.shape[2] // operator.splits
    result = np.zeros((len(bits), outputs), dtype=np.int64)
    for position, n in itertools.product(range(len(bits)), range(outputs)):
        votes = 0
        for split in range(operator.splits):
            column = split * outputs + n
            seen = bits[position, :, column]
            votes += int(min(seen) if operator.quantizer.invert[column] else max(seen))
        result[position, n] = 1 if votes >= 0 else -1
    return result


def _splitlinear(operator, x):
    size = operator.weight.codes.shape[1]
    weight = _weights(operator.weight).reshape(operator.splits, -1, size)
    flat = x.reshape(-1, operator.splits, size)
    sums = np.einsum("msk,snk->msn", flat, weight).reshape(len(flat), 1, -1)
    return _merged(operator, _quantize(sums, operator.quantizer)).reshape(*x.shape[:-1], -1)


def _splitconv(operator, x):
    size = operator.weight.codes.shape[1]
    weight = _weights(operator.weight).reshape(operator.splits, -1, size)
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in operator.padding)], constant_values=operator.pad_value)
    axes = list(zip(padded.shape[2:], operator.kernel, operator.stride, operator.dilation, operator.pool, strict=True))
    out = [((extent - d * (k - 1) - 1) // s + 1) // p for extent, k, s, d, p in axes]
    result = np.zeros((len(x), weight.shape[1], *out), dtype=np.int64)
    for position in itertools.product(*map(range, out)):
        bits = []
        for inside in itertools.product(*map(range, operator.pool)):
            start = [(o * p + i) * s for o, i, (_, _, s, _, p) in zip(position, inside, axes, strict=True)]
            where = tuple(slice(b, b + d * (k - 1) + 1, d) for b, (_, k, _, d, _) in zip(start, axes, strict=True))
            patch = padded[(slice(None), slice(None), *where)].reshape(len(x), operator.splits, size)
            bits.append(np.einsum("bsk,snk->bsn", patch, weight).reshape(len(x), -1))
        pooled = _quantize(np.stack(bits, axis=1), operator.quantizer)
        result[(slice(None), slice(None), *position)] = _merged(operator, pooled)
    return result


def _requantize(operator, x):
    return np.moveaxis(_quantize(np.moveaxis(x, 1, -1), operator.quantizer), -1, 1)


def _rescaled(operator, inputs):
    return [
        (x * b + 2 ** (c - 1)) // 2**c for x, b, c in zip(inputs, operator.multipliers, operator.shifts, strict=True)
    ]


def _add(operator, *inputs):
    total = 0
    for term in _rescaled(operator, inputs):
        total = total + term
    return np.minimum(np.maximum(total, operator.low), operator.high)


def _concat(operator, *inputs):
    return np.concatenate(
        [np.minimum(np.maximum(term, operator.low), operator.high) for term in _rescaled(operator, inputs)], axis=1
    )


def _windows(operator, x):
    """Every output position with the slices of ``x`` (unpadded) that its window covers."""
    sizes = x.shape[2:]
    out = [
        (size + 2 * p - k) // s + 1
        for size, k, s, p in zip(sizes, operator.kernel, operator.stride, operator.padding, strict=True)
    ]
    for position in itertools.product(*map(range, out)):
        where = tuple(
            slice(max(i * s - p, 0), min(i * s - p + k, size))
            for i, s, p, k, size in zip(
                position, operator.stride, operator.padding, operator.kernel, sizes, strict=True
            )
        )
        yield position, x[(slice(None), slice(None), *where)].reshape(*x.shape[:2], -1)


def _maxpool(operator, x):
    result = {position: window.max(axis=-1) for position, window in _windows(operator, x)}
    return _assembled(operator, x, result)


def _avgpool(operator, x):
    result = {}
    for position, window in _windows(operator, x):
        scaled = (window.sum(axis=-1) * operator.multiplier + 2 ** (operator.shift - 1)) // 2**operator.shift
        result[position] = np.minimum(np.maximum(scaled, operator.low), operator.high)
    return _assembled(operator, x, result)


def _assembled(operator, x, result):
    out = [1 + max(position[axis] for position in result) for axis in range(len(operator.kernel))]
    full = np.zeros((*x.shape[:2], *out), dtype=np.int64)
    for position, value in result.items():
        full[(slice(None), slice(None), *position)] = value
    return full


def _flatten(operator, x):
    return x.reshape(len(x), math.prod(x.shape[1:]))


def _relu(operator, x):
    return np.where(x > 0, x, 0)


def _dynamicmatmul(operator, x, w):
    columns = np.swapaxes(w, -1, -2) if operator.transposed else w
    return _quantize(np.einsum("...mk,...kn->...mn", x, columns), operator.quantizer)


def _rounded(operator, value):
    return np.minimum(np.maximum(np.round(value / operator.output_scale), operator.low), operator.high)


def _softmax(operator, x):
    result = np.zeros(x.shape)
    for row in itertools.product(*map(range, x.shape[:-1])):
        seen = [True] * x.shape[-1]
        if operator.mask is not None:
            seen = operator.mask[row[len(row) + 1 - operator.mask.ndim :]]
        largest = max(v for v, s in zip(x[row], seen, strict=True) if s)
        powers = [
            round(math.exp(operator.scale * int(v - largest)) * 2**30) if s else 0
            for v, s in zip(x[row], seen, strict=True)
        ]
        result[row] = [power / sum(powers) for power in powers]
    return _rounded(operator, result)


def _gelu(operator, x):
    def gelu(v):
        if operator.approximate == "tanh":
            return v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))
        return v / 2 * (1 + math.erf(v / math.sqrt(2)))

    return _rounded(operator, np.vectorize(gelu, otypes=[float])(x * operator.scale))


def _layernorm(operator, x):
    result = np.zeros(x.shape)
    size = x.shape[-1]
    for row in itertools.product(*map(range, x.shape[:-1])):
        values = [int(v) for v in x[row]]
        variance = size * sum(v * v for v in values) - sum(values) ** 2
        root = math.sqrt(variance + size**2 * operator.epsilon / operator.scale**2)
        for i, value in enumerate(values):
            result[(*row, i)] = operator.gain[i] * ((size * value - sum(values)) / root) + operator.bias[i]
    return _rounded(operator, result)


def _embedding(operator, x):
    return np.array([operator.table[int(index)] for index in x.reshape(-1)]).reshape(*x.shape, -1)


def _addconstant(operator, x):
    scaled = (x * operator.multiplier + 2 ** (operator.shift - 1)) // 2**operator.shift
    return np.minimum(np.maximum(scaled + operator.value, operator.low), operator.high)


def _reshape(operator, x):
    return x.reshape(len(x), *operator.shape)


def _permute(operator, x):
    return np.moveaxis(x, [axis + 1 for axis in operator.order], range(1, x.ndim))


def _joinconstant(operator, x):
    scaled = (x * operator.multiplier + 2 ** (operator.shift - 1)) // 2**operator.shift
    rows = [[*operator.value, *sample] if operator.before else [*sample, *operator.value] for sample in scaled]
    return np.minimum(np.maximum(np.array(rows), operator.low), operator.high)


def _mean(operator, x):
    total = x
    for axis in reversed(operator.axes):
        total = sum(np.take(total, [i], axis + 1) for i in range(total.shape[axis + 1]))
        total = total if operator.keep else np.squeeze(total, axis + 1)
    scaled = (total * operator.multiplier + 2 ** (operator.shift - 1)) // 2**operator.shift
    return np.minimum(np.maximum(scaled, operator.low), operator.high)


def _slice(operator, x):
    for axis, (start, stop) in enumerate(zip(operator.starts, operator.stops, strict=True)):
        x = np.take(x, range(start, stop), axis + 1)
    kept = [size for axis, size in enumerate(x.shape[1:]) if axis not in operator.dropped]
    return x.reshape(len(x), *kept)
