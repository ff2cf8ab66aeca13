"""The one tensor type: codes, a codebook of exact dyadic values, group scales.

A weight is ``channel_scale[n] * (scale[n, g] * codebook[code] * 2**exponent + offset[n, g])``
with g the group that k lies in. A *lowered* tensor holds scale and offset as integers, so
that the bracket is what the hardware multiplies by, exactly (docs/hardware.md).
"""

import dataclasses
import functools
import hashlib

import numpy as np

from hwsim.errors import FormatError


def signed_bits(low: int, high: int) -> int:
    """Two's complement bits that hold ``low`` and ``high``."""
    return max((-low - 1).bit_length() if low < 0 else 0, max(high, 0).bit_length()) + 1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class QTensor:
    """A quantized weight matrix [N, K] (output channel first, K = everything else, row-major).

    Attributes:
        format: name of the number format, e.g. ``"int4"``.
        shape: logical shape before flattening to [N, K].
        codes: uint8[N, K], each below ``len(codebook)``.
        code_bits: stored bits per code, 1..8.
        codebook: int64[<= 2**code_bits] mantissas.
        exponent: every codebook value is ``mantissa * 2**exponent``.
        group_size: consecutive k that share scale and offset; the last group may be shorter.
        scale: [N, G], float32 before lowering, int32 after.
        offset: [N, G] like ``scale``, or None for all zero.
        channel_scale: float32[N].
        lowering_error: largest |change| that lowering made to a decoded value, relative to
            the largest |value| of its channel.
    """

    format: str
    shape: tuple[int, ...]
    codes: np.ndarray
    code_bits: int
    codebook: np.ndarray
    exponent: int = 0
    group_size: int
    scale: np.ndarray
    offset: np.ndarray | None = None
    channel_scale: np.ndarray
    lowering_error: float = 0.0

    def __post_init__(self) -> None:
        self._check()
        for name in ("codes", "codebook", "scale", "offset", "channel_scale"):
            array = getattr(self, name)
            if array is not None:
                frozen = np.ascontiguousarray(array)
                if frozen is array and array.flags.writeable:
                    frozen = array.copy()
                frozen.flags.writeable = False
                object.__setattr__(self, name, frozen)

    def _check(self) -> None:
        def require(ok: bool, problem: str) -> None:
            if not ok:
                raise FormatError(f"QTensor of format {self.format!r}: {problem}")

        require(len(self.shape) >= 1 and min(self.shape) >= 1, f"shape {self.shape} has no elements")
        n, k = self.shape[0], int(np.prod(self.shape[1:], dtype=np.int64))
        require(1 <= self.code_bits <= 8, f"code_bits {self.code_bits} is not in 1..8")
        require(
            self.codes.dtype == np.uint8 and self.codes.shape == (n, k),
            f"codes are {self.codes.dtype}{self.codes.shape}, expected uint8{(n, k)}",
        )
        require(
            self.codebook.dtype == np.int64 and 1 <= self.codebook.size <= 1 << self.code_bits,
            f"codebook has {self.codebook.size} {self.codebook.dtype} entries for {self.code_bits} bits",
        )
        require(self.integer_bits <= 32, f"codebook values need {self.integer_bits} bits, more than 32")
        require(int(self.codes.max()) < self.codebook.size, "a code lies outside the codebook")
        require(self.group_size >= 1, f"group_size {self.group_size} is not positive")
        groups = (n, -(-k // self.group_size))
        require(self.scale.shape == groups, f"scale has shape {self.scale.shape}, expected {groups}")
        require(self.scale.dtype in (np.float32, np.int32), f"scale is {self.scale.dtype}")
        if self.offset is not None:
            require(self.offset.shape == groups, f"offset has shape {self.offset.shape}, expected {groups}")
            require(self.offset.dtype == self.scale.dtype, "offset and scale differ in dtype")
            require(bool(np.isfinite(self.offset).all()), "an offset is not finite")
        require(self.channel_scale.shape == (n,), f"channel_scale has shape {self.channel_scale.shape}")
        require(self.channel_scale.dtype == np.float32, f"channel_scale is {self.channel_scale.dtype}")
        require(bool(np.isfinite(self.scale).all()), "a scale is not finite")
        require(
            bool((np.isfinite(self.channel_scale) & (self.channel_scale > 0)).all()),
            "a channel scale is not finite and positive",
        )

    @property
    def n(self) -> int:
        """Output channels."""
        return self.codes.shape[0]

    @property
    def k(self) -> int:
        """Length of the reduction."""
        return self.codes.shape[1]

    @property
    def groups(self) -> int:
        """Groups per row."""
        return self.scale.shape[1]

    @property
    def lowered(self) -> bool:
        """Whether scales and offsets are integers, as datapaths need them."""
        return self.scale.dtype == np.int32

    @functools.cached_property
    def integers(self) -> np.ndarray:
        """int8 or wider [N, K]: the codebook mantissas that the hardware multiplies by."""
        fits = np.abs(self.codebook).max() <= 127 or (self.codebook.min() >= -128 and self.codebook.max() <= 127)
        table = self.codebook.astype(np.int8 if fits else np.int32)
        values = table[self.codes]
        values.flags.writeable = False
        return values

    @property
    def integer_bits(self) -> int:
        """Two's complement bits that hold every codebook mantissa."""
        return signed_bits(int(self.codebook.min()), int(self.codebook.max()))

    @property
    def storage_bits(self) -> int:
        """Bits to store: codes, 8-bit group scales and offsets where there are any, 32 bits per channel."""
        shared = self.groups == 1 and self.offset is None
        metadata = 0 if shared else 8 * self.scale.size * (1 if self.offset is None else 2)
        return self.code_bits * self.codes.size + metadata + 32 * self.n

    @property
    def group_index(self) -> np.ndarray:
        """int64[K]: the group each k belongs to."""
        return np.arange(self.k) // self.group_size

    def split(self, parts: int) -> list["QTensor"]:
        """``parts`` tensors of equally many consecutive output channels."""
        rows = self.n // parts

        def part(low: int) -> "QTensor":
            chosen = slice(low, low + rows)
            return dataclasses.replace(
                self, shape=(rows, *self.shape[1:]), codes=self.codes[chosen], scale=self.scale[chosen],
                offset=None if self.offset is None else self.offset[chosen],
                channel_scale=self.channel_scale[chosen],
            )  # fmt: skip

        return [part(low) for low in range(0, self.n, rows)]

    def dequantize(self) -> np.ndarray:
        """float32 array of the logical shape: the decoded weights."""
        index = self.group_index
        value = self.scale[:, index].astype(np.float64) * (self.integers * 2.0**self.exponent)
        if self.offset is not None:
            value = value + self.offset[:, index]
        return (value * self.channel_scale[:, None].astype(np.float64)).astype(np.float32).reshape(self.shape)

    @functools.cached_property
    def hash(self) -> str:
        """16 hex digits of a SHA-256 over everything the tensor stores."""
        digest = hashlib.sha256(
            repr((self.format, self.shape, self.code_bits, self.exponent, self.group_size)).encode()
        )
        for array in (self.codes, self.codebook, self.scale, self.offset, self.channel_scale):
            digest.update(b"-" if array is None else array.dtype.str.encode() + array.tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return f"QTensor({self.format}, shape={self.shape}, group_size={self.group_size}, lowered={self.lowered})"
