"""The operators of an integer network: what runs on the array, and what the host does.

Every operator is a frozen dataclass. ``output_shape`` takes and gives shapes without the
batch axis, channels first.
"""

from hwsim.operators.attention import DynamicMatmul, Softmax
from hwsim.operators.base import HostOperator, Input, Operator, Shape
from hwsim.operators.constants import AddConstant, Embedding, JoinConstant
from hwsim.operators.functions import Gelu, LayerNorm, RealFunction
from hwsim.operators.host import Add, AvgPool, Concat, Flatten, MaxPool, Mean, Relu, Requantize
from hwsim.operators.layout import Permute, Reshape, Slice
from hwsim.operators.matmul import Conv, Linear, Matmul, StaticMatmul
from hwsim.operators.split import Split, SplitConv, SplitLinear

__all__ = [
    "OPERATORS", "Add", "AddConstant", "AvgPool", "Concat", "Conv", "DynamicMatmul", "Embedding", "Flatten", "Gelu",
    "HostOperator", "Input", "JoinConstant", "LayerNorm", "Linear", "Matmul", "MaxPool", "Mean", "Operator", "Permute",
    "RealFunction", "Relu", "Requantize", "Reshape", "Shape", "Slice", "Softmax", "Split", "SplitConv", "SplitLinear",
    "StaticMatmul",
]  # fmt: skip

OPERATORS: dict[str, type[Operator]] = {
    cls.__name__: cls
    for cls in (
        Input, Linear, Conv, SplitLinear, SplitConv, DynamicMatmul, Requantize, Add, AddConstant, Concat, JoinConstant,
        MaxPool, AvgPool, Mean, Flatten, Reshape, Permute, Slice, Relu, Gelu, LayerNorm, Softmax, Embedding,
    )
}  # fmt: skip
"""Every operator that a network file may name."""
