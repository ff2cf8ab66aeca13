"""PyTorch models to integer networks, and modules that train with the exported quantizers.

Needs the extra ``torch``; nothing else in hwsim imports this package.
"""

from hwsim.errors import MissingExtraError

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtraError("hwsim.torch", "torch") from None

from hwsim.torch.emulation import emulate
from hwsim.torch.exporting import export
from hwsim.torch.fake_quantization import fake_quant
from hwsim.torch.mixed_precision import mix
from hwsim.torch.modules import QuantConv2d, QuantLinear, Sign
from hwsim.torch.split import SplitConv2d, SplitLinear

__all__ = ["QuantConv2d", "QuantLinear", "Sign", "SplitConv2d", "SplitLinear", "emulate", "export", "fake_quant", "mix"]
