"""BitMoD's cost model (HPCA 2025 and its simulator) written straight from its description, layer by layer."""

import math
from fractions import Fraction

CAPACITY = 512 * 1024
DRAM_PJ_PER_BIT = 18.75
CONTEXT = 256
PE_PJ = {"FP16": 0.77, "ANT": 0.56, "OliVe": 0.613, "BitMoD-LL": 0.56, "BitMoD-LY": 0.56}
ARRAYS = {
    "FP16": {"prefill": (32, 24), "decode": (64, 12)},
    "ANT": {"prefill": (32, 32), "decode": (64, 16)},
    "OliVe": {"prefill": (36, 32), "decode": (72, 16)},
    "BitMoD-LL": {"prefill": (32, 32), "decode": (64, 16)},
    "BitMoD-LY": {"prefill": (32, 32), "decode": (64, 16)},
}
"""Published rows (along N) and columns (along M)."""
SRAM_PJ = {
    128: (60.1299, 37.1679), 144: (61.5418, 38.4589), 192: (66.5781, 43.3184), 256: (70.0928, 51.7178),
    288: (72.5962, 54.1192), 384: (82.8304, 64.0479), 512: (92.7944, 83.3536), 576: (107.696, 89.3432),
    1024: (138.4416, 156.0904),
}  # fmt: skip
"""Read and write of one access over all banks, by width in bits (CACTI 7 with the BitMoD configuration)."""
MODELS = {  # hidden, heads, KV heads, layers, feed-forward matrices (N, K), vocabulary
    "opt-1.3b": (2048, 32, 32, 24, [(8192, 2048), (2048, 8192)], 50272),
    "phi-2": (2560, 32, 32, 32, [(10240, 2560), (2560, 10240)], 51200),
    "yi-6b": (4096, 32, 4, 32, [(11008, 4096), (11008, 4096), (4096, 11008)], 64000),
    "llama-2-7b": (4096, 32, 32, 32, [(11008, 4096), (11008, 4096), (4096, 11008)], 32000),
    "llama-2-13b": (5120, 40, 40, 40, [(13824, 5120), (13824, 5120), (5120, 13824)], 32000),
    "llama-3-8b": (4096, 32, 8, 32, [(14336, 4096), (14336, 4096), (4096, 14336)], 128256),
}


def ceil(a: int, b: int) -> int:
    return -(-a // b)


def run(accelerator: str, model: str, stage: str, version: int, weight_bits: float) -> tuple[int, dict[str, float]]:
    """Cycles, and microjoules of pe, sram_read, sram_write and dram."""
    weights = Fraction(weight_bits)
    hidden, heads, kv_heads, layers, feed_forward, vocabulary = MODELS[model]
    head = hidden // heads
    kv_dim = head * kv_heads
    serial = accelerator.startswith("BitMoD")
    lanes = 4 if serial else 1
    rows, cols = ARRAYS[accelerator][stage]
    tokens = CONTEXT if stage == "prefill" else 1

    matmuls = []  # how often, N, K, M, batch, bits in memory, input's K in memory, bits in the PEs
    for n, k in [(hidden, hidden), (kv_dim, hidden), (kv_dim, hidden), (hidden, hidden), *feed_forward]:
        matmuls.append((layers, n, k, tokens, 1, weights, k, weights))
    matmuls.append((1, vocabulary, hidden, tokens, 1, weights, hidden, weights))
    if version == 2024:
        matmuls.append((layers, tokens, hidden, heads * tokens, 1, 16, kv_dim, weights))
        matmuls.append((layers, heads * tokens, CONTEXT, tokens, 1, 16, kv_dim, weights))
    else:
        kv_bits, m = (8 if serial else 16), heads // kv_heads * tokens
        matmuls.append((layers, CONTEXT, head, m, kv_heads, kv_bits, head, kv_bits))
        matmuls.append((layers, head, CONTEXT, m, kv_heads, kv_bits, CONTEXT, kv_bits))

    weight_width = lanes * 4 * math.ceil(weights / 4) * rows // (2 if serial else 1)
    activation_width = lanes * 16 * cols // (2 if serial else 1)
    (weight_read, weight_write), (activation_read, activation_write) = SRAM_PJ[weight_width], SRAM_PJ[activation_width]

    cycles = compute_cycles = 0
    pj = dict.fromkeys(("pe", "sram_read", "sram_write", "dram"), 0.0)
    for times, n, k, m, batch, stored, input_k, bits in matmuls:
        latency = ceil(math.floor(bits), 2) if serial else 1
        tiles = ceil(k, lanes) * ceil(n, rows) * ceil(m, cols) * batch
        w = math.ceil(k * Fraction(stored) / 8) * n * batch
        i = input_k * 2 * m * batch
        o = n * 2 * m * batch
        weight_reads = input_reads = 1
        if w > CAPACITY and i > CAPACITY:
            if w * ceil(i, CAPACITY) + i < w + i * ceil(w, CAPACITY):
                weight_reads = ceil(i, CAPACITY)
            else:
                input_reads = ceil(w, CAPACITY)
        moved = w * weight_reads + i * input_reads + o
        cycles += times * max(tiles * latency, int(moved * 8 / 256))
        compute_cycles += times * tiles * latency
        pj["sram_read"] += times * tiles * (weight_read + activation_read)
        weight_words = math.ceil(k * Fraction(stored) / 64) * n * batch * weight_reads
        activation_words = ceil(input_k * 16, 64) * m * batch * input_reads + ceil(n * 16, 64) * m * batch
        written = weight_words * weight_write / weight_width + activation_words * activation_write / activation_width
        pj["sram_write"] += times * 64 * written
        pj["dram"] += times * DRAM_PJ_PER_BIT * 8 * moved
    pj["pe"] = PE_PJ[accelerator] * 1.5 * rows * cols * compute_cycles
    return cycles, {name: value * 1e-6 for name, value in pj.items()}
