"""How many bits a QTensor takes, metadata included: the one place that counts."""

import math

import numpy as np

from hwsim.qtensor import KIND_BITS, QTensor

TRITS_PER_BYTE = 5


def storage_bits(q: QTensor) -> int:
    """Bits before padding to bytes: codes, scales, offsets, selectors, codebooks, outliers, extras."""
    return code_storage_bits(q) + metadata_bits(q)


def code_storage_bits(q: QTensor) -> int:
    """Bits of the codes as they travel (``transport``)."""
    if q.transport == "trits":
        return 8 * -(-q.codes.size // TRITS_PER_BYTE)
    if q.transport == "mask":
        return q.codes.size + int(np.count_nonzero(q.codes))
    if q.transport == "rans":
        from hwsim.transports import encoded_bits

        return encoded_bits(q)
    if q.codebook.table_bits is None or q.select is None:
        return q.code_bits * q.codes.size
    return int(q.spread(q.codebook.table_bits[q.select]).sum(dtype=np.int64))


def metadata_bits(q: QTensor) -> int:
    """Bits of everything but the codes."""
    scales = q.scale if q.plane_weights is None else q.plane_weights
    total = KIND_BITS[q.scale_kind] * scales.size
    if q.offset is not None:
        total += KIND_BITS[q.offset_kind] * q.offset.size
    if q.zero_point is not None:
        total += q.code_bits * q.zero_point.size
    if q.lowered:
        total += 32 * q.n  # channel_scale
    elif q.scale_kind in ("int4", "int8"):
        total += 16 * q.n  # the channel's scale that these are multiples of
    elif q.scale_kind == "e4m3":
        total += 32  # the tensor's scale that these are multiples of
    if q.select is not None and not q.codebook.entry_bits:
        total += math.ceil(math.log2(q.codebook.tables)) * q.select.size
    total += q.codebook.entry_bits * q.codebook.mantissas.size
    if q.imaginary_scale is not None:
        total += KIND_BITS[q.scale_kind]
    if q.sparse is not None:
        total += (q.sparse.value_bits + q.sparse.index_bits) * q.sparse.index.size + q.sparse.row_bits * q.n
    for part in (q.envelope, q.token):
        if part is not None:
            total += sum(_float_bits(array) * array.size for array in vars(part).values())
    return total


def _float_bits(array: np.ndarray) -> int:
    """16 where fp16 holds every value, else 32."""
    with np.errstate(over="ignore"):
        return 16 if (array.astype(np.float16) == array).all() else 32
