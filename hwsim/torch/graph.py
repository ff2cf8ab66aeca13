"""A traced model in real numbers: what export knows between PyTorch and integers."""

import dataclasses
import math
from typing import Literal

import numpy as np

from hwsim.operators import Shape
from hwsim.qtensor import QTensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class End:
    """What happens to a result before it is stored: clamp to ``[low, high]``, or its sign."""

    low: float = -math.inf
    high: float = math.inf
    sign: bool = False

    @property
    def clamps(self) -> bool:
        """Whether a bound is finite."""
        return math.isfinite(self.low) or math.isfinite(self.high)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The network's input; ``indices`` if it holds tokens instead of real numbers."""

    indices: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Geometry:
    """Strides of a convolution; one entry per spatial axis."""

    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int
    pad_value: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """``end(gain[n] * (x @ weight[n]) + bias[n])``; a convolution if it has a geometry."""

    weight: QTensor
    gain: np.ndarray
    bias: np.ndarray
    geometry: Geometry | None = None
    end: End = End()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SplitProduct:
    """The majority of ``splits`` groups' signs of ``gain[n] * (x @ weight[n]) + bias[n]``, n over all groups' outputs.

    A convolution if it has a geometry; ``kernel`` and ``pool`` are its taps and the window of its max-pooling.
    """

    weight: QTensor
    gain: np.ndarray
    bias: np.ndarray
    splits: int
    geometry: Geometry | None = None
    kernel: Shape = ()
    pool: Shape = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Affine:
    """``end(gain[c] * x + bias[c])`` along the channel axis."""

    gain: np.ndarray
    bias: np.ndarray
    end: End = End()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Activation:
    """A clamp or sign that no other step has taken up yet."""

    end: End


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pooling:
    """Largest or average value of windows; ``divisor`` is what sums are divided by."""

    kind: Literal["max", "average"]
    kernel: Shape
    stride: Shape
    padding: Shape
    divisor: int = 1
    end: End = End()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Join:
    """Sum or concatenation along the channel axis."""

    kind: Literal["add", "concat"]
    end: End = End()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flattening:
    """All axes but the batch become one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DynamicProduct:
    """``gain * (x @ y)`` of two activations; ``transposed``: y is [..., n, k]."""

    gain: float = 1.0
    transposed: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaling:
    """A product with one positive number that no other step has taken up yet."""

    factor: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxStep:
    """Softmax over the last axis, of the elements where ``mask`` is True."""

    mask: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeluStep:
    """GELU, exact or with tanh."""

    approximate: str


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Normalization:
    """Layer norm over the last axis."""

    gain: np.ndarray
    bias: np.ndarray
    epsilon: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lookup:
    """Rows of a table [entries, d] by index."""

    table: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """``x + value``, value of the shape of x; -inf hides elements from a softmax."""

    value: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Prefix:
    """``value`` before x, or behind it, along the first axis."""

    value: np.ndarray
    before: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Averaging:
    """Mean of ``count`` elements, over axes, the batch not counted."""

    axes: Shape
    keep: bool
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slicing:
    """Elements ``starts[i] .. stops[i]-1`` of every axis, without the axes ``dropped``."""

    starts: Shape
    stops: Shape
    dropped: Shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reshaping:
    """Another shape (without the batch axis)."""

    shape: Shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class Permutation:
    """Another order of axes, the batch not counted."""

    order: Shape


Step = (
    Source | Product | SplitProduct | Affine | Activation | Pooling | Join | Flattening | DynamicProduct | Scaling
    | SoftmaxStep | GeluStep | Normalization | Lookup | Constant | Prefix | Averaging | Slicing | Reshaping
    | Permutation
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One step: its name, where it stands in the model, and what calibration saw.

    Attributes:
        path: module path and operator, for error messages.
        shape: of the result, without the batch axis.
        peak: largest magnitude of the result over the samples.
    """

    name: str
    path: str
    step: Step
    inputs: tuple[str, ...]
    shape: Shape
    peak: float


@dataclasses.dataclass(kw_only=True)
class Graph:
    """Entries by name in topological order; ``output`` names the result."""

    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)
    output: str = ""

    def users(self, name: str) -> list[Entry]:
        """The entries that read ``name``."""
        return [entry for entry in self.entries.values() if name in entry.inputs]

    def sole_user(self, name: str) -> Entry | None:
        """The only reader of ``name``, if there is exactly one and it is not the output."""
        users = self.users(name)
        return users[0] if len(users) == 1 and name != self.output else None

    def replace(self, entry: Entry, step: Step) -> None:
        """Gives ``entry`` another step."""
        self.entries[entry.name] = dataclasses.replace(entry, step=step)

    def bypass(self, entry: Entry) -> None:
        """Removes ``entry``; its users read its only input instead."""
        (source,) = entry.inputs
        del self.entries[entry.name]
        for user in self.users(entry.name):
            inputs = tuple(source if name == entry.name else name for name in user.inputs)
            self.entries[user.name] = dataclasses.replace(user, inputs=inputs)

    def absorb(self, entry: Entry, user: Entry, step: Step) -> None:
        """``entry`` becomes ``step`` and does what its sole ``user`` did; the user goes."""
        self.entries[entry.name] = dataclasses.replace(entry, step=step, peak=user.peak)
        del self.entries[user.name]
        for other in self.users(user.name):
            inputs = tuple(entry.name if name == user.name else name for name in other.inputs)
            self.entries[other.name] = dataclasses.replace(other, inputs=inputs)
        if self.output == user.name:
            self.output = entry.name
