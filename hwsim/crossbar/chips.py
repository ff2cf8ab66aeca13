"""Simulated chips: a network on crossbars as they were programmed, wired and sensed on one of them."""

import dataclasses
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hwsim import digits
from hwsim.crossbar import sensing
from hwsim.crossbar.cells import program
from hwsim.crossbar.wiring import Approximation, Columns, IrDrop, Packed, contributions, patterns, tiled, untiled
from hwsim.datapaths.rram import Rram, cells, check_binary
from hwsim.design import Design
from hwsim.errors import DesignError, FormatError, NetworkError
from hwsim.inference import evaluate
from hwsim.kernels import crossbar as kernels
from hwsim.kernels.lanes import LANES
from hwsim.network import Network, Node
from hwsim.operators import Split, StaticMatmul
from hwsim.progress import track

AT_ONCE = 1 << 22
"""Currents that are in memory at a time."""


class ProgrammedLayer:
    """One layer in the crossbars of one chip.

    Attributes:
        residual_lsb: of the approximation, if the layer uses it; else 0.
    """

    def __init__(self, rram: Rram, operator: StaticMatmul, ir_drop: IrDrop, rng: np.random.Generator) -> None:
        self._rram = rram
        self._operator = operator
        self._rng = rng
        weights = operator.split_weight()
        for w in weights:
            rram.supports(w)
        rram.check_results(operator.quantizer)
        device, window = rram.device, rram.device.window
        ideal = np.concatenate([cells(w) for w in weights], axis=1)
        self._starts = np.arange(0, ideal.shape[1] + 1, weights[0].k)
        programmed = program(device, ideal, rng)
        columns = Columns(programmed, self._starts, rram.mapping, rram.wires)
        self.residual_lsb = 0.0
        self._columns: Columns | None = None
        if rram.wires.ideal:
            self._packed = Packed.of(*contributions(programmed, rram.mapping), self._starts)
        elif ir_drop == "approximate":
            approximation = Approximation.of(columns, window, rng)
            self._packed, self.residual_lsb = approximation.packed, approximation.residual_lsb
        else:
            self._columns = columns
        self._squares = self._noise(columns)
        self._shape = len(weights), weights[0].n
        self._references = tiled(self._sense(ideal, weights), missing=np.inf)
        self._invert = tiled(operator.quantizer.invert.reshape(self._shape).astype(np.uint8))

    def _noise(self, columns: Columns) -> Packed | None:
        """Variances that an input of either value adds: its open cells' noise, independent of one another."""
        if not self._rram.device.read_noise:
            return None
        if columns.wires.source_line_ohm and columns.wires.source_feed == "far":
            sensitivity = columns.cells  # a line fed from its far end weakens all cells alike, and little
        else:
            sensitivity = columns.attenuated()[1]
        squares = (sensitivity * np.float32(self._rram.device.read_noise)) ** 2
        if self._rram.mapping == "xnor":
            return Packed.of(squares[1], squares[0], self._starts)
        return Packed.of(np.zeros_like(squares[0]), squares[0] + squares[1], self._starts)

    def _sense(self, ideal: np.ndarray, weights: list) -> np.ndarray:
        """References less the amplifiers' offsets, float32[G, N]."""
        rram, device, rng = self._rram, self._rram.device, self._rng
        groups = len(weights)
        bias = self._operator.quantizer.bias.reshape(groups, -1)
        thresholds = np.stack([rram.thresholds(w, own) for w, own in zip(weights, bias, strict=True)])
        sizes = np.diff(self._starts)
        offset = sensing.offsets(
            rram.sense.offset_lsb * device.window, groups, weights[0].n, rram.cols, rram.columns_per_sense, rng
        )
        references = sensing.nominal(device, rram.mapping, sizes, thresholds)
        if rram.reference == "replica":
            factor = sensing.replica_factor(device, rram.mapping, rram.wires, self._starts, rng)
            references = references * factor[:, None]
        elif rram.reference == "trimmed":
            bits = rng.integers(0, 2, (sensing.VECTORS, self._starts[-1]), dtype=np.uint8)
            counted = Packed.of(*contributions(ideal.astype(np.float32), rram.mapping), self._starts)
            counts = untiled(counted.sums(patterns(bits, self._starts)), weights[0].n)
            measured = untiled(self.currents(bits), weights[0].n) + offset[:, None]
            references = sensing.trimmed(measured, counts, thresholds, device.window)
        # A threshold that no sum reaches, or every sum does, is no comparison: the column is wired to a constant.
        most = sizes[:, None]
        references = np.where(thresholds > most, np.inf, references)
        references = np.where(thresholds <= (0 if rram.mapping == "xnor" else -most), -np.inf, references)
        return (references - offset).astype(np.float32)

    def currents(self, bits: np.ndarray) -> np.ndarray:
        """float32[G, tiles, M, LANES] without noise, in siemens, for input bits [M, K]."""
        if self._columns is not None:
            return self._columns.exact(bits)
        return self._packed.sums(patterns(bits, self._starts))

    def votes(self, bits: np.ndarray, window: int) -> np.ndarray:
        """uint16[M / window, N]: groups whose pooled bits are 1."""
        out = np.zeros((len(self._references), len(bits) // window, LANES), np.uint16)
        self._decide(bits, window, out)
        return untiled(out, self._shape[1])

    def _decide(self, bits: np.ndarray, window: int, out: np.ndarray) -> None:
        noise = np.float32(self._rram.sense.noise_lsb * self._rram.device.window) ** 2
        seed = np.uint64(self._rng.integers(1 << 63))
        common = (self._references, self._invert, window)
        noisy = self._squares is not None or noise > 0
        if self._columns is None:
            own = (patterns(bits, self._starts), self._packed.base, self._packed.change)
            if not noisy:
                kernels.sense(*own, self._starts, *common, out)
                return
            kernels.sense_noisy(*own, *self._spread(), self._starts, *common[:1], noise, *common[1:], seed, out)
            return
        currents = self._columns.exact(bits)
        if not noisy:
            kernels.decide(currents, *common, out)
            return
        spreads = np.zeros_like(currents)
        if self._squares is not None:
            spreads = self._squares.sums(patterns(bits, self._starts))
        kernels.decide_noisy(currents, spreads, *common[:1], noise, *common[1:], seed, out)

    def _spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Packed variances; zeros if only sense amplifiers are noisy."""
        if self._squares is None:
            nothing = np.zeros_like(self._packed.base)
            return nothing, nothing
        return self._squares.base, self._squares.change

    def run(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """±1 of ``shape`` for a batch of the layer's inputs."""
        operator = self._operator
        vectors = operator.unfold(x).transpose(1, 0, 2).reshape(-1, int(self._starts[-1]))
        check_binary(vectors, vectors.shape[1])
        bits = (vectors > 0).astype(np.uint8)
        window = operator.window if isinstance(operator, Split) else 1
        groups, outputs = self._shape
        step = max(1, AT_ONCE // (groups * outputs * window)) * window
        votes = np.concatenate([self.votes(bits[low : low + step], window) for low in range(0, len(bits), step)])
        merged = np.where(2 * votes.astype(np.int32) >= groups, 1, -1).astype(np.int32)
        if isinstance(operator, Split):
            return operator.arrange(merged, len(x), shape)
        return operator.fold(merged, len(x), shape)


class Chip:
    """A network on the crossbars of one chip: equal generators make equal chips.

    Layers of the design that run elsewhere compute exactly. Raises FormatError if a layer does not fit, DesignError if
    none runs on crossbars or the design has converters.
    """

    def __init__(
        self, network: Network, design: Design, rng: np.random.Generator, *, ir_drop: IrDrop = "exact"
    ) -> None:
        self._network = network
        self._design = design
        self.layers: dict[str, ProgrammedLayer] = {}
        for node, rram in crossbar_layers(network, design):
            assert isinstance(node.operator, StaticMatmul)
            try:
                self.layers[node.name] = ProgrammedLayer(rram, node.operator, ir_drop, rng)
            except FormatError as error:
                raise FormatError(f"layer {node.name!r}: {error}") from None

    def run(self, x: np.ndarray) -> np.ndarray:
        """Real outputs float64[batch, ...]; read noise is drawn anew."""
        return self.finish(prefix(self._network, self._design, x))

    def finish(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Real outputs from what `prefix` computed."""
        values = dict(values)
        for node in self._network.nodes:
            if node.name in self.layers:
                shape = self._network.shapes[node.name]
                values[node.name] = self.layers[node.name].run(values[node.inputs[0]], shape)
            elif node.name not in values:
                values[node.name] = evaluate(self._network, node, self._design, [values[n] for n in node.inputs])
        return values[self._network.nodes[-1].name].astype(np.float64) * self._network.output_scale


def crossbar_layers(network: Network, design: Design) -> Iterator[tuple[Node, Rram]]:
    """The layers that run on crossbars; DesignError if there are none, or converters instead of sense amplifiers."""
    found = False
    for node in network.matmuls():
        datapath = design.layer(node.name).datapath
        if isinstance(datapath, Rram):
            if datapath.adc is not None:
                raise DesignError(f"layer {node.name!r}: crossbars with converters compute no values")
            if not isinstance(node.operator, StaticMatmul) or not network.binary(node.inputs[0]):
                raise FormatError(f"layer {node.name!r}: its inputs are not all -1 and 1, which word lines carry")
            found = True
            yield node, datapath
    if not found:
        raise DesignError("no layer of the design runs on rram: give some an override")


def prefix(network: Network, design: Design, x: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of the nodes that no crossbar comes before: the same on every chip."""
    analogue = {node.name for node, _ in crossbar_layers(network, design)}
    values: dict[str, np.ndarray] = {}
    for node in network.nodes:
        if node.name not in analogue and all(name in values for name in node.inputs):
            inputs = [values[name] for name in node.inputs] or [np.asarray(x)]
            values[node.name] = evaluate(network, node, design, inputs)
    return values


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Yield:
    """Accuracy over chips.

    Attributes:
        accuracy: float64[n], of each chip.
        digital: of the same network with exact sums.
        seed: chip i is made from ``numpy.random.default_rng([seed, i])``.
    """

    accuracy: np.ndarray
    digital: float
    seed: int

    def share_within(self, points: float) -> float:
        """Share of chips that lose at most ``points`` percentage points."""
        return float((self.accuracy >= self.digital - points / 100 - 1e-12).mean())


def chips(
    network: Network, design: Design, images: np.ndarray | None = None, labels: np.ndarray | None = None, *,
    n: int = 100, seed: int = 0, ir_drop: IrDrop = "exact", workers: int | None = None, progress: bool = False,
) -> Yield:  # fmt: skip
    """Accuracy of ``network`` over ``n`` simulated chips of ``design``, by the largest output per image.

    Without images the held-out digits. Each chip is made, run and dropped; ``workers`` of them are in memory at a time
    (default: one per CPU). The same seed gives the same figures, whatever the number of workers.
    """
    if n < 1:
        raise DesignError(f"chips: n = {n} is not positive")
    if images is None or labels is None:
        if images is not labels:
            raise NetworkError("chips: images and labels belong together")
        images, labels = digits.held_out(network)
    values = prefix(network, design, images)

    def one(index: int) -> float:
        chip = Chip(network, design, np.random.default_rng([seed, index]), ir_drop=ir_drop)
        return float((chip.finish(values).argmax(axis=1) == labels).mean())

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        accuracy: list[float] = []
        for low in track(range(0, n, BATCH), "chips", progress):
            accuracy += pool.map(one, range(low, min(low + BATCH, n)))
    exact: dict[str, np.ndarray] = {}
    for node in network.nodes:
        inputs = [exact[name] for name in node.inputs] or [np.asarray(images)]
        exact[node.name] = evaluate(network, node, None, inputs)
    digital = float((exact[network.nodes[-1].name].argmax(axis=1) == labels).mean())
    return Yield(accuracy=np.array(accuracy), digital=digital, seed=seed)


BATCH = 8
"""Chips between two steps of the progress bar."""
