"""Weights of which only the shape and the width are known: enough for costs that do not depend on values."""

import dataclasses
import math

from hwsim import schema
from hwsim.errors import FormatError
from hwsim.qtensor import QTensor
from hwsim.weight_source import WeightSource


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightShape(WeightSource):
    """A matrix [n, k] without values.

    Attributes:
        n, k: rows and columns.
        stored_bits: what memory holds per weight, scales and the like included; a row fills whole bytes.
        bits: width of a weight when it is multiplied.
    """

    n: int
    k: int
    stored_bits: float
    bits: float

    def __post_init__(self) -> None:
        schema.check_types(self)

    @property
    def hash(self) -> str:
        """See `WeightSource.hash`."""
        return schema.content_hash({"shape": 1, **schema.fields_to_plain(self)})

    @property
    def group_size(self) -> int:
        """A row is one group."""
        return self.k

    @property
    def storage_bits(self) -> int:
        """Bits that memory holds."""
        return 8 * self.n * math.ceil(self.k * self.stored_bits / 8)

    def tensor(self) -> QTensor:
        """See `WeightSource.tensor`: there is none."""
        raise FormatError("only the shape of these weights is known")
