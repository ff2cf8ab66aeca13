"""What is known of a number format beside its tensors."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hwsim.formats._nearest import encode_nearest
from hwsim.qtensor import QTensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """A named format.

    Attributes:
        name: as `hwsim.quantize` takes it.
        quantize: ``(w, **params) -> QTensor``; its docstring has definition and source.
        encode: ``(w, like) -> QTensor``: new codes on the grid of ``like``.
        alphabet: the values a code can mean, in words.
        mac: what one multiply-accumulate becomes.
        typical: parameters and shape at which bits per weight are quoted.
        typical_shape: see ``typical``.
        greedy: why the encoder is not "nearest value" (greedy, stochastic, learned); empty if it is.
        complex: weights are complex.
    """

    name: str
    quantize: Callable[..., QTensor]
    encode: Callable[[np.ndarray, QTensor], QTensor] = encode_nearest
    alphabet: str
    mac: str
    typical: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    typical_shape: tuple[int, ...] = (256, 4096)
    greedy: str = ""
    complex: bool = False
