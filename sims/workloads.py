"""Random matmuls that a configuration can take, each kind after one corner of the array."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.codebook import Codebook
from hwsim.datapath import Array
from hwsim.datapaths.lut import Lut
from hwsim.datapaths.lut_buckets import LutBuckets
from hwsim.datapaths.lut_products import LutProducts
from hwsim.errors import FormatError
from hwsim.floating import FloatDatapath
from hwsim.formats import quantize
from hwsim.integer import IntegerDatapath
from hwsim.lowering import lower
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from rtl.stimuli import Matmul

Draw = Callable[..., np.ndarray]
"""``draw(rng, size, bits)``: integers of signed ``bits``."""

CodeDatapath = LutBuckets | LutProducts
"""Datapaths whose weights are codes."""

MAX_TILES = 4
"""Tiles along one side of a matmul."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """M, N, K and the group size."""

    m: int
    n: int
    k: int
    group_size: int


def _at_once(datapath: ArrayDatapath, array: Array) -> int:
    """The k that a step takes."""
    return datapath.lanes * (array.rows if array.weight_stationary else 1)


def _shape(rng: np.random.Generator, datapath: ArrayDatapath, array: Array) -> Shape:
    steps = 3 if array.weight_stationary else 8
    k = int(rng.integers(1, steps * _at_once(datapath, array) + 8))
    return Shape(
        m=int(rng.integers(1, MAX_TILES * array.tile_rows + 1)),
        n=int(rng.integers(1, MAX_TILES * array.cols + 1)),
        k=k,
        group_size=int(rng.integers(1, k + 2)),
    )


def _one_row(rng: np.random.Generator, datapath: ArrayDatapath, array: Array) -> Shape:
    return dataclasses.replace(_shape(rng, datapath, array), m=1)


def _one_step(rng: np.random.Generator, datapath: ArrayDatapath, array: Array) -> Shape:
    k = int(rng.integers(1, _at_once(datapath, array) + 1))
    return dataclasses.replace(_shape(rng, datapath, array), k=k, group_size=k)


def _drain_bound(rng: np.random.Generator, datapath: ArrayDatapath, array: Array) -> Shape:
    k = datapath.lanes * max(1, array.rows // 3)
    return Shape(m=3 * array.tile_rows, n=2 * array.cols, k=k, group_size=k)


def _ragged(rng: np.random.Generator, datapath: ArrayDatapath, array: Array) -> Shape:
    at_once = _at_once(datapath, array)
    return Shape(m=2 * array.tile_rows + 1, n=2 * array.cols + 1, k=5 * at_once + 1, group_size=2 * at_once + 1)


def _long(rng: np.random.Generator, datapath: ArrayDatapath, array: Array) -> Shape:
    k = int(rng.integers(100, 200))
    return Shape(m=2 * array.tile_rows, n=array.cols + 1, k=k, group_size=int(rng.integers(8, 64)))


def _uniform(rng: np.random.Generator, size: tuple[int, int], bits: int) -> np.ndarray:
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), size)


def _small(rng: np.random.Generator, size: tuple[int, int], bits: int) -> np.ndarray:
    return rng.integers(-1, 2, size)


def _normal(rng: np.random.Generator, size: tuple[int, int], bits: int) -> np.ndarray:
    return rng.standard_normal(size)


def _constant(value: Callable[[int], int]) -> Draw:
    return lambda rng, size, bits: np.full(size, value(bits))


_lowest = _constant(lambda bits: -(1 << (bits - 1)))
_highest = _constant(lambda bits: (1 << (bits - 1)) - 1)
_zero = _constant(lambda bits: 0)

KINDS: dict[str, tuple[Callable[..., Shape], Draw, Draw]] = {
    "random": (_shape, _uniform, _uniform),
    "ragged": (_ragged, _uniform, _uniform),
    "one_row": (_one_row, _uniform, _uniform),
    "one_step": (_one_step, _uniform, _uniform),
    "drain_bound": (_drain_bound, _uniform, _uniform),
    "long": (_long, _uniform, _uniform),
    "lowest": (_shape, _lowest, _lowest),
    "highest": (_shape, _highest, _highest),
    "opposite": (_shape, _lowest, _highest),
    "zero": (_shape, _zero, _zero),
    "sparse": (_shape, _uniform, _small),
    "format": (_shape, _uniform, _normal),
}
"""What a workload stresses: its shape, its activations, its weights."""


def random_matmul(kind: str, datapath: ArrayDatapath, array: Array, seed: int) -> Matmul:
    """A matmul of the named kind that ``datapath`` supports, drawn from ``seed``."""
    rng = np.random.default_rng(seed)
    draw_shape, draw_activations, draw_weights = KINDS[kind]
    shape = draw_shape(rng, datapath, array)
    limit = 1 << max(datapath.scale_bits - 1, 0)
    while True:
        if isinstance(datapath, FloatDatapath):
            w = _codes(rng, datapath, shape, limit, draw_weights)
        elif draw_weights is _normal:
            w = _quantized(rng, datapath, shape)
        elif isinstance(datapath, Lut):
            w = _sign_planes(rng, datapath, shape, limit, draw_weights)
        elif isinstance(datapath, CodeDatapath):
            w = _codebooks(rng, datapath, shape, limit, draw_weights)
        else:
            w = _weights(rng, datapath, shape, limit, draw_weights)
        try:
            datapath.supports(w)
            break
        except FormatError:  # it may overflow: smaller scales, a shorter sum
            limit = max(1, limit // 2)
            k = max(1, shape.k * 3 // 4)
            shape = dataclasses.replace(shape, k=k, group_size=min(shape.group_size, k))
    quantizer = _quantizer(rng, datapath, w.n)
    if isinstance(datapath, FloatDatapath):  # from sums of a few bits to sums that saturate
        largest = int(np.frexp(float(np.abs(w.integers).max(initial=1)))[1]) + datapath.activation_bits
        quantizer = dataclasses.replace(quantizer, sum_shift=int(np.clip(largest - rng.integers(4, 34), 0, 62)))
    return Matmul(
        x=draw_activations(rng, (shape.m, shape.k), datapath.activation_bits),
        w=w,
        quantizer=quantizer,
        m_outer=bool(rng.integers(2)),
    )


PLANE_ALPHABETS = ("two's complement", "signs", "bits", "ternary", "equal", "unsigned")


def _sign_planes(rng: np.random.Generator, datapath: Lut, shape: Shape, limit: int, draw: Draw) -> QTensor:
    """Lowered weights in planes of every kind, some of whose output channels repeat."""
    planes = int(rng.choice([datapath.weight_bits, rng.integers(1, datapath.weight_bits + 1)]))
    codes = draw(rng, (shape.n, shape.k), planes) & ((1 << planes) - 1)
    groups = (shape.n, -(-shape.k // shape.group_size))
    scale, offset = np.ones(groups, dtype=np.int32), None
    if datapath.scale_bits:
        scale = rng.integers(-limit, limit, groups, dtype=np.int32)
    if datapath.offset_bits:
        bound = min(limit, 1 << (datapath.offset_bits - 1))
        offset = rng.integers(-bound, bound, groups, dtype=np.int32)
    fields: dict[str, Any] = {}
    alphabet = rng.choice(PLANE_ALPHABETS)
    if datapath.plane_scales and rng.random() < 0.7:
        fields = {
            "plane_weights": rng.integers(-limit, limit, (planes, *groups), dtype=np.int32),
            "plane_alphabet": str(rng.choice(["01", "+-1"])),
        }
        scale, values = np.ones(groups, dtype=np.int32), np.zeros(1)
    elif alphabet == "unsigned":
        values = np.arange(1 << planes)
    elif alphabet == "bits" or planes == 1:
        values = np.array([0, 1]) if rng.random() < 0.5 else np.array([-1, 1])
        codes &= 1
    elif alphabet == "signs":
        values = 2 * np.arange(1 << planes) - (1 << planes) + 1
    elif alphabet == "ternary":
        values, codes = np.array([0, 1, -1]), codes % 3
    elif alphabet == "equal":
        values = np.bitwise_count(np.arange(1 << planes)).astype(int)
    else:
        values = np.arange(1 << planes)
        values = np.where(values < 1 << (planes - 1), values, values - (1 << planes))
    repeated = np.arange(shape.n)
    if datapath.repeats_results:
        repeated = rng.integers(0, max(1, shape.n // 2), shape.n)
        fields = {key: item[:, repeated] if key == "plane_weights" else item for key, item in fields.items()}
    bits = planes if "plane_weights" in fields else max(1, (len(values) - 1).bit_length())
    return QTensor(
        format="planes", shape=(shape.n, shape.k), codes=codes[repeated].astype(np.uint8),
        codebook=Codebook.of(values, bits), group_size=shape.group_size, scale=scale[repeated],
        offset=None if offset is None else offset[repeated], channel_scale=np.ones(shape.n, dtype=np.float32), **fields,
    )  # fmt: skip


def _codebooks(rng: np.random.Generator, datapath: CodeDatapath, shape: Shape, limit: int, draw: Draw) -> QTensor:
    """Lowered codes with one codebook, or some for channels and groups as far as ``datapath`` takes them."""
    entries = int(rng.choice([1 << datapath.weight_bits, rng.integers(1, (1 << datapath.weight_bits) + 1)]))
    groups = (shape.n, -(-shape.k // shape.group_size))
    tables = int(rng.integers(1, 5))
    select = rng.integers(0, tables, (groups[0], rng.choice([1, groups[1]]))).astype(np.uint16)
    if isinstance(datapath, LutProducts):
        readers = datapath.readers or groups[0]
        select = select[np.arange(groups[0]) // readers * readers]
    bound = max(1, int(limit**0.5))
    values = rng.integers(-bound, bound + 1, (tables, entries))
    values[0, 0] = 1  # the unit
    scale = np.ones(groups, dtype=np.int32)
    if datapath.scale_bits:
        scale = rng.integers(-bound, bound + 1, groups, dtype=np.int32)
    offset = None
    if datapath.offset_bits:
        most = min(limit, 1 << (datapath.offset_bits - 1))
        offset = rng.integers(-most, most, groups, dtype=np.int32)
    return QTensor(
        format="codebook", shape=(shape.n, shape.k), select=None if tables == 1 else select,
        codes=(draw(rng, (shape.n, shape.k), datapath.weight_bits + 1) % entries).astype(np.uint8),
        codebook=Codebook.of(values, max(1, (entries - 1).bit_length())),
        group_size=shape.group_size, scale=scale, offset=offset,
        channel_scale=np.ones(shape.n, dtype=np.float32),
    )  # fmt: skip


FORMATS = {
    "int4": True, "bitmod_fp3": True, "bitmod_fp4": True, "ant_flint4": True, "bitnet158": False, "binary": False,
    "denseshift": True, "pot": True, "lognet": False, "mxfp4": True, "mxfp6_e2m3": True, "fp6_e3m2": True,
    "fp8_e4m3": True, "mxint8": True, "ant": False, "squeezellm": False,
}  # fmt: skip
"""Formats whose codebooks have exact terms, and whether they take a group size."""


def _quantized(rng: np.random.Generator, datapath: IntegerDatapath, shape: Shape) -> QTensor:
    """Normal weights in a format that ``datapath`` takes in width and scales; drawn among these."""
    values = rng.standard_normal((shape.n, shape.k))
    for name in rng.permutation(list(FORMATS)):
        group_size = shape.group_size if datapath.scale_bits >= 8 else shape.k
        grouped = {"group_size": group_size, "pad": True} if FORMATS[name] else {}
        w = lower(quantize(values, name, **grouped))
        with contextlib.suppress(FormatError):
            dataclasses.replace(datapath, overflow="saturate").supports(w)
            return w
    if isinstance(datapath, Lut):
        return _sign_planes(rng, datapath, shape, 1, _uniform)
    if isinstance(datapath, CodeDatapath):
        return _codebooks(rng, datapath, shape, 4, _uniform)
    return _weights(rng, datapath, shape, 1, _small)


def _weights(rng: np.random.Generator, datapath: IntegerDatapath, shape: Shape, limit: int, draw: Draw) -> QTensor:
    """Lowered weights of the hardware's width or fewer bits, with scales below ``limit`` in magnitude."""
    bits = int(rng.choice([datapath.weight_bits, rng.integers(2, datapath.weight_bits + 1)]))
    groups = (shape.n, -(-shape.k // shape.group_size))
    scale, offset = np.ones(groups, dtype=np.int32), None
    if datapath.scale_bits:
        scale = rng.integers(-limit, limit, groups, dtype=np.int32)
    if datapath.offset_bits:
        bound = min(limit, 1 << (datapath.offset_bits - 1))
        offset = rng.integers(-bound, bound, groups, dtype=np.int32)
    values = draw(rng, (shape.n, shape.k), bits)
    ends = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    table = np.arange(ends[0], ends[1] + 1) if bits <= 8 else np.union1d(values, ends)
    return QTensor(
        format=f"int{bits}",
        shape=(shape.n, shape.k),
        codes=np.searchsorted(table, values).astype(np.uint8 if bits <= 8 else np.uint16),
        codebook=Codebook.of(table, min(bits, 16)),
        group_size=shape.group_size,
        scale=scale,
        offset=offset,
        channel_scale=np.ones(shape.n, dtype=np.float32),
    )


WIDEST = 53
"""Bits between the lowest and the highest one of any weight, so that whole numbers hold them."""


def _codes(rng: np.random.Generator, datapath: FloatDatapath, shape: Shape, limit: int, draw: Draw) -> QTensor:
    """Lowered weights that are values of the datapath's format: any code, or as ``draw`` has them."""
    kind = datapath.kind
    size = shape.n, shape.k
    if draw is _uniform:
        codes = rng.integers(0, kind.max_code + 1, size) | kind.sign_bit * rng.integers(0, 2, size)
    else:
        codes = kind.encode(draw(rng, size, 8) * kind.max / 128, signed_zero=False)
    unit = max(datapath.product_exponent, int(np.frexp(kind.max)[1]) - WIDEST)
    table = np.where(np.isfinite(kind.values), kind.values, 0)
    table = np.where(np.abs(table) < 2.0 ** (unit + kind.mantissa_bits), 0, np.ldexp(table, -unit))
    codes = np.where(table[codes] == 0, 0, codes).astype(np.uint8 if kind.bits <= 8 else np.uint16)
    groups = (shape.n, -(-shape.k // shape.group_size))
    scale = rng.integers(-limit, limit, groups) if datapath.scale_bits else np.ones(groups)
    return QTensor(
        format=datapath.format, shape=size, codes=codes, codebook=Codebook.of(table, kind.bits),
        group_size=shape.group_size, scale=scale.astype(np.int32), channel_scale=np.ones(shape.n, np.float32),
    )  # fmt: skip


def _quantizer(rng: np.random.Generator, datapath: ArrayDatapath, n: int) -> Quantizer:
    """Thresholds, plain sums, or ratios that bring most sums near the bounds."""
    choice = rng.integers(4)
    bias = rng.integers(-1000, 1001, n)
    if choice == 0:
        return Quantizer.sign(bias, rng.integers(0, 2, n), *sorted(rng.integers(-128, 128, 2).tolist()))
    if choice == 1:
        return Quantizer.identity(n)
    low, high = ((-128, 127), (0, 127), (-(1 << 31), (1 << 31) - 1), (3, 90), (-70, -5))[rng.integers(5)]
    ratio = 2.0 ** rng.uniform(-datapath.result_bits, 1, n)
    if choice == 2:
        bias = rng.integers(-(1 << 31), 1 << 31, n)
    return Quantizer.dyadic(ratio, bias, low, high)
