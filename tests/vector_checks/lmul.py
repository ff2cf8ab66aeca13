"""L-Mul: single products, and the checksums of whole product tables."""

import hashlib

import numpy as np

from hwsim import LMul
from hwsim.kernels import lmul as kernels
from hwsim.lmul import correction

FP32 = (8, 23, 0x7F7FFFFF)


def check_lmul(case):
    if "sha256" in case:
        check_table(case)
        return
    a, b = int(case["a"], 16), int(case["b"], 16)
    for key, name in (("lmul", "paper"), ("mitchell", "none")):
        if key not in case:
            continue
        if case["name"] == "fp32":
            offset = (127 << 23) - correction(23, name)
            code = int(kernels.products(np.array([a]), np.array([b]), FP32, offset)[0])
            value = float(np.uint32(code).view(np.float32))
        else:
            datapath = LMul(format=case["name"], correction=name)
            code = int(datapath.products(np.array(a), np.array(b)))
            value = float(datapath.kind.decode(np.array(code)))
        assert code == int(case[key], 16)
        assert value == case[f"{key}_val"]
    if case["name"] in ("e4m3", "e5m2") and "raw_signed_sum" in case:
        kind = LMul(format=case["name"])
        magnitude = kind.kind.sign_bit - 1
        assert (a & magnitude) + (b & magnitude) - kind.offset() == case["raw_signed_sum"]


def check_table(case):
    kind = case["name"].rpartition(" ")[2]
    datapath = LMul(format=kind, correction="paper" if case["offset"] == "l(m)" else "none")
    codes = np.arange(256)
    table = datapath.products(codes[:, None], codes[None, :])
    assert hashlib.sha256(table.tobytes()).hexdigest() == case["sha256"]
    assert np.count_nonzero(table) == case["nonzero"]
    assert ((table & 127) == datapath.kind.max_code).sum() == case["saturated"]
