"""From an `nn.Module` and samples to a graph of steps in real numbers."""

import contextlib
import copy
import fnmatch
import operator
import unittest.mock
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from hwsim.errors import ExportError, FormatError, nearest
from hwsim.qtensor import QTensor
from hwsim.torch import attention, replacements, slicing, translation
from hwsim.torch.calls import Call, Translated, unsupported
from hwsim.torch.graph import Entry, Graph, Lookup, Source
from hwsim.torch.modules import QuantConv2d, QuantLinear, Sign
from hwsim.torch.split import Split, SplitConv2d, SplitLinear
from hwsim.torch.weights import WeightFormat, Weights

PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, QuantLinear, QuantConv2d, SplitLinear, SplitConv2d)
SHAPE_FUNCTIONS = (
    getattr, operator.getitem, operator.mul, operator.floordiv, operator.truediv, operator.add, operator.sub,
    operator.neg, operator.pow, attention.root_of_width,
)  # fmt: skip


CREATORS = ("ones", "zeros", "full", "arange", "eye")
"""Functions of torch that make tensors of sizes, which torch.fx does not trace by itself."""


@contextlib.contextmanager
def _traced_creators() -> Iterator[None]:
    """While it lasts, `CREATORS` called with sizes of traced tensors are traced."""

    def traced(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            sizes = [size for term in args if isinstance(term, tuple | list) for size in term]
            for term in (*args, *kwargs.values(), *sizes):
                if isinstance(term, fx.Proxy):
                    return term.tracer.create_proxy("call_function", function, args, kwargs)
            return function(*args, **kwargs)

        return call

    with contextlib.ExitStack() as stack:
        for name in CREATORS:
            stack.enter_context(unittest.mock.patch.object(torch, name, traced(getattr(torch, name))))
        yield


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, QuantConv2d | QuantLinear | Sign | Split) or super().is_leaf_module(
            m, module_qualified_name
        )

    def iter(self, obj: fx.Proxy) -> Any:
        """Loops over the results of chunk and split run as often as their arguments say."""
        count = slicing.parts(obj.node)
        return super().iter(obj) if count is None else iter([operator.getitem(obj, index) for index in range(count)])


class _Recorder(fx.Interpreter):
    """Runs a traced model; keeps shape and largest magnitude of every tensor, and what no sample changes."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.parts: dict[str, list[tuple[int, ...]]] = {}
        self.peaks: dict[str, float] = {}
        self.constants: dict[str, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        depends = n.op == "placeholder" or any(i.name in self.shapes or i.name in self.parts for i in n.all_input_nodes)
        if n.op == "output":
            return result
        if isinstance(result, int | float) or (isinstance(result, torch.Tensor) and not depends):
            self.constants[n.name] = result
        elif isinstance(result, torch.Tensor):
            self.shapes[n.name] = tuple(result.shape)
            self.peaks[n.name] = _peak(result)
        elif depends and isinstance(result, tuple | list) and all(isinstance(part, torch.Tensor) for part in result):
            self.parts[n.name] = [tuple(part.shape) for part in result]
        return result


def _peak(result: torch.Tensor) -> float:
    """Largest magnitude; -inf, which masks put in, does not count."""
    if not result.numel():
        return 0.0
    return float(torch.where(result == -torch.inf, 0, result).abs().max())


def trace(
    model: nn.Module, samples: torch.Tensor | np.ndarray, weights: Weights, overrides: Mapping[str, Weights]
) -> Graph:
    """The steps that ``model`` (left as it is) takes in evaluation mode on ``samples``.

    Calibration runs with the quantized weights. ExportError names the module path and
    operator of whatever cannot be exported.
    """
    wrapped = {*translation.HANDLERS, *replacements.REPLACEMENTS}
    copied = copy.deepcopy(nn.Sequential(model) if type(model) in wrapped else model).eval()
    batch = _check_samples(copied, samples)
    replacements.replace_modules(copied)
    try:
        with _traced_creators():
            traced = fx.GraphModule(copied, _Tracer().trace(copied))
    except Exception as error:
        raise ExportError(f"the model cannot be traced: {_first_line(error)}") from None
    traced.graph.eliminate_dead_code()
    attention.expand(traced)
    quantized = _quantize_products(traced, weights, overrides)
    recorder = _Recorder(traced)
    try:
        with torch.no_grad():
            recorder.run(batch)
    except Exception as error:
        raise ExportError(
            f"the model does not run on sample_inputs of shape {tuple(batch.shape)}: {_first_line(error)}"
        ) from None
    graph = _translate(traced, recorder, quantized, len(batch), not batch.is_floating_point())
    for entry in graph.entries.values():
        if isinstance(entry.step, Source) and entry.step.indices:
            misfit = next((user for user in graph.users(entry.name) if not isinstance(user.step, Lookup)), None)
            if misfit is not None:
                raise ExportError(f"{misfit.path}: it reads {batch.dtype} samples, which only an Embedding can")
    return graph


def _check_samples(model: nn.Module, samples: torch.Tensor | np.ndarray) -> torch.Tensor:
    batch = torch.as_tensor(samples)
    indices = not batch.is_floating_point()
    if indices and (batch.is_complex() or not any(isinstance(m, nn.Embedding) for m in model.modules())):
        raise ExportError(f"sample_inputs are {batch.dtype}, expected floating point")
    if batch.ndim < 2 or batch.numel() == 0:
        raise ExportError(f"sample_inputs have shape {tuple(batch.shape)}, expected [batch, ...] with samples")
    if not torch.isfinite(batch).all():
        raise ExportError("sample_inputs hold NaN or infinity")
    parameter = next(model.parameters(), None)
    if indices:
        return batch.to(torch.int64)
    return batch if parameter is None else batch.to(parameter)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _quantize_products(
    traced: fx.GraphModule, weights: Weights, overrides: Mapping[str, Weights]
) -> dict[str, QTensor]:
    """Quantizes every Linear and Conv; plain ones compute with the decoded weights from now on."""
    paths = [
        name
        for name in dict.fromkeys(str(n.target) for n in traced.graph.nodes if n.op == "call_module")
        if type(traced.get_submodule(name)) in PRODUCTS
    ]
    for pattern in overrides:
        if not fnmatch.filter(paths, pattern):
            raise ExportError(f"override {pattern!r} matches no layer; {nearest(pattern, paths)}")
    quantized = {}
    for path in paths:
        module = traced.get_submodule(path)
        assert isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | Split)
        override = next((spec for key, spec in overrides.items() if fnmatch.fnmatchcase(path, key)), None)
        try:
            if isinstance(module, QuantLinear | QuantConv2d | Split):
                if override is not None and WeightFormat.parse(override) != module.weight_format:
                    raise FormatError(f"it was trained as ({module.weight_format}) and cannot be overridden")
                quantized[path] = module.weight_format.quantize(module.weight)
            else:
                chosen = WeightFormat.parse(weights if override is None else override)
                quantized[path] = chosen.quantize(module.weight)
                module.weight.data = torch.tensor(quantized[path].dequantize()).to(module.weight)
        except FormatError as error:
            raise ExportError(f"{path}: {error}") from None
    return quantized


def _translate(
    traced: fx.GraphModule, recorder: _Recorder, quantized: dict[str, QTensor], batch: int, indices: bool
) -> Graph:
    graph = Graph()
    aliases: dict[fx.Node, str] = {}
    moved: set[str] = set()
    for node in traced.graph.nodes:
        if node.op == "output":
            result = node.args[0]
            if not isinstance(result, fx.Node) or result not in aliases:
                raise ExportError("the model must return one tensor that it computed")
            if result.name in moved:
                raise ExportError(f"{_path(result)}: operator {_operator(traced, result)}: it moves the batch axis")
            graph.output = aliases[result]
            return graph
        if node.name in recorder.constants or (node.name not in recorder.shapes and _only_shapes(node)):
            continue
        if node.name in recorder.parts and node.target in slicing.SPLITS:
            continue
        path = _path(node)
        if node.name not in recorder.shapes:
            raise unsupported(path, _operator(traced, node))
        shape = recorder.shapes[node.name]
        if not np.isfinite(recorder.peaks[node.name]):
            raise ExportError(f"{path}: its result on sample_inputs is not finite")
        inputs = [aliases[i] for i in node.all_input_nodes if i in aliases]
        if node.op == "placeholder":
            if graph.entries:
                raise ExportError(f"the model has a second input, {node.name!r}; one is supported")
            step: Translated = Source(indices=indices)
        else:
            call = Call(
                node=node, path=path, operator=_operator(traced, node),
                module=traced.get_submodule(str(node.target)) if node.op == "call_module" else None,
                weight=quantized.get(str(node.target)), shapes=recorder.shapes, constants=recorder.constants,
                output=shape, parts=recorder.parts, moved=moved,
            )  # fmt: skip
            step = translation.translate(call)
            inputs = [aliases[i] for i in call.operands]
        if node.name in moved:
            shape = (shape[1], shape[0], *shape[2:])
        if step is None:
            aliases[node] = inputs[0]
            continue
        if not shape or shape[0] != batch:
            raise ExportError(f"{path}: its result of shape {shape} has lost the batch axis")
        name = _unused(graph, "input" if node.op == "placeholder" else str(node.target)
                       if node.op == "call_module" else node.name)  # fmt: skip
        graph.entries[name] = Entry(
            name=name, path=path, step=step, inputs=tuple(inputs), shape=shape[1:],
            peak=recorder.peaks[node.name],
        )  # fmt: skip
        aliases[node] = name
    raise ExportError("the model returns nothing")


def _only_shapes(node: fx.Node) -> bool:
    """Whether ``node`` merely reads or computes sizes."""
    return node.target in SHAPE_FUNCTIONS or node.target in ("size", "dim")


def _path(node: fx.Node) -> str:
    if node.op == "call_module":
        return str(node.target)
    stack = list(node.meta.get("nn_module_stack") or {})
    return f"{stack[-1]}.{node.name}" if stack and stack[-1] else node.name


def _operator(traced: fx.GraphModule, node: fx.Node) -> str:
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))).__name__
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _unused(graph: Graph, name: str) -> str:
    chosen, count = name, 1
    while chosen in graph.entries:
        chosen, count = f"{name}_{count}", count + 1
    return chosen
