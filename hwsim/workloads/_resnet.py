"""Residual convolutional networks of two 3 x 3 convolutions per block.

Batch normalization is folded into weights; ReLU is the clamp of a requantization or of the residual sum.
"""

import dataclasses

from hwsim import schema
from hwsim.workloads._layers import Block, Host, Layer, Linear, Options


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNet:
    """``blocks`` residual blocks of each of ``widths`` channels, on images of ``image`` pixels along a side."""

    title: str
    source: str
    image: int
    widths: tuple[int, ...]
    blocks_per_width: int
    outputs: int

    context = 0
    STAGES = ()

    def __post_init__(self) -> None:
        schema.check_types(self)

    def blocks(self, options: Options) -> list[Block]:
        """All images at once."""
        batch, width = options.batch, self.widths[0]
        side = self.image // 2
        layers: list[Layer] = [
            _conv("conv1", batch, 3, self.image, width, 7, 2),
            Host("maxpool", "MaxPool", batch * width * side**2),
        ]
        side, channels = side // 2, width
        for stage, width in enumerate(self.widths, 1):
            for block in range(self.blocks_per_width):
                stride = 2 if stage > 1 and block == 0 else 1
                name = f"layer{stage}.{block}"
                layers.append(_conv(f"{name}.conv1", batch, channels, side, width, 3, stride))
                if stride > 1:
                    layers.append(_conv(f"{name}.downsample", batch, channels, side, width, 1, stride))
                side, channels = side // stride, width
                layers.append(_conv(f"{name}.conv2", batch, channels, side, width, 3, 1))
                layers.append(Host(f"{name}.add", "Add", batch * width * side**2, inputs=2))
        layers.append(Host("avgpool", "AvgPool", batch * channels * side**2))
        layers.append(Linear("fc", batch, self.outputs, channels))
        return [Block(tuple(layers))]

    def cache_elements(self, options: Options) -> int:
        """No keys or values."""
        return 0


def _conv(name: str, batch: int, channels: int, side: int, outputs: int, kernel: int, stride: int) -> Linear:
    rows = batch * (side // stride) ** 2
    return Linear(name, rows, outputs, channels * kernel**2, inputs=batch * channels * side**2)
