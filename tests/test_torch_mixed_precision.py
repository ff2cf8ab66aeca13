"""Formats per layer of a small model."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import hwsim
from hwsim import BitSerial, Design, simulate
from hwsim.errors import ExportError, HwsimError
from hwsim.torch import export
from hwsim.torch.mixed_precision import mix

DESIGN = Design(datapath=BitSerial(skip="zero"), technology="horowitz45")


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 4))


SAMPLES = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
FORMATS = ("int8", "int4", "int2")


@pytest.mark.parametrize("measure", ["latency_s", "storage_bits"])
def test_the_budget_is_kept_and_no_other_choice_loses_less(measure):
    found = mix(model(), SAMPLES, FORMATS, DESIGN, {measure: 0.4})
    chosen = found.table[found.table["chosen"]]
    assert chosen["layer"].is_unique
    assert chosen[measure].sum() <= found.limits[measure]
    assert dict(zip(chosen["layer"], chosen["format"], strict=True)) == found.formats
    tables = [rows.to_dict("records") for _, rows in found.table.groupby("layer", sort=False)]
    best = min(
        sum(row["loss"] for row in every)
        for every in itertools.product(*tables)
        if sum(row[measure] for row in every) <= found.limits[measure]
    )
    assert chosen["loss"].sum() == pytest.approx(best)
    again = export(model(), SAMPLES, "int8", overrides=found.formats)
    assert again.hash == found.network.hash


def test_costs_are_those_of_the_simulator():
    found = mix(model(), SAMPLES, FORMATS, DESIGN, {"energy_pj": 0.5}, batch=3)
    for name, rows in found.table.groupby("format"):
        result = simulate(export(model(), SAMPLES, name), DESIGN, 3)
        layers = [layer for layer in result.layers if layer.kind == "matmul"]
        assert rows["latency_s"].tolist() == [layer.cycles / 500e6 for layer in layers]
        assert rows["energy_pj"].tolist() == [layer.energy_pj() for layer in layers]
    losses = found.table.pivot(index="layer", columns="format", values="loss")
    assert (losses["int2"] > losses["int8"]).all()


def test_labels_and_tied_layers():
    labels = np.random.default_rng(1).integers(0, 4, len(SAMPLES))
    names = [node.name for node in export(model(), SAMPLES).matmuls()]
    found = mix(model(), SAMPLES, FORMATS, DESIGN, {"storage_bits": 0.3}, labels=labels, tied=[names[:2]])
    assert found.formats[names[0]] == found.formats[names[1]]
    outputs = [
        hwsim.run(export(model(), SAMPLES, "int8", overrides=o), None, SAMPLES) for o in ({}, {names[0]: "int2"})
    ]
    before, after = (
        nn.functional.cross_entropy(torch.as_tensor(each), torch.as_tensor(labels)).item() for each in outputs
    )
    row = found.table[(found.table["layer"] == names[0]) & (found.table["format"] == "int2")].iloc[0]
    assert row["loss"] == pytest.approx(max(after - before, 1e-6))


def test_what_cannot_be_chosen_is_refused():
    with pytest.raises(ExportError, match="leave nothing to choose"):
        mix(model(), SAMPLES, ["int8"], DESIGN, {})
    with pytest.raises(ExportError, match="expected a share"):
        mix(model(), SAMPLES, FORMATS, DESIGN, {"latency": 0.5})
    with pytest.raises(ExportError, match="no layer 'nowhere'"):
        mix(model(), SAMPLES, FORMATS, DESIGN, {"latency_s": 0.5}, tied=[["nowhere"]])
    with pytest.raises(HwsimError, match="labels of shape"):
        mix(model(), SAMPLES, FORMATS, DESIGN, {}, labels=np.zeros(3, int))
