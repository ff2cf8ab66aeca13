"""What a QTensor means and takes to store, from its fields alone, one weight and one field at a time."""

from collections.abc import Iterator

import numpy as np

import hwsim

BITS = {"none": 0, "sign": 1, "int4": 4, "int8": 8, "e8m0": 8, "e4m3": 8, "fp16": 16, "fp32": 32}


def at(q: hwsim.QTensor, field: np.ndarray, n: int, k: int) -> float:
    """The entry of ``field`` [1|N, 1|G] that holds for weight (n, k)."""
    group = (n * q.k + k if q.flat_groups else k) // q.group_size
    return field[n if len(field) > 1 else 0, group if field.shape[1] > 1 else 0].item()


def alphabet(q: hwsim.QTensor, n: int, k: int) -> list[float | complex]:
    """Float64 values of weight (n, k), one for each code (of pairs: of both tables), outliers left out."""
    codes = range(1 << q.code_bits)
    scale, channel = at(q, q.scale, n, k), q.channel_scale[n].item()
    if q.imaginary_scale is not None:
        return [1j**code * (q.imaginary_scale.item() if code % 2 else scale) * channel for code in codes]
    if q.plane_weights is not None:
        low = 0 if q.plane_alphabet == "01" else -1
        weights = [at(q, plane, n, k) for plane in q.plane_weights]
        values = [sum(a * (1 if code >> i & 1 else low) for i, a in enumerate(weights)) for code in codes]
    elif q.envelope is not None:
        planes = [float(u[n].astype(float) @ v[:, k]) for u, v in zip(q.envelope.u, q.envelope.v, strict=True)]
        values = [sum(a if code >> i & 1 else -a for i, a in enumerate(planes)) for code in codes]
    else:
        table = 0 if q.select is None else at(q, q.select, n, k)
        width = q.code_bits if q.codebook.table_bits is None else q.codebook.table_bits[table].item()
        special = q.codebook.special if q.codebook.special is not None else [False] * (1 << q.code_bits)
        values = [v for v, s in zip(q.codebook.values[table].tolist()[: 1 << width], special, strict=False) if not s]
        if q.pairs:
            values += q.codebook.values[1].tolist()
    zero = 0 if q.zero_point is None else at(q, q.zero_point, n, k)
    offset = 0 if q.offset is None else at(q, q.offset, n, k)
    return [((value - zero) * scale + offset) * channel for value in values]


def alphabets(q: hwsim.QTensor) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Row, the k of each of its groups (of each weight, where weights differ), and the `alphabet` of all of them."""
    size = 1 if q.envelope is not None or q.flat_groups else q.group_size
    for n in range(q.n):
        for first in range(0, q.k, size):
            yield n, np.arange(first, min(first + size, q.k)), np.array(alphabet(q, n, first))


def stored_bits(q: hwsim.QTensor) -> int:
    """Payload before padding: codes as they travel, and everything else."""
    if q.transport == "trits":
        total = 8 * -(-q.codes.size // 5)
    elif q.transport == "mask":
        total = q.codes.size + int((q.codes != 0).sum())
    elif q.codebook.table_bits is not None:
        assert q.select is not None
        total = sum(int(q.codebook.table_bits[at(q, q.select, n, k)]) for n in range(q.n) for k in range(q.k))
    else:
        total = q.code_bits * q.codes.size
    return total + metadata_bits(q)


def metadata_bits(q: hwsim.QTensor) -> int:
    """Every stored number but the codes by its width."""
    total = 0
    scales = q.scale if q.plane_weights is None else q.plane_weights
    total += BITS[q.scale_kind] * scales.size
    total += {"int4": 16 * q.n, "int8": 16 * q.n, "e4m3": 32}.get(q.scale_kind, 0)  # what these are multiples of
    total += 0 if q.offset is None else BITS[q.offset_kind] * q.offset.size
    total += 0 if q.zero_point is None else q.code_bits * q.zero_point.size
    total += 0 if q.imaginary_scale is None else BITS[q.scale_kind]
    if q.codebook.entry_bits:
        total += q.codebook.entry_bits * q.codebook.values.size
    elif q.select is not None:
        total += q.select.size * (len(q.codebook.values) - 1).bit_length()
    if q.sparse is not None:
        column = 16 if q.format == "range_aware" else 32
        total += (q.sparse.value_bits + column) * q.sparse.index.size + 32 * q.n
    for part in (q.envelope, q.token):
        total += sum(16 * array.size for array in vars(part).values()) if part is not None else 0
    return total
