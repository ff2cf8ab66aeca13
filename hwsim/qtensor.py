"""The one tensor type: codes, exact codebooks, group scales, and what some formats add.

A weight is ``channel_scale[n] * (scale * value + offset)``, scale and offset those of the group
that it lies in. ``value`` is the codebook's entry of its code or, with ``plane_weights``, the sum of
the code's bits times the group's plane weights. Outliers, pairs, low-rank envelopes and token
scales are added by the formats that have them. A *lowered* tensor (`hwsim.lower`) holds
scales and offsets as integers, so that the bracket is what the hardware multiplies by, exactly.
"""

import dataclasses
import functools
import hashlib
import math
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from hwsim.codebook import Codebook, frozen
from hwsim.errors import FormatError

Array = TypeVar("Array", np.ndarray, np.ndarray | None)
KIND_BITS: dict[str, int] = {"none": 0, "sign": 1, "int4": 4, "int8": 8, "e8m0": 8, "e4m3": 8, "fp16": 16, "fp32": 32}
"""Stored bits per scale or offset; "none" are all 1 (scales) or 0 (offsets)."""


def signed_bits(low: int, high: int) -> int:
    """Two's complement bits that hold ``low`` and ``high``."""
    return max((-low - 1).bit_length() if low < 0 else 0, max(high, 0).bit_length()) + 1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sparse:
    """Single weights beside the dense codes.

    Attributes:
        index: int64[S], ascending positions in the flattened tensor.
        value: float32[S].
        mode: added to the dense value, or instead of it.
        value_bits, index_bits: storage of each; ``row_bits`` per row (pointers).
    """

    index: np.ndarray
    value: np.ndarray
    mode: Literal["add", "override"] = "add"
    value_bits: int = 16
    index_bits: int = 32
    row_bits: int = 32


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Envelope:
    """Low-rank magnitudes of BitStack: plane i is ``sign_i * (u_i @ v_i)``.

    Attributes:
        u: float32[planes, N, rank].
        v: float32[planes, rank, K].
    """

    u: np.ndarray
    v: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TokenScale:
    """Scales that depend on the token (BinaryMoS): gates = softmax(router @ x) mix them.

    Attributes:
        router: float32[e, K]; [0, K] where there is one expert.
        s_in: float32[e, K].
        s_out: float32[e, N].
    """

    router: np.ndarray
    s_in: np.ndarray
    s_out: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class QTensor:
    """A quantized weight matrix [N, K] (output channel first, K = everything else, row-major).

    Attributes:
        format: name of the number format, e.g. ``"int4"``.
        shape: logical shape before flattening to [N, K].
        codes: uint8 or uint16 [N, K]; [Q] with ``tile``, element i reading code i mod Q.
        codebook: what codes mean; unused with ``plane_weights``, then its bits count the planes.
        select: uint16[1|N, 1|G], the codebook table of each group; None for table 0.
        group_size: consecutive k that share scale and offset; the last group may be shorter.
        flat_groups: groups run through the flattened tensor instead of each row.
        scale: [1|N, 1|G] (flat: [1, G]), float32 before lowering, int32 after.
        scale_kind: how a scale is stored.
        offset, offset_kind: likewise, None for all zero.
        zero_point: uint16 [1|N, 1|G], subtracted from a code's value before scaling, stored in as
            many bits as a code; None for 0. Lowering turns it into an offset.
        channel_scale: float32[N].
        plane_weights: float32[planes, 1|N, 1|G]: the weight of each bit of a code.
        plane_alphabet: what a plane's bit means: 0/1, or -1/+1.
        tile: how often the codes repeat through the flattened tensor.
        pairs: OliVe: a code 2**(bits-1) is a victim (0) whose neighbour reads table 1.
        imaginary_scale: float32[1, 1]: codes are powers of i; ``scale`` scales the real axis.
        sparse, envelope, token: see there.
        transport: how codes travel to the array: "raw", ternary ones as "trits" (five in a byte) or "mask" (a bit
            each, and a sign for those that are not 0), or "rans"; never changes values.
        lowering_error: largest |change| that lowering made to a decoded value, relative to
            the largest |value| of its channel.
    """

    format: str
    shape: tuple[int, ...]
    codes: np.ndarray
    codebook: Codebook
    group_size: int
    scale: np.ndarray
    scale_kind: str = "fp32"
    channel_scale: np.ndarray
    select: np.ndarray | None = None
    flat_groups: bool = False
    offset: np.ndarray | None = None
    offset_kind: str = "fp32"
    zero_point: np.ndarray | None = None
    plane_weights: np.ndarray | None = None
    plane_alphabet: str = "+-1"
    tile: int = 1
    pairs: bool = False
    imaginary_scale: np.ndarray | None = None
    sparse: Sparse | None = None
    envelope: Envelope | None = None
    token: TokenScale | None = None
    transport: str = "raw"
    lowering_error: float = 0.0

    def __post_init__(self) -> None:
        from hwsim.consistency import check

        check(self)
        for field in dataclasses.fields(self):
            array = getattr(self, field.name)
            if isinstance(array, np.ndarray):
                object.__setattr__(self, field.name, frozen(array))

    @property
    def n(self) -> int:
        """Output channels."""
        return self.shape[0]

    @property
    def k(self) -> int:
        """Length of the reduction."""
        return math.prod(self.shape[1:])

    @property
    def code_bits(self) -> int:
        """Stored bits of the widest code."""
        return self.codebook.bits

    @property
    def groups(self) -> int:
        """Groups per row; with ``flat_groups`` in all."""
        return -(-(self.n * self.k if self.flat_groups else self.k) // self.group_size)

    @property
    def lowered(self) -> bool:
        """Whether scales and offsets are integers, as datapaths need them."""
        return self.scale.dtype == np.int32

    @property
    def group_index(self) -> np.ndarray:
        """int64[K]: the group of each k, the same in every row (not with ``flat_groups``)."""
        return np.arange(self.k) // self.group_size

    def spread(self, values: np.ndarray) -> np.ndarray:
        """[..., N, K]: ``values`` [..., 1|N, 1|G], each where its group is."""
        if values.shape[-1] == 1:
            return np.broadcast_to(values, (*values.shape[:-2], self.n, self.k))
        if self.flat_groups:
            index = np.arange(self.n * self.k) // self.group_size
            return values[..., 0, index].reshape(*values.shape[:-2], self.n, self.k)
        return np.broadcast_to(values[..., self.group_index], (*values.shape[:-2], self.n, self.k))

    @functools.cached_property
    def expanded_codes(self) -> np.ndarray:
        """[N, K] codes, repeated where they are tiled."""
        if self.tile == 1:
            return self.codes
        return np.tile(self.codes, self.tile).reshape(self.n, self.k)

    @functools.cached_property
    def integers(self) -> np.ndarray:
        """[N, K] whole numbers that the hardware multiplies by, in units of ``2**exponent``.

        FormatError for formats that are not one dyadic value per weight.
        """
        from hwsim.decoding import integers

        values = integers(self)
        values.flags.writeable = False
        return values

    @property
    def exponent(self) -> int:
        """Power of two that `integers` are in units of."""
        return self.codebook.exponent

    @property
    def integer_bits(self) -> int:
        """Two's complement bits that hold every whole number of the codebook (of the weights, for planes)."""
        table = self.codebook.integers if self.plane_weights is None else self.integers
        return signed_bits(int(table.min()), int(table.max()))

    @property
    def storage_bits(self) -> int:
        """Bits to store, metadata included: before padding to bytes."""
        from hwsim.storage import storage_bits

        return storage_bits(self)

    @property
    def bits_per_weight(self) -> float:
        """`storage_bits` per weight."""
        return self.storage_bits / (self.n * self.k)

    @property
    def independent_rows(self) -> bool:
        """Whether output channels share nothing but tables, so that `rows` can cut between them."""
        return not (self.tile > 1 or self.flat_groups or self.sparse or self.envelope or self.token)

    def rows(self, low: int, high: int) -> "QTensor":
        """Output channels ``low`` to ``high - 1``; FormatError where rows are not independent."""
        if not self.independent_rows:
            raise FormatError(f"a QTensor of format {self.format!r} cannot be split by output channels; lower it first")
        chosen = slice(low, min(high, self.n))

        def rows_of(array: Array) -> Array:
            return array if array is None or array.shape[-2] == 1 else array[..., chosen, :]

        codes = self.codes[chosen]
        return dataclasses.replace(
            self, shape=(len(codes), *self.shape[1:]), codes=codes, scale=rows_of(self.scale),
            offset=rows_of(self.offset), select=rows_of(self.select), plane_weights=rows_of(self.plane_weights),
            channel_scale=self.channel_scale[chosen], zero_point=rows_of(self.zero_point),
        )  # fmt: skip

    def split(self, parts: int) -> list["QTensor"]:
        """``parts`` tensors of equally many consecutive output channels."""
        size = self.n // parts
        return [self.rows(low, low + size) for low in range(0, self.n, size)] if parts > 1 else [self]

    def dequantize(self) -> np.ndarray:
        """float32 (complex64 for complex formats) array of the logical shape: the decoded weights.

        Token scales are left out: they exist only together with an activation.
        """
        from hwsim.decoding import dequantize

        return dequantize(self)

    def save(self, path: str | Path) -> None:
        """Writes one safetensors file (format: docs/network-file.md); replaces it in one step."""
        from hwsim.qtensor_file import save

        save(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "QTensor":
        """Reads what `save` wrote, every field bit for bit. FormatError if the file is damaged or inconsistent."""
        from hwsim.qtensor_file import load

        return load(Path(path))

    @functools.cached_property
    def hash(self) -> str:
        """16 hex digits of a SHA-256 over everything the tensor stores."""
        digest = hashlib.sha256()
        _feed(digest, self)
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return f"QTensor({self.format}, shape={self.shape}, group_size={self.group_size}, lowered={self.lowered})"


def _feed(digest: "hashlib._Hash", value: object) -> None:
    """Adds a dataclass to ``digest``, field by field."""
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        item = getattr(value, field.name)
        digest.update(f"{field.name}:".encode())
        if isinstance(item, np.ndarray):
            digest.update(f"{item.dtype.str}{item.shape}".encode() + item.tobytes())
        elif dataclasses.is_dataclass(item):
            _feed(digest, item)
        else:
            digest.update(repr(item).encode())
