"""The operators of an integer network: what runs on the array, and what the host does.

Every operator is a frozen dataclass. ``output_shape`` takes and gives shapes without the
batch axis, channels first.
"""

from hwsim.operators.base import HostOperator, Input, Operator, Shape
from hwsim.operators.host import Add, AvgPool, Concat, Flatten, MaxPool, Relu, Requantize
from hwsim.operators.matmul import Conv, Linear, Matmul

__all__ = [
    "OPERATORS", "Add", "AvgPool", "Concat", "Conv", "Flatten", "HostOperator", "Input", "Linear", "Matmul",
    "MaxPool", "Operator", "Relu", "Requantize", "Shape",
]  # fmt: skip

OPERATORS: dict[str, type[Operator]] = {
    cls.__name__: cls for cls in (Input, Linear, Conv, Requantize, Add, Concat, MaxPool, AvgPool, Flatten, Relu)
}
"""Every operator that a network file may name."""
