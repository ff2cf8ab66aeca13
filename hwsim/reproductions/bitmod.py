"""BitMoD's comparison (Chen et al., HPCA 2025): five accelerators, six language models, two stages.

The accelerators are the shipped designs ``published_*``; `points` gives them the weight bits that the publication
charges for each model. Version 2024 is the simulator behind the paper, 2025 its repository since July 2025:
other weight bits, and attention costed as it is.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from importlib import resources

import numpy as np
import pandas as pd

from hwsim import presets, workloads
from hwsim.datapaths.published_array import PublishedArray
from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.progress import track
from hwsim.simulation import simulate
from hwsim.weight_source import Drawn
from hwsim.workload import MatmulLayer, Workload
from hwsim.workloads._transformer import Decoder

VERSIONS = (2024, 2025)
TOKENS = 20
"""A generative task is one prefill and so many decode steps, all at the same context."""
EQUAL_AREA = "ANT at equal area"
"""ANT on as many PEs as OliVe, whose PEs are as large."""
PAIRS = (
    ("BitMoD-LY", "ANT"), ("BitMoD-LY", "OliVe"), ("BitMoD-LY", EQUAL_AREA), ("BitMoD-LY", "FP16"),
    ("BitMoD-LL", "FP16"),
)  # fmt: skip
COUNTERPART_WEIGHTS = {"prefill": "bitmod_fp4", "decode": "bitmod_fp3"}
GROUP_SIZE = 128


def points(versions: Sequence[int] = VERSIONS, progress: bool = False) -> pd.DataFrame:
    """Cycles and energy of every accelerator, model and stage, with the published figures where there are any.

    Columns: version, accelerator, model, workload, stage, weight_bits, cycles, onchip_uj (PEs and buffers), energy_uj,
    verified, published_cycles, published_onchip_uj, published_energy_uj.
    """
    return _run(_listed(versions), "bitmod", progress)


def equal_area(versions: Sequence[int] = VERSIONS, progress: bool = False) -> pd.DataFrame:
    """Like `points`, of ANT on as many PEs as OliVe, whose PEs are as large; nothing is published."""
    listed = _listed(versions)
    listed = listed[listed["accelerator"] == "ANT"].assign(accelerator=EQUAL_AREA)
    listed[[name for name in listed if name.startswith("published_")]] = np.nan
    return _run(listed.reset_index(drop=True), "equal area", progress)


def _listed(versions: Sequence[int]) -> pd.DataFrame:
    for version in versions:
        if version not in VERSIONS:
            raise HwsimError(f"BitMoD's version {version!r}: accepted are {', '.join(map(str, VERSIONS))}")
    table = _data("bitmod_points.csv")
    return table[table["version"].isin(versions)].reset_index(drop=True)


def _run(listed: pd.DataFrame, what: str, progress: bool) -> pd.DataFrame:
    """The listed points with what they cost."""
    rows = []
    for point in track(listed.to_dict("records"), what, progress):
        key = {name: point[name] for name in ("accelerator", "stage", "version", "weight_bits")}
        result = simulate(workload(point["workload"], point["stage"], point["version"]), design(**key))
        energy = result.energy_by_component()
        rows.append(
            (result.cycles, (energy["pe"] + energy["buffers"]) * 1e-6, result.energy_pj * 1e-6, result.verified)
        )
    costs = pd.DataFrame(rows, columns=["cycles", "onchip_uj", "energy_uj", "verified"])
    keys = ["version", "accelerator", "model", "workload", "stage", "weight_bits"]
    return pd.concat([listed[keys], costs, listed.drop(columns=keys)], axis=1)


def design(accelerator: str, stage: str, version: int, weight_bits: float) -> Design:
    """The shipped design of an accelerator as a version runs it on weights of so many bits."""
    known = {"ANT": "ant", EQUAL_AREA: "ant", "FP16": "fp16", "OliVe": "olive"}
    name = known.get(accelerator) or accelerator.lower().replace("-", "_")
    base = presets.load(f"published_{name}_{stage}")
    assert isinstance(base.datapath, PublishedArray)
    datapath = dataclasses.replace(base.datapath, weight_bits=float(weight_bits))
    if version == 2024:
        datapath = dataclasses.replace(datapath, kv_bits=16.0, kv_as_weights=True)
    array = presets.load(f"published_olive_{stage}").array if accelerator == EQUAL_AREA else base.array
    return dataclasses.replace(base, datapath=datapath, array=array)


def workload(model: str, stage: str, version: int) -> Workload:
    """Batch 1, context 256: a shipped workload, in version 2024 with that version's attention."""
    loaded = workloads.load(model, stage=stage)
    return _attention_2024(loaded, model, stage) if version == 2024 else loaded


def _attention_2024(loaded: Workload, model: str, stage: str) -> Workload:
    """Every head's scores reduce over all channels, though memory holds the KV heads' only; likewise the sums.

    So it over-counts a prefill's multiply-accumulates by the number of heads and by context per channel of a head.
    """
    shape = workloads.describe(model)
    assert isinstance(shape, Decoder)
    tokens = shape.context if stage == "prefill" else 1
    kv = shape.hidden // shape.heads * shape.kv_heads
    sizes = {  # m, n, k, input elements
        "attn_qk": (shape.heads * tokens, tokens, shape.hidden, kv * shape.heads * tokens),
        "attn_v": (tokens, shape.heads * tokens, shape.context, kv * tokens),
    }

    def replaced(layer: MatmulLayer) -> MatmulLayer:
        m, n, k, inputs = sizes[layer.name]
        source = layer.weights[0]
        assert isinstance(source, Drawn)
        return dataclasses.replace(
            layer, m=m, n=n, k=k, input_elements=inputs, weights=(dataclasses.replace(source, n=n, k=k),),
            repeat=shape.layers, together=1,
        )  # fmt: skip

    layers = tuple(
        replaced(layer) if isinstance(layer, MatmulLayer) and layer.dynamic else layer for layer in loaded.layers
    )
    return dataclasses.replace(loaded, name=f"{loaded.name} attention of 2024", layers=layers)


def ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """How many times the cycles and the energy of other accelerators are BitMoD's, over models and tasks.

    ``frame`` is that of `points`, and of `equal_area` below it if ANT at equal area is to be compared.

    Task ``discriminative`` is a prefill, ``generative`` a prefill and 20 decode steps. Columns: version, quantity,
    accelerator, base, task, mean (arithmetic, as published), geometric_mean, published (recomputed with the
    authors' notebook or simulator), paper.
    """
    rows = []
    for version, chosen in frame.groupby("version"):
        for quantity, column in (("cycles", "cycles"), ("energy", "energy_uj")):
            stages = chosen.pivot(index=["accelerator", "model"], columns="stage", values=column)
            stages["generative"] = stages["prefill"] + TOKENS * stages["decode"]
            tasks = stages.rename(columns={"prefill": "discriminative"})[["discriminative", "generative"]]
            known = [pair for pair in PAIRS if pair[1] in tasks.index]
            for accelerator, base in known:
                factors = tasks.loc[base] / tasks.loc[accelerator]
                for task in ("all", *factors):
                    values = factors.to_numpy().ravel() if task == "all" else factors[task].to_numpy()
                    means = values.mean(), np.exp(np.log(values).mean())
                    rows.append((version, quantity, accelerator, base, task, *means))
    keys = ["version", "quantity", "accelerator", "base", "task"]
    found = pd.DataFrame(rows, columns=[*keys, "mean", "geometric_mean"])
    return found.merge(_data("bitmod_ratios.csv"), how="left", on=keys)


def left_out(progress: bool = False) -> pd.DataFrame:
    """What BitMoD-LY's cycles and energy become if one thing that the publication leaves out counts.

    All generative tasks of version 2025 together. Columns: counted, cycles_percent, energy_percent: by how much more.
    """
    table = _listed([2025])
    chosen = table[table["accelerator"] == "BitMoD-LY"].to_dict("records")

    def cost(switch: Callable[[Design], Design]) -> np.ndarray:
        total = np.zeros(2)
        for point in chosen:
            plain = design("BitMoD-LY", point["stage"], 2025, point["weight_bits"])
            result = simulate(workload(point["workload"], point["stage"], 2025), switch(plain))
            total += np.array([result.cycles, result.energy_pj]) * (TOKENS if point["stage"] == "decode" else 1)
        return total

    base = cost(lambda plain: plain)
    rows = [
        (words, *(100 * (cost(switch) / base - 1)))
        for words, switch in track(list(SWITCHES.items()), "left out", progress)
    ]
    return pd.DataFrame(rows, columns=["counted", "cycles_percent", "energy_percent"])


def _counting(name: str) -> Callable[[Design], Design]:
    return lambda plain: dataclasses.replace(plain, counted=dataclasses.replace(plain.counted, **{name: True}))


def _with_datapath(**values: bool) -> Callable[[Design], Design]:
    return lambda plain: dataclasses.replace(plain, datapath=dataclasses.replace(plain.datapath, **values))


def _everything(plain: Design) -> Design:
    """All of `SWITCHES` but the memory model's."""
    return functools.reduce(lambda changed, words: SWITCHES[words](changed), _LEFT_OUT, plain)


SWITCHES: dict[str, Callable[[Design], Design]] = {
    "leakage": _counting("leakage"),
    "host operators": _counting("host_operators"),
    "partial DRAM cycles": _counting("partial_dram_cycles"),
    "fill and drain": _with_datapath(fill_drain=True),
    "term encoder": _with_datapath(term_encoder=True),
    "selector bits": _with_datapath(selectors=True),
    "all of these": _everything,
    "refetches per tile": lambda plain: dataclasses.replace(plain, refetch="tile"),
    "refetches and overlap per tile": lambda plain: dataclasses.replace(plain, refetch="tile", overlap="tile"),
}
"""What the publication leaves out; then, what our own designs do instead of its memory model."""
_LEFT_OUT = list(SWITCHES)[: list(SWITCHES).index("all of these")]


def counterpart(models: Sequence[str] | None = None, progress: bool = False) -> pd.DataFrame:
    """Our verified bit-serial array with BitMoD weights on the same models: FP4 to prefill, FP3 to decode.

    Everything counts, at as many PEs and lanes, the same clock and DRAM; 16-bit integer activations instead of
    FP16. Columns: model, workload, stage, design, format, array_cycles (matmuls), cycles, array_energy_uj,
    energy_uj, technology, verified.
    """
    table = _data("bitmod_points.csv")
    known = table[["model", "workload"]].drop_duplicates().itertuples(index=False)
    jobs = [(*each, stage) for each in known for stage in COUNTERPART_WEIGHTS if models is None or each[1] in models]
    rows = []
    for model, name, stage in track(jobs, "bit-serial counterpart", progress):
        array, weights = presets.load(f"bit_serial_bitmod_{stage}"), COUNTERPART_WEIGHTS[stage]
        subject = workloads.load(name, stage=stage, weights=weights, group_size=GROUP_SIZE, activation_bits=16)
        totals = simulate(subject, array).totals()
        rows.append(
            {
                "model": model, "workload": name, "stage": stage, "design": f"bit_serial_bitmod_{stage}",
                "format": weights, "array_cycles": totals["array_cycles"], "cycles": totals["cycles"],
                "array_energy_uj": float(totals["array_energy_pj"]) * 1e-6,
                "energy_uj": float(totals["energy_pj"]) * 1e-6, "technology": array.technology,
                "verified": array.datapath.verified,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _data(name: str) -> pd.DataFrame:
    """A table of published figures."""
    with (resources.files("hwsim.data") / "reproductions" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file)
