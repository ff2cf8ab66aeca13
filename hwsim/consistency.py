"""What must hold of a QTensor, whatever its format."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hwsim.errors import FormatError
from hwsim.kernels import codes as kernel
from hwsim.kernels import nearest

if TYPE_CHECKING:
    from hwsim.qtensor import QTensor

MAX_PLANES = 16
TRANSPORTS = ("raw", "trits", "mask", "rans")


def check(q: "QTensor") -> None:
    """FormatError, naming the field, unless every field of ``q`` fits the others."""
    from hwsim.qtensor import KIND_BITS

    def require(ok: bool, problem: str) -> None:
        if not ok:
            raise FormatError(f"QTensor of format {q.format!r}: {problem}")

    require(len(q.shape) >= 1 and min(q.shape) >= 1, f"shape {q.shape} has no elements")
    n, k = q.shape[0], math.prod(q.shape[1:])
    require(q.tile >= 1 and (n * k) % q.tile == 0, f"a tile repeated {q.tile} times does not fill {n * k} weights")
    stored = (n, k) if q.tile == 1 else (n * k // q.tile,)
    dtype = np.uint8 if q.code_bits <= 8 else np.uint16
    require(
        q.codes.dtype == dtype and q.codes.shape == stored,
        f"codes are {q.codes.dtype}{q.codes.shape}, expected {np.dtype(dtype)}{stored}",
    )
    require(q.group_size >= 1, f"group_size {q.group_size} is not positive")
    groups = -(-(n * k if q.flat_groups else k) // q.group_size)
    shapes = [(1, 1), (1, groups)] if q.flat_groups else [(1, 1), (n, 1), (1, groups), (n, groups)]
    require(q.scale.shape in shapes, f"scale has shape {q.scale.shape}, expected one of {shapes}")
    require(q.scale.dtype in (np.float32, np.int32), f"scale is {q.scale.dtype}, expected float32 or int32")
    require(bool(np.isfinite(q.scale).all()), "a scale is not finite")
    for name in ("scale_kind", "offset_kind"):
        require(getattr(q, name) in KIND_BITS, f"{name} {getattr(q, name)!r} is not one of {', '.join(KIND_BITS)}")
    if q.offset is not None:
        require(q.offset.shape in shapes, f"offset has shape {q.offset.shape}, expected one of {shapes}")
        require(q.offset.dtype == q.scale.dtype, "offset and scale differ in dtype")
        require(bool(np.isfinite(q.offset).all()), "an offset is not finite")
    if q.zero_point is not None:
        zero = q.zero_point
        require(zero.shape in shapes, f"zero_point has shape {zero.shape}, expected one of {shapes}")
        fits = zero.dtype == np.uint16 and int(zero.max()) < 1 << q.code_bits
        require(fits and not q.lowered, "zero_point is not uint16 of as many bits as a code, or the tensor is lowered")
    if q.select is not None:
        require(q.select.shape in shapes, f"select has shape {q.select.shape}, expected one of {shapes}")
        require(q.select.dtype == np.uint16 and int(q.select.max()) < q.codebook.tables, "select names no table")
    _check_codes(q, require)
    require(
        q.channel_scale.dtype == np.float32 and q.channel_scale.shape == (n,),
        f"channel_scale is {q.channel_scale.dtype}{q.channel_scale.shape}, expected float32({n},)",
    )
    finite = np.isfinite(q.channel_scale) & (q.channel_scale > 0)
    require(bool(finite.all()), "a channel scale is not finite and positive")
    require(0 <= q.lowering_error < math.inf, f"lowering_error {q.lowering_error} is not finite")
    require(q.transport in TRANSPORTS, f"transport {q.transport!r} is not one of {', '.join(TRANSPORTS)}")
    ternary = q.codebook.mantissas.shape == (1, 3) and q.plane_weights is None and q.envelope is None
    require(ternary or q.transport not in ("trits", "mask"), f"transport {q.transport!r} is of ternary codes only")
    _check_extras(q, shapes, require)
    if q.lowered:
        require(
            q.scale.shape == (n, groups) and q.tile == 1 and not q.flat_groups,
            "a lowered tensor has plain codes and one scale per row and group",
        )
        whole = q.plane_weights is not None or q.codebook.exponent == 0
        require(whole, "a lowered tensor's codebook is not in units of 1: its power of two is the channel scale's")


Require = Callable[[bool, str], None]


def _check_codes(q: "QTensor", require: Require) -> None:
    largest = int(q.codes.max())
    if q.plane_weights is not None or q.envelope is not None:
        require(q.code_bits <= MAX_PLANES and largest < 1 << q.code_bits, "a code has more bits than there are planes")
        return
    require(largest < q.codebook.mantissas.shape[1], "a code lies outside the codebook")
    if q.codebook.special is not None:
        seen = np.zeros(q.codebook.mantissas.shape[1], np.bool_)
        kernel.seen(q.codes.reshape(-1), seen)
        require(not (seen & q.codebook.special).any(), "a code means NaN or infinity")
    if q.codebook.table_bits is not None and q.select is not None:
        codes = q.expanded_codes.reshape((1, -1) if q.flat_groups else q.expanded_codes.shape)
        most = np.empty((len(codes), q.groups), codes.dtype)
        nearest.largest(codes, int(np.iinfo(codes.dtype).max), q.group_size, most)
        width = q.codebook.table_bits[q.select].astype(np.int64)
        require(bool((most < (1 << width)).all()), "a code has more bits than its group's table")


def _check_extras(q: "QTensor", shapes: list[tuple[int, int]], require: Require) -> None:
    n, k = q.shape[0], math.prod(q.shape[1:])
    require(q.plane_alphabet in ("01", "+-1"), f"plane_alphabet {q.plane_alphabet!r} is not '01' or '+-1'")
    if q.plane_weights is not None:
        weights = q.plane_weights
        fits = weights.ndim == 3 and weights.shape[0] == q.code_bits and weights.shape[1:] in shapes
        require(fits and weights.dtype == q.scale.dtype, f"plane_weights are {weights.dtype}{weights.shape}")
        require(bool(np.isfinite(weights).all()), "a plane weight is not finite")
    if q.pairs:
        require(k % 2 == 0 and q.codebook.tables == 2, "outlier pairs need an even K and two codebook tables")
        victims = q.expanded_codes == 1 << (q.code_bits - 1)
        require(not (victims[:, ::2] & victims[:, 1::2]).any(), "both weights of a pair are victims")
    if q.imaginary_scale is not None:
        scale = q.imaginary_scale
        require(scale.dtype == np.float32 and scale.shape == (1, 1) and bool(np.isfinite(scale).all()),
                "imaginary_scale is not one finite float32")  # fmt: skip
        require(q.code_bits == 2 and q.scale.shape == (1, 1), "complex codes are 2 bits with one scale per axis")
    if q.sparse is not None:
        index, value = q.sparse.index, q.sparse.value
        require(index.dtype == np.int64 and value.dtype == np.float32 and index.shape == value.shape == (index.size,),
                f"sparse index is {index.dtype}{index.shape}, value {value.dtype}{value.shape}")  # fmt: skip
        inside = index.size == 0 or (index[0] >= 0 and index[-1] < n * k and bool((np.diff(index) > 0).all()))
        require(inside and bool(np.isfinite(value).all()), "sparse positions are not ascending, or a value not finite")
        require(q.sparse.mode in ("add", "override"), f"sparse mode {q.sparse.mode!r}")
    if q.envelope is not None:
        u, v = q.envelope.u, q.envelope.v
        rank = u.shape[-1]
        fits = u.shape == (q.code_bits, n, rank) and v.shape == (q.code_bits, rank, k)
        require(fits and u.dtype == v.dtype == np.float32, f"envelope of shapes {u.shape} and {v.shape}")
        require(bool(np.isfinite(u).all() and np.isfinite(v).all()), "an envelope value is not finite")
    if q.token is not None:
        experts = len(q.token.s_in)
        routed = 0 if experts == 1 and not len(q.token.router) else experts
        shapes_of = {"router": (routed, k), "s_in": (experts, k), "s_out": (experts, n)}
        for name, shape in shapes_of.items():
            array = getattr(q.token, name)
            require(array.shape == shape and array.dtype == np.float32, f"token {name} has shape {array.shape}")
            require(bool(np.isfinite(array).all()), f"token {name} is not finite")
