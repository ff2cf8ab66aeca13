"""SCALE-Sim's topology files as workloads: convolutions, or GEMMs.

Columns (SCALE-Sim 3, ``topology_utils``): of convolutions name, input height and width, filter height and width,
channels, filters, stride (or two: vertical, horizontal) and perhaps N:M sparsity; of GEMMs name, M, N, K and perhaps
sparsity. The first line names them; inputs are already padded.
"""

import csv
from pathlib import Path

from hwsim.errors import NetworkError
from hwsim.weight_source import Distribution, Drawn
from hwsim.workload import UNCALIBRATED, MatmulLayer, Workload

CONVOLUTION = ("input height", "input width", "filter height", "filter width", "channels", "filters", "stride")
GEMM = ("M", "N", "K")


def from_scalesim(
    path: str | Path, *, weights: str = "int8", distribution: Distribution = "gaussian", seed: int = 0
) -> Workload:
    """The layers of a topology file, weights drawn from a distribution (shown as assumed), activations of 8 bits.

    NetworkError, with the line, for what is no such file, and for sparse layers: weights are drawn dense.
    """
    source = Path(path)
    try:
        with source.open(encoding="utf-8", newline="") as file:
            head, *rows = [(number, _cells(row)) for number, row in enumerate(csv.reader(file), 1) if any(_cells(row))]
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise NetworkError(f"cannot read topology {str(path)!r}: {error}") from None
    gemm = {name.upper() for name in head[1]} >= set(GEMM)
    layers: list[MatmulLayer] = []
    for number, cells in rows:
        where = f"{source.name}, line {number}"
        if not cells[0]:
            raise NetworkError(f"{where}: the layer has no name")
        m, n, k, inputs = _gemm(where, cells[1:]) if gemm else _convolution(where, cells[1:])
        drawn = Drawn(n=n, k=k, format=weights, distribution=distribution, seed=seed, stream=len(layers))
        layers.append(
            MatmulLayer(
                name=cells[0], m=m, n=n, k=k, weights=(drawn,), input_elements=inputs, activation_bits=8, output_bits=8,
                assumed=f"{drawn.assumption}; {UNCALIBRATED}",
            )
        )  # fmt: skip
    if not layers:
        raise NetworkError(f"topology {str(path)!r} has no layers")
    return Workload(name=source.stem, layers=tuple(layers))


def _cells(row: list[str]) -> list[str]:
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _gemm(where: str, cells: list[str]) -> tuple[int, int, int, int]:
    m, n, k = _numbers(where, cells, GEMM)
    return m, n, k, m * k


def _convolution(where: str, cells: list[str]) -> tuple[int, int, int, int]:
    two = len(cells) > len(CONVOLUTION) and ":" not in cells[len(CONVOLUTION)]
    names = (*CONVOLUTION[:-1], "vertical stride", "horizontal stride") if two else CONVOLUTION
    height, width, rows, cols, channels, filters, *strides = _numbers(where, cells, names)
    if rows > height or cols > width:
        raise NetworkError(f"{where}: a filter of {rows} x {cols} on an input of {height} x {width}")
    # Rounded up, as SCALE-Sim does: a last window that the stride leaves incomplete counts.
    m = -(-(height - rows) // strides[0] + -1) * -(-(width - cols) // strides[-1] + -1)
    return m, filters, rows * cols * channels, height * width * channels


def _numbers(where: str, cells: list[str], names: tuple[str, ...]) -> list[int]:
    dense = cells[len(names) :] in ([], ["1:1"])
    if len(cells) < len(names) or not dense:
        wanted = f"expected {', '.join(names)}"
        sparse = len(cells) == len(names) + 1 and ":" in cells[-1]
        raise NetworkError(f"{where}: {f'sparsity {cells[-1]} cannot be imported' if sparse else wanted}")
    found = []
    for name, cell in zip(names, cells, strict=False):
        if not cell.isascii() or not cell.isdigit() or int(cell) < 1:
            raise NetworkError(f"{where}: {name} = {cell!r} is no positive whole number")
        found.append(int(cell))
    return found
