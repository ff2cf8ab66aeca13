"""Checkpoints packed here, value by value from the formats' definitions, decode to the very weights."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

import hwsim
from hwsim import checkpoints, cli
from hwsim.errors import CheckpointError

RNG = np.random.default_rng(0)


def packed_bits(values, bits):
    """int32 words of one list of unsigned values: bit i of value j is bit ``j * bits + i`` of the whole."""
    total = sum(int(value) << (bits * place) for place, value in enumerate(values))
    count = -(-len(values) * bits // 32)
    return [struct.unpack("<i", struct.pack("<I", (total >> (32 * word)) & 0xFFFFFFFF))[0] for word in range(count)]


def packed_rows(matrix, bits):
    return np.array([packed_bits(row, bits) for row in matrix], dtype=np.int32)


def write(folder, tensors, config, name="config.json"):
    plain = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    safetensors.numpy.save_file(plain, folder / "model.safetensors")
    data = {"model_type": "llama", "quantization_config": config} if name == "config.json" else config
    (folder / name).write_text(json.dumps(data))
    return folder


def write_raw(folder, tensors, config):
    """Tensors ``{name: (dtype, array)}``, for types that NumPy does not have."""
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps({"quantization_config": config}))
    return folder


def affine_case(bits, n, k, size, symmetric=False):
    """Unsigned codes [N, K], zero points [N, G], float16 scales [N, G] and the exact weights."""
    groups = -(-k // size)
    codes = RNG.integers(0, 1 << bits, (n, k))
    low = 1 if bits == 2 else 0
    zeros = np.full((n, groups), 1 << (bits - 1)) if symmetric else RNG.integers(low, 1 << bits, (n, groups))
    scales = RNG.uniform(0.001, 0.1, (n, groups)).astype(np.float16)
    weights = np.empty((n, k))
    for row in range(n):
        for column in range(k):
            group = column // size
            weights[row, column] = float(scales[row, group]) * (int(codes[row, column]) - int(zeros[row, group]))
    return codes, zeros, scales, weights


def gptq_tensors(codes, zeros, scales, bits, less=1):
    return {
        "a.q_proj.qweight": packed_rows(codes, bits).T,
        "a.q_proj.qzeros": packed_rows((zeros.T - less) % (1 << bits), bits),
        "a.q_proj.scales": scales.T,
        "a.norm.weight": np.ones(3, np.float16),
    }


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [32, -1])
@pytest.mark.parametrize("version", ["gptq", "gptq_v2"])
def test_gptq(tmp_path, bits, size, version):
    codes, zeros, scales, weights = affine_case(bits, 32, 96, 96 if size == -1 else size)
    config = {"quant_method": "gptq", "bits": bits, "group_size": size, "desc_act": False}
    if version == "gptq_v2":
        config["checkpoint_format"] = version
    tensors = gptq_tensors(codes, zeros, scales, bits, less=int(version == "gptq"))
    tensors["a.q_proj.g_idx"] = (np.arange(96) // (96 if size == -1 else size)).astype(np.int32)
    loaded = checkpoints.load(write(tmp_path, tensors, config))
    assert list(loaded) == ["a.q_proj"]
    q = loaded["a.q_proj"]
    assert (q.format, q.shape) == (f"int{bits}", (32, 96))
    np.testing.assert_array_equal(q.dequantize(), weights.astype(np.float32))


def test_gptq_with_its_own_configuration_file_and_symmetric_weights_that_run(tmp_path):
    codes, zeros, scales, weights = affine_case(4, 16, 64, 32, symmetric=True)
    config = {"bits": 4, "group_size": 32, "desc_act": False, "sym": True}
    folder = write(tmp_path, gptq_tensors(codes, zeros, scales, 4), config, name="quantize_config.json")
    q = checkpoints.load(folder / "model.safetensors")["a.q_proj"]
    np.testing.assert_array_equal(q.dequantize(), weights.astype(np.float32))
    assert q.zero_point is None
    assert q.bits_per_weight == 4 + 16 / 32
    lowered = hwsim.lower(q)
    x = RNG.integers(-127, 128, (5, 64))
    expected = x @ (lowered.integers * lowered.scale[:, lowered.group_index]).T
    np.testing.assert_array_equal(hwsim.Mac(weight_bits=4).matmul(x, lowered), expected)


def test_gptq_with_bfloat16_scales(tmp_path):
    codes, zeros, _, _ = affine_case(4, 16, 64, 32)
    scales = RNG.integers(0x3C00, 0x3E00, (2, 16)).astype(np.uint16)  # bfloat16 bits of 0.008 to 0.1
    real = (scales.astype(np.uint32) << 16).view(np.float32).T
    plain = gptq_tensors(codes, zeros, real, 4)
    kinds = {"int32": "I32", "float32": "F32", "float16": "F16"}
    tensors = {name: (kinds[str(array.dtype)], array) for name, array in plain.items()}
    tensors["a.q_proj.scales"] = ("BF16", scales)
    q = checkpoints.load(write_raw(tmp_path, tensors, {"quant_method": "gptq", "bits": 4, "group_size": 32}))[
        "a.q_proj"
    ]
    expected = np.repeat(real.astype(np.float64), 32, axis=1) * (codes - np.repeat(zeros, 32, axis=1))
    np.testing.assert_array_equal(q.dequantize(), expected.astype(np.float32))


def test_awq_with_one_group(tmp_path):
    """The word of eight outputs 0 .. 7 with value = output is 0x75316420: what AWQ's kernels read."""
    word = np.uint32(0x75316420).view(np.int32)
    tensors = {
        "up.qweight": np.full((32, 1), word, np.int32), "up.qzeros": np.zeros((1, 1), np.int32),
        "up.scales": np.ones((1, 8), np.float16),
    }  # fmt: skip
    q = checkpoints.load(write(tmp_path, tensors, {"quant_method": "awq", "bits": 4, "group_size": -1}))["up"]
    np.testing.assert_array_equal(q.dequantize(), np.repeat(np.arange(8.0)[:, None], 32, axis=1))


def test_awq(tmp_path):
    codes, zeros, scales, weights = affine_case(4, 24, 64, 32)

    def interleaved(matrix):
        """Words of eight outputs: place i from the lowest bits holds output order[i]."""
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        return np.array(
            [
                [packed_bits([row[8 * word + output] for output in order], 4)[0] for word in range(len(row) // 8)]
                for row in matrix
            ],
            dtype=np.int32,
        )

    tensors = {
        "mlp.up.qweight": interleaved(codes.T), "mlp.up.qzeros": interleaved(zeros.T), "mlp.up.scales": scales.T,
    }  # fmt: skip
    modern = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm"}
    q = checkpoints.load(write(tmp_path, tensors, modern))["mlp.up"]
    np.testing.assert_array_equal(q.dequantize(), weights.astype(np.float32))
    (tmp_path / "config.json").unlink()
    legacy = {"w_bit": 4, "q_group_size": 32, "zero_point": True, "version": "GEMM"}
    (tmp_path / "quant_config.json").write_text(json.dumps(legacy))
    np.testing.assert_array_equal(checkpoints.load(tmp_path)["mlp.up"].dequantize(), weights.astype(np.float32))


@pytest.mark.parametrize("linear_class", ["bitlinear", "autobitlinear"])
def test_bitnet(tmp_path, linear_class):
    ternary = RNG.integers(-1, 2, (16, 10))
    packed = np.zeros((4, 10), dtype=np.uint8)
    for row in range(16):
        packed[row % 4] += ((ternary[row] + 1) << (2 * (row // 4))).astype(np.uint8)
    scale = np.array([0.034], np.float32)
    config = {"quant_method": "bitnet", "linear_class": linear_class, "quantization_mode": "offline"}
    folder = write(tmp_path, {"up.weight": packed, "up.weight_scale": scale, "norm.weight": np.ones(3)}, config)
    q = checkpoints.load(folder)["up"]
    factor = np.float32(1 / float(scale[0])) if linear_class == "bitlinear" else scale[0]
    np.testing.assert_array_equal(q.dequantize(), (ternary * float(factor)).astype(np.float32))
    assert q.format == "bitnet158"


def packed_config(bits, strategy="group", size=32, **more):
    weights = {"num_bits": bits, "type": "int", "strategy": strategy, "group_size": size, "symmetric": True, **more}
    return {
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}, "ignore": ["lm_head"],
    }  # fmt: skip


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("strategy", ["group", "channel"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_packed_compressed_tensors(tmp_path, bits, strategy, symmetric):
    k = 96 if strategy == "group" else 45
    size = 32 if strategy == "group" else k
    codes, zeros, scales, weights = affine_case(bits, 20, k, size, symmetric)
    tensors = {
        "fc.weight_packed": packed_rows(codes, bits), "fc.weight_scale": scales,
        "fc.weight_shape": np.array([20, k], np.int64),
    }  # fmt: skip
    if not symmetric:
        tensors["fc.weight_zero_point"] = packed_rows(zeros.T, bits).T
    config = packed_config(bits, strategy, 32 if strategy == "group" else None, symmetric=symmetric)
    q = checkpoints.load(write(tmp_path, tensors, config))["fc"]
    np.testing.assert_array_equal(q.dequantize(), weights.astype(np.float32))
    assert (q.zero_point is None) == symmetric


def test_unpacked_zero_points_and_scales_of_full_precision(tmp_path):
    codes, zeros, _, _ = affine_case(8, 6, 64, 32)
    scales = RNG.uniform(0.01, 0.02, (6, 2)).astype(np.float32)
    tensors = {
        "fc.weight_packed": packed_rows(codes, 8), "fc.weight_scale": scales,
        "fc.weight_shape": np.array([6, 64]), "fc.weight_zero_point": (zeros - 128).astype(np.int8),
    }  # fmt: skip
    q = checkpoints.load(write(tmp_path, tensors, packed_config(8, symmetric=False)))["fc"]
    expected = np.repeat(scales.astype(np.float64), 32, axis=1) * (codes - np.repeat(zeros, 32, axis=1))
    np.testing.assert_array_equal(q.dequantize(), expected.astype(np.float32))


@pytest.mark.parametrize("scale_shape", [(1,), (8, 1)])
def test_int8_compressed_tensors(tmp_path, scale_shape):
    codes = RNG.integers(-128, 128, (8, 12)).astype(np.int8)
    scale = RNG.uniform(0.01, 0.1, scale_shape).astype(np.float32)
    strategy = "tensor" if scale_shape == (1,) else "channel"
    config = packed_config(8, strategy, None) | {"format": "int-quantized"}
    q = checkpoints.load(write(tmp_path, {"fc.weight": codes, "fc.weight_scale": scale}, config))["fc"]
    np.testing.assert_array_equal(q.dequantize(), (codes * scale.astype(np.float64)).astype(np.float32))


def fp8(byte):
    sign, exponent, fraction = byte >> 7, (byte >> 3) & 15, byte & 7
    magnitude = fraction / 8 * 2.0**-6 if exponent == 0 else (1 + fraction / 8) * 2.0 ** (exponent - 7)
    return -magnitude if sign else magnitude


@pytest.mark.parametrize("layout", ["float-quantized", "naive-quantized"])
def test_fp8_compressed_tensors_with_bfloat16_scales(tmp_path, layout):
    codes = RNG.permutation([b for b in range(256) if b & 0x7F != 0x7F]).astype(np.uint8).reshape(2, 127)
    scale = np.array([[0.5078125], [3.0]])
    stored = (scale.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    config = packed_config(8, "channel", None, type="float") | {"format": layout}
    tensors = {"fc.weight": ("F8_E4M3", codes), "fc.weight_scale": ("BF16", stored)}
    q = checkpoints.load(write_raw(tmp_path, tensors, config))["fc"]
    expected = np.array([[fp8(int(byte)) for byte in row] for row in codes]) * scale
    np.testing.assert_array_equal(q.dequantize(), expected.astype(np.float32))
    assert q.format == "fp8_e4m3"


def test_a_checkpoint_in_several_files_and_several_schemes(tmp_path):
    codes, _, scales, weights = affine_case(4, 8, 64, 32, symmetric=True)
    eight = RNG.integers(0, 256, (8, 64))
    config = packed_config(4)
    config["config_groups"]["group_1"] = packed_config(8, "channel", None)["config_groups"]["group_0"]
    shape = np.array([8, 64])
    first = {"a.weight_packed": packed_rows(codes, 4), "a.weight_scale": scales, "a.weight_shape": shape}
    second = {"b.weight_packed": packed_rows(eight, 8), "b.weight_scale": scales[:, :1], "b.weight_shape": shape}
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": config}))
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in first.items()}, tmp_path / "1.safetensors")
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in second.items()}, tmp_path / "2.safetensors")
    for indexed in (False, True):
        if indexed:
            weight_map = dict.fromkeys(first, "1.safetensors") | dict.fromkeys(second, "2.safetensors")
            (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        loaded = checkpoints.load(tmp_path)
        np.testing.assert_array_equal(loaded["a"].dequantize(), weights.astype(np.float32))
        np.testing.assert_array_equal(
            loaded["b"].dequantize(), ((eight - 128) * scales[:, :1].astype(np.float64)).astype(np.float32)
        )
    misplaced = {"weight_map": weight_map | {"b.weight_scale": "1.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(misplaced))
    with pytest.raises(CheckpointError, match=r"places tensor 'b\.weight_scale' in 1\.safetensors, which"):
        checkpoints.load(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (tmp_path / "2.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"names '2\.safetensors', which does not exist"):
        checkpoints.load(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../1.safetensors"}}))
    with pytest.raises(CheckpointError, match="files of its folder"):
        checkpoints.load(tmp_path)


def test_a_workload_of_checkpoint_layers(tmp_path):
    codes, zeros, scales, _ = affine_case(4, 16, 64, 32, symmetric=True)
    config = {"quant_method": "gptq", "bits": 4, "group_size": 32}
    tensors = checkpoints.load(write(tmp_path, gptq_tensors(codes, zeros, scales, 4), config))
    workload = hwsim.Workload.from_tensors("tiny", tensors, m=7)
    result = hwsim.simulate(workload, hwsim.Design())
    assert [(layer.name, layer.shape) for layer in result.layers] == [("a.q_proj", (7, 16, 64))]
    assert "half of the activations zero" in result.layers[0].assumed


def test_a_streamed_checkpoint_costs_what_a_loaded_one_does(tmp_path, capsys):
    codes, zeros, scales, _ = affine_case(4, 16, 64, 32)
    folder = write(tmp_path, gptq_tensors(codes, zeros, scales, 4), GPTQ)
    loaded, streamed = checkpoints.load(folder), checkpoints.stream(folder)
    assert {name: source.tensor().hash for name, source in streamed.items()} == {
        name: hwsim.lower(q).hash for name, q in loaded.items()
    }
    design = hwsim.Design(datapath=hwsim.BitSerial(skip="zero", offset_bits=16))
    totals = [
        hwsim.simulate(hwsim.Workload.from_tensors("tiny", each, m=7), design).totals() for each in (loaded, streamed)
    ]
    assert totals[0] == totals[1]
    design.save(tmp_path / "design.yaml")
    arguments = ["simulate", str(folder), "--design", str(tmp_path / "design.yaml"), "--tokens", "7", "--json"]
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["totals"] == json.loads(json.dumps(totals[0]))


def test_a_checkpoint_that_changes_under_way_is_refused(tmp_path):
    for seed in (1, 2):
        codes, zeros, scales, _ = affine_case(4, 16, 64, 32)
        codes = codes if seed == 1 else codes[::-1].copy()
        folder = write(tmp_path, gptq_tensors(codes, zeros, scales, 4), GPTQ)
        if seed == 1:
            (source,) = checkpoints.stream(folder).values()
    with pytest.raises(CheckpointError, match="has changed"):
        source.tensor()


GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False}


def broken_gptq(config=None, **changes):
    codes, zeros, scales, _ = affine_case(4, 16, 64, 32)
    tensors = gptq_tensors(codes, zeros, scales, 4)
    for name, change in changes.items():
        tensors[f"a.q_proj.{name}"] = change(tensors.get(f"a.q_proj.{name}"))
    return {k: v for k, v in tensors.items() if v is not None}, GPTQ if config is None else config


def nan(scales):
    damaged = scales.copy()
    damaged[0, 0] = np.nan
    return damaged


BROKEN = {
    "missing tensor": (broken_gptq(scales=lambda _: None), r"no tensor 'a\.q_proj\.scales'"),
    "NaN": (broken_gptq(scales=nan), r"'a\.q_proj\.scales' holds NaN"),
    "shape": (broken_gptq(scales=lambda s: s[:1]), r"a\.q_proj: scales of shape \(1, 16\)"),
    "dtype": (broken_gptq(qweight=lambda w: w.astype(np.int64)), "is I64, expected I32"),
    "order": (broken_gptq(g_idx=lambda _: np.arange(64, dtype=np.int32)[::-1] // 32), "desc_act"),
    "no order": (broken_gptq({**GPTQ, "desc_act": True}), r"desc_act is set, but .* no tensor 'a\.q_proj\.g_idx'"),
    "bits": (broken_gptq({**GPTQ, "bits": 5}), "bits must be 2 or 3 or 4 or 8, not 5"),
    "wrong bits": (broken_gptq({**GPTQ, "bits": 8}), "qzeros of shape"),
    "group size": (broken_gptq({**GPTQ, "group_size": 0}), "neither positive nor -1"),
    "method": (broken_gptq({**GPTQ, "quant_method": "gptk"}), "did you mean 'gptq'.*awq, bitnet, compressed-tensors"),
    "version": (broken_gptq({**GPTQ, "checkpoint_format": "marlin"}), "'marlin' is not supported"),
    "awq version": (broken_gptq({**GPTQ, "quant_method": "awq", "version": "gemv"}), "'gemv' is not supported"),
    "no tensors": (({"a.weight": np.ones(3)}, GPTQ), "holds no tensors of quant_method 'gptq'"),
    "config": (broken_gptq(["gptq"]), "no JSON object"),
    "bitnet code": (
        ({"a.weight": np.full((1, 4), 255, np.uint8), "a.weight_scale": np.ones(1)}, {"quant_method": "bitnet"}),
        "not ternary",
    ),
    "bitnet online": (({}, {"quant_method": "bitnet", "quantization_mode": "online"}), "offline"),
    "layout": (({}, packed_config(4) | {"format": "nvfp4-pack-quantized"}), "accepted: pack-quantized"),
    "strategy": (({}, packed_config(4, "block")), "strategy 'block' is not supported"),
    "type": (({}, packed_config(3)), "num_bits 3"),
    "scheme": (
        (
            {"a.weight": np.ones((4, 8), np.int8), "a.weight_scale": np.ones((3, 1), np.float32)},
            packed_config(8, "channel", None) | {"format": "int-quantized"},
        ),
        r"a: int weights \(4, 8\).*fit 0 of",
    ),
    "packed shape": (
        (
            {
                "a.weight_packed": np.ones((4, 1), np.int32), "a.weight_scale": np.ones((4, 1), np.float32),
                "a.weight_shape": np.array([4, 900]),
            },
            packed_config(4, "channel", None),
        ),
        "fit 0 of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_bad_checkpoints(tmp_path, name):
    (tensors, config), message = BROKEN[name]
    with pytest.raises(CheckpointError, match=message):
        checkpoints.load(write(tmp_path, tensors, config))


def test_damaged_and_missing_files(tmp_path):
    folder = write(tmp_path, *broken_gptq())
    path = folder / "model.safetensors"
    data = path.read_bytes()
    for damaged in (data[:-5], data[:20], b"", b"\xff" * 64, data + b"more"):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="not a readable safetensors file"):
            checkpoints.load(folder)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoints.load(folder / "other.safetensors")
    path.unlink()
    with pytest.raises(CheckpointError, match="holds no safetensors file"):
        checkpoints.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"cannot read config\.json"):
        checkpoints.load(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no quantization configuration"):
        checkpoints.load(folder)


def test_fp8_not_a_number(tmp_path):
    tensors = {"fc.weight": ("F8_E4M3", np.full((2, 2), 0x7F, np.uint8)), "fc.weight_scale": ("F32", np.ones(1, "f4"))}
    config = packed_config(8, "tensor", None, type="float") | {"format": "float-quantized"}
    with pytest.raises(CheckpointError, match=r"model.*NaN"):
        checkpoints.load(write_raw(tmp_path, tensors, config).joinpath("model.safetensors"))
