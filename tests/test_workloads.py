"""Models by name against published shapes and totals, and weights that are drawn when needed."""

import dataclasses
import json
import math

import numpy as np
import pytest

import hwsim
from hwsim import BitSerial, Design, Mac, workloads
from hwsim.cli import main
from hwsim.errors import NetworkError
from hwsim.weight_source import Drawn
from hwsim.workload import MatmulLayer

LINEAR_WEIGHTS = {
    "opt-1.3b": 1310916608, "opt-6.7b": 6648365056, "phi-2": 2647654400, "yi-6b": 5798625280,
    "llama-2-7b": 6607077376, "llama-2-13b": 12851609600, "llama-3-8b": 7504658432,
}  # fmt: skip
"""Weights of all linear layers with lm_head; BitMoD's released memory table (HPCA 2025) has the same in bytes."""

SHAPES = {  # layer: count, M in prefill and decode, N, K; prompt and context of 256 tokens, as BitMoD (HPCA 2025) runs
    "opt-1.3b": {
        "q_proj": (24, 256, 1, 2048, 2048), "k_proj": (24, 256, 1, 2048, 2048), "v_proj": (24, 256, 1, 2048, 2048),
        "o_proj": (24, 256, 1, 2048, 2048), "fc1": (24, 256, 1, 8192, 2048), "fc2": (24, 256, 1, 2048, 8192),
        "lm_head": (1, 256, 1, 50272, 2048), "attn_qk": (768, 256, 1, 256, 64), "attn_v": (768, 256, 1, 64, 256),
    },
    "opt-6.7b": {
        "q_proj": (32, 256, 1, 4096, 4096), "k_proj": (32, 256, 1, 4096, 4096), "v_proj": (32, 256, 1, 4096, 4096),
        "o_proj": (32, 256, 1, 4096, 4096), "fc1": (32, 256, 1, 16384, 4096), "fc2": (32, 256, 1, 4096, 16384),
        "lm_head": (1, 256, 1, 50272, 4096), "attn_qk": (1024, 256, 1, 256, 128), "attn_v": (1024, 256, 1, 128, 256),
    },
    "phi-2": {
        "q_proj": (32, 256, 1, 2560, 2560), "k_proj": (32, 256, 1, 2560, 2560), "v_proj": (32, 256, 1, 2560, 2560),
        "o_proj": (32, 256, 1, 2560, 2560), "fc1": (32, 256, 1, 10240, 2560), "fc2": (32, 256, 1, 2560, 10240),
        "lm_head": (1, 256, 1, 51200, 2560), "attn_qk": (1024, 256, 1, 256, 80), "attn_v": (1024, 256, 1, 80, 256),
    },
    "yi-6b": {
        "q_proj": (32, 256, 1, 4096, 4096), "k_proj": (32, 256, 1, 512, 4096), "v_proj": (32, 256, 1, 512, 4096),
        "o_proj": (32, 256, 1, 4096, 4096), "gate_proj": (32, 256, 1, 11008, 4096),
        "up_proj": (32, 256, 1, 11008, 4096), "down_proj": (32, 256, 1, 4096, 11008),
        "lm_head": (1, 256, 1, 64000, 4096), "attn_qk": (128, 2048, 8, 256, 128), "attn_v": (128, 2048, 8, 128, 256),
    },
    "llama-2-7b": {
        "q_proj": (32, 256, 1, 4096, 4096), "k_proj": (32, 256, 1, 4096, 4096), "v_proj": (32, 256, 1, 4096, 4096),
        "o_proj": (32, 256, 1, 4096, 4096), "gate_proj": (32, 256, 1, 11008, 4096),
        "up_proj": (32, 256, 1, 11008, 4096), "down_proj": (32, 256, 1, 4096, 11008),
        "lm_head": (1, 256, 1, 32000, 4096), "attn_qk": (1024, 256, 1, 256, 128), "attn_v": (1024, 256, 1, 128, 256),
    },
    "llama-2-13b": {
        "q_proj": (40, 256, 1, 5120, 5120), "k_proj": (40, 256, 1, 5120, 5120), "v_proj": (40, 256, 1, 5120, 5120),
        "o_proj": (40, 256, 1, 5120, 5120), "gate_proj": (40, 256, 1, 13824, 5120),
        "up_proj": (40, 256, 1, 13824, 5120), "down_proj": (40, 256, 1, 5120, 13824),
        "lm_head": (1, 256, 1, 32000, 5120), "attn_qk": (1600, 256, 1, 256, 128), "attn_v": (1600, 256, 1, 128, 256),
    },
    "llama-3-8b": {
        "q_proj": (32, 256, 1, 4096, 4096), "k_proj": (32, 256, 1, 1024, 4096), "v_proj": (32, 256, 1, 1024, 4096),
        "o_proj": (32, 256, 1, 4096, 4096), "gate_proj": (32, 256, 1, 14336, 4096),
        "up_proj": (32, 256, 1, 14336, 4096), "down_proj": (32, 256, 1, 4096, 14336),
        "lm_head": (1, 256, 1, 128256, 4096), "attn_qk": (256, 1024, 4, 256, 128), "attn_v": (256, 1024, 4, 128, 256),
    },
}  # fmt: skip


def matmuls(workload):
    return [layer for layer in workload.layers if isinstance(layer, MatmulLayer)]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("stage", ["prefill", "decode"])
def test_language_models_have_the_published_shapes(name, stage):
    found = {layer.name: (layer.matmuls, layer.m, layer.n, layer.k)
             for layer in matmuls(workloads.load(name, stage=stage))}  # fmt: skip
    assert found == {
        layer: (count, prefill if stage == "prefill" else decode, n, k)
        for layer, (count, prefill, decode, n, k) in SHAPES[name].items()
    }


@pytest.mark.parametrize("name", LINEAR_WEIGHTS)
def test_language_models_have_the_published_weights(name):
    assert workloads.load(name).weights == workloads.load(name, stage="decode").weights == LINEAR_WEIGHTS[name]


def block_extras(h, f, attention_biases):
    """Biases and two normalizations of an encoder block."""
    return attention_biases * h + f + h + 4 * h


OTHER_WEIGHTS = {
    # published parameters, less what is no matmul weight: biases, normalizations, positions, embeddings
    "resnet-18": 11689512 - 2 * 4800 - 1000,  # torchvision
    "vit-b-16": 86567656 - 768 - 768 - 197 * 768 - 12 * block_extras(768, 3072, 4) - 2 * 768 - 1000,  # torchvision
    "bert-base": 109482240 - (30522 + 512 + 2) * 768 - 2 * 768 - 12 * block_extras(768, 3072, 4) - 768,  # transformers
    "minilm-l6": 22713216 - (30522 + 512 + 2) * 384 - 2 * 384 - 6 * block_extras(384, 1536, 4) - 384 * 385,  # likewise
}


@pytest.mark.parametrize("name", OTHER_WEIGHTS)
def test_other_models_have_the_published_weights(name):
    assert workloads.load(name).weights == OTHER_WEIGHTS[name]


def test_whisper_has_the_published_weights():
    """37760640 parameters (transformers): less positions, biases (keys have none) and normalizations."""
    h, f = 384, 1536
    encoder = 2 * h + 1500 * h + 4 * block_extras(h, f, 3) + 2 * h
    decoder = 448 * h + 4 * (block_extras(h, f, 3) + 3 * h + 2 * h) + 2 * h
    stages = [workloads.load("whisper-tiny", stage=stage).weights for stage in ("encode", "decode")]
    assert sum(stages) == 37760640 - encoder - decoder


def test_resnet_has_the_published_macs():
    assert round(workloads.load("resnet-18").macs / 1e9, 2) == 1.81  # torchvision: 1.81 GFLOPS, a MAC being one


@pytest.mark.parametrize("batch", [1, 3])
def test_keys_and_values_are_written_and_read(batch):
    """Yi-6B: 4 KV heads of 128 channels in 32 blocks."""
    workload = workloads.load("yi-6b", stage="decode", batch=batch, context=100, kv_bits=4)
    assert workload.cache_bits == batch * 100 * 2 * 4 * 128 * 32 * 4
    named = {layer.name: layer for layer in matmuls(workload)}
    written = sum(named[name].m * named[name].n * named[name].output_bits * named[name].repeat
                  for name in ("k_proj", "v_proj"))  # fmt: skip
    assert written == workload.cache_bits // 100
    result = {layer.name: layer for layer in hwsim.simulate(workload, Design()).layers}
    scales = {"attn_qk": 100, "attn_v": 128}
    for name, rows in scales.items():
        layer = named[name]
        operands = layer.m * (layer.k + layer.n) * 8 * layer.matmuls
        assert result[name].dram_bits - operands == workload.cache_bits // 2 + 32 * rows * layer.matmuls


def test_generated_tokens_see_one_more_each():
    steps = [workloads.load("opt-1.3b", stage="decode", context=context) for context in (50, 51, 52)]
    together = workloads.load("opt-1.3b", stage="decode", context=50, generate=3)
    assert together.macs == sum(step.macs for step in steps)
    assert together.cache_bits == steps[-1].cache_bits
    cycles = [hwsim.simulate(step, Design()).cycles for step in (*steps, together)]
    assert sum(cycles[:3]) == cycles[3]


@pytest.mark.parametrize("datapath", [Mac(), BitSerial(skip="zero")])
def test_repeating_a_block_costs_what_listing_it_does(datapath):
    shared = workloads.load("minilm-l6", context=16)
    listed = dataclasses.replace(
        shared,
        layers=tuple(dataclasses.replace(layer, repeat=1) for layer in shared.layers for _ in range(layer.repeat)),
    )
    once, each = (hwsim.simulate(workload, Design(datapath=datapath)).totals() for workload in (shared, listed))
    assert once.keys() == each.keys()
    for key, value in once.items():
        assert value == (pytest.approx(each[key], rel=1e-12) if isinstance(value, float) else each[key])


def test_distinct_layers_have_weights_of_their_own():
    shared, distinct = (workloads.load("minilm-l6", context=16, distinct=each) for each in (False, True))
    assert (distinct.macs, distinct.weights) == (shared.macs, shared.weights)
    hashes = [layer.weights[0].hash for layer in matmuls(distinct)]
    assert len(hashes) == len(set(hashes)) == 6 * 8
    design = Design(datapath=BitSerial(skip="zero"))
    one, other = (hwsim.simulate(each, design).totals()["array_energy_pj"] for each in (shared, distinct))
    assert one != other
    assert one == pytest.approx(other, rel=0.01)


@pytest.mark.parametrize(
    ("format", "group_size"),
    [("int4", None), ("int4", 128), ("int8", None), ("bitmod_fp3", None), ("ant_flint4", 64), ("binary", None)],
)
def test_many_drawn_rows_are_like_quantized_weights(format, group_size):
    source = Drawn(n=3000, k=1024, format=format, group_size=group_size, seed=3)
    drawn = source.tensor()
    params = {} if group_size is None else {"group_size": group_size}
    values = np.random.default_rng(99).standard_normal((3000, 1024), dtype=np.float32)
    real = hwsim.lower(hwsim.quantize(values, format, **params))
    assert (drawn.n, drawn.k, drawn.storage_bits) == (real.n, real.k, real.storage_bits)
    shares = [np.bincount(q.codes.reshape(-1), minlength=1 << q.code_bits) / q.codes.size for q in (drawn, real)]
    np.testing.assert_allclose(*shares, atol=0.003)
    effective = [np.std(q.integers * q.scale[:, q.group_index] * q.channel_scale[:, None]) for q in (drawn, real)]
    assert effective[0] == pytest.approx(effective[1], rel=0.01)
    datapath, array = BitSerial(skip="zero", offset_bits=8), hwsim.Array()
    cycles = [datapath.stats(q, array).values[:2] for q in (drawn, real)]
    np.testing.assert_allclose(*cycles, rtol=0.01)


def test_drawn_weights_are_reproducible_and_depend_on_the_seed():
    source = Drawn(n=2000, k=1024, format="int4", seed=1)
    assert source.tensor().hash == source.tensor().hash
    for change in ({"seed": 2}, {"stream": 1}, {"distribution": "uniform"}, {"format": "int5"}):
        other = dataclasses.replace(source, **change)
        assert other.hash != source.hash
        assert other.tensor().hash != source.tensor().hash


def test_few_drawn_rows_are_quantized_as_they_are():
    values = np.random.default_rng([7, 0]).standard_normal((40, 96), dtype=np.float32)
    expected = hwsim.lower(hwsim.quantize(values, "int4"))
    assert Drawn(n=40, k=96, format="int4", seed=7).tensor().hash == expected.hash


def test_rows_side_by_side_are_independent():
    q = Drawn(n=4096, k=1024, format="int4").tensor()
    values = q.integers.astype(np.float32)
    correlation = (values[:-1] * values[1:]).mean(axis=1) / values.var()
    assert np.abs(correlation.mean()) < 0.005
    assert (np.abs(correlation) > 0.5).mean() < 0.002


@pytest.mark.parametrize("name", workloads.available())
def test_every_model_describes_itself_and_simulates_small(name):
    model = workloads.describe(name)
    assert model.title
    assert model.source
    for stage in model.STAGES or (None,):
        workload = workloads.load(name, stage=stage)
        assert all(layer.assumed for layer in matmuls(workload))
        assert all(math.prod((layer.m, layer.n, layer.k)) > 0 for layer in matmuls(workload))


BAD = {
    "no model": ("llama-2-7", {}), "no stage": ("llama-2-7b", {"stage": "encode"}),
    "stage of one": ("bert-base", {"stage": "decode"}), "batch": ("bert-base", {"batch": 0}),
    "context": ("llama-2-7b", {"context": 0}), "context of images": ("resnet-18", {"context": 3}),
    "generate in prefill": ("llama-2-7b", {"generate": 2}), "kv bits": ("llama-2-7b", {"kv_bits": 16}),
    "format": ("bert-base", {"weights": "int9"}),
    "group size": ("bert-base", {"weights": "binarymos", "group_size": 8}),
    "distribution": ("bert-base", {"distribution": "cauchy"}), "seed": ("bert-base", {"seed": -1}),
    "fraction": ("bert-base", {"batch": 1.5}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "params"), BAD.values(), ids=BAD.keys())
def test_bad_parameters_are_named(name, params):
    with pytest.raises(hwsim.HwsimError) as error:
        workloads.load(name, **params)
    if params:
        assert any(str(part) in str(error.value) for pair in params.items() for part in pair)


def test_the_command_line_takes_models(capsys):
    assert main(["workloads", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert [model["name"] for model in models] == list(workloads.available())
    options = ["--stage", "decode", "--context", "64", "--batch", "2", "--weights", "int4"]
    assert main(["workloads", "opt-1.3b", *options, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    expected = workloads.load("opt-1.3b", stage="decode", context=64, batch=2, weights="int4")
    assert (shown["name"], shown["macs"], shown["weights"]) == (expected.name, expected.macs, expected.weights)
    assert sum(layer.get("weight_bytes", 0) for layer in shown["layers"]) > expected.weights / 2
    assert main(["simulate", "minilm-l6", "--context", "16", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["totals"]["macs"] == workloads.load("minilm-l6", context=16).macs
    assert any("second operand: normal weights" in note for note in result["assumptions"])
    assert main(["workloads", "minilm-l6"]) == 0
    assert "MiniLM-L6" in capsys.readouterr().out
    assert main(["simulate", "mlp_int8", "--stage", "decode"]) == 2
    assert "--stage is an option of a model" in capsys.readouterr().err
    assert main(["simulate", "bert-base", "--tokens", "3"]) == 2
    assert "--tokens is an option of a checkpoint" in capsys.readouterr().err


def test_an_unknown_model_is_named():
    with pytest.raises(NetworkError, match="did you mean 'llama-2-7b'"):
        workloads.load("llama-2-7")
