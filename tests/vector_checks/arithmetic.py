"""Pixel embedding, entropy coding, dyadic requantization, wrapping accumulators."""

import re

import numpy as np

from hwsim import rans, rounding, wrapnet
from hwsim.entropy import entropy, huffman_length
from hwsim.pixel_embedding import PixelEmbedding
from hwsim.requantization import dyadic


def check_pixel_embedding(case):
    entries, d, bits = (int(part) for part in re.search(r"(\d+) entries x d=(\d+) x (\d+)bit", case["name"]).groups())
    channels, factor = int(case["per_channel"][0]), int(re.search(r"(\d+)x$", case["per_channel"])[1])
    table = np.zeros((1, entries, d), np.uint8)
    for pixel, vector in case["lookup"].items():
        table[0, int(pixel)] = vector
    shared = PixelEmbedding(tables=table, bits=bits)
    separate = PixelEmbedding(tables=np.repeat(table, channels, axis=0), bits=bits)
    assert shared.storage_bits == case["lut_bits"]
    assert separate.storage_bits == factor * case["lut_bits"]
    pixels = np.array([int(pixel) for pixel in case["lookup"]], np.uint8)
    image = np.broadcast_to(pixels, (channels, 1, len(pixels)))
    for embedding in (shared, separate):
        vectors = embedding.lookup(image).reshape(channels, d, len(pixels))
        for each in vectors:
            assert each.T.tolist() == list(case["lookup"].values())


def check_entropy(case):
    if "p_zero" in case:
        rest = (1 - case["p_zero"]) / 2
        p = np.array([case["p_zero"], rest, rest])
        assert abs(entropy(p) - case["H"]) <= 5.1e-5
        assert abs(huffman_length(p) - case["huffman"]) <= 5.1e-5
        return
    frequencies = {int(s): int(f) for s, f in re.findall(r"(\d+):(\d+)", case["name"])}
    lower = int(re.search(r"lower bound (\d+)", case["name"])[1])
    table = rans.FrequencyTable(frequencies=np.array([frequencies.get(s, 0) for s in range(max(frequencies) + 1)]))
    assert 1 << table.bits == int(re.search(r"M=(\d+)", case["name"])[1])
    data = rans.encode(np.array(case["symbols"]), table, lower=lower)
    assert data.states.tolist() == [case["state"]]
    assert data.payload.tolist() == case["bytes_lifo"]
    assert (rans.decode(data).tolist() == case["symbols"]) == case["decoded_ok"]


def check_dyadic(case):
    if "identity" in case:
        (b1, b2), (c1, c2) = dyadic(np.array([case["s1"], case["s2"]]))
        parts = [
            rounding.dyadic_requantize(np.array(value), int(b), int(c), bits=32)
            for value, b, c in ((case["acc"], b1, c1), (case["identity"], b2, c2))
        ]
        assert rounding.saturate(sum(parts), 8) == case["out"]
        return
    scale = float(re.search(r"scale ([\d.e+-]+)", case["name"])[1])
    b, c = (int(part[0]) for part in dyadic(np.array([scale])))
    assert (b, c) == (case["b"], case["c"])
    acc = np.array(case["acc"])
    assert rounding.dyadic_requantize(acc, b, c).tolist() == case["int8_round_half_even"]
    if isinstance(case["int8_gemmlowp"], str):
        assert c < 31, "a left shift comes first for ratios of 1 and more"
        return
    assert rounding.gemmlowp_requantize(acc, b, c).tolist() == case["int8_gemmlowp"]


def check_wrapnet(case):
    bits = int((re.search(r"(\d+)-bit", case["name"]) or ["", "8"])[1])
    if "terms" in case:
        terms = np.array(case["terms"])
        assert terms.sum() == case["final_int"]
        for order in (terms, terms[::-1], np.sort(terms)):
            total = 0
            for term in order:
                total = int(rounding.wrap(np.array(total + term), bits))
            assert total == case["wrapped"]
        assert rounding.saturating_sum(terms, bits) == case["saturating_left_to_right"]
        return
    slope = float(re.search(r"k=([\d.]*\d)", case["name"])[1])
    wrapped = rounding.wrap(np.array(case["z"]), bits)
    assert wrapped.tolist() == case["wrapped"]
    np.testing.assert_allclose(wrapnet.cyclic(wrapped, bits, slope), case["cyclic"], rtol=0, atol=1.5e-6)
