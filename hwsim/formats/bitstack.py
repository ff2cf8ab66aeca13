"""BitStack: planes of signs under low-rank magnitudes, loaded as memory allows."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._low_rank import leading
from hwsim.formats._nearest import code_array, ones, rows
from hwsim.formats._scales import check_number, stored
from hwsim.qtensor import Envelope, QTensor


def quantize(
    w: np.ndarray, *, iterations: int = 4, rank: int = 16, envelope_kind: str = "fp16"
) -> QTensor:  # fmt: skip
    """``w = sum_i sign_i * (u_i @ v_i)``, up to 16 planes of signs under magnitudes of ``rank``.

    Each iteration takes the signs of the residual (sign(0) = +1) and the best approximation of its
    magnitude, the root of each singular value on either side, in fp16 ("fp32" leaves that out), and subtracts their
    product. Bit i of a code is plane i; the first planes are those of fewer iterations. A
    multiply-accumulate is, per plane, ``rank`` additions or subtractions of scaled activations, or
    ``rank`` multiply-accumulates that rebuild the weight. Input scales by activation norms are
    left to the caller. Source: BitStack, Wang et al., arXiv 2410.23918.
    """
    check_number("bitstack: iterations", iterations, 1, 16, whole=True)
    check_number("bitstack: rank", rank, 1, 4096, whole=True)
    residual = rows(w)
    u, v, planes = [], [], []
    for _ in range(iterations):
        factors = leading(np.abs(residual), rank)
        u.append(stored(factors[0], envelope_kind))
        v.append(stored(factors[1], envelope_kind))
        planes.append(_peel(residual, u[-1], v[-1]))
    return QTensor(
        format="bitstack", shape=w.shape, codes=_codes(planes), codebook=Codebook.of(np.zeros(1), iterations),
        group_size=residual.shape[1], scale=np.ones((1, 1), np.float32), scale_kind="none",
        channel_scale=ones(len(residual)), envelope=Envelope(u=np.stack(u), v=np.stack(v)),
    )  # fmt: skip


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Signs of the residuals, plane by plane, under the magnitudes of ``like``."""
    if like.envelope is None:
        raise FormatError(f"format {like.format!r} has no envelope")
    residual = rows(w)
    planes = [_peel(residual, u, v) for u, v in zip(like.envelope.u, like.envelope.v, strict=True)]
    return dataclasses.replace(like, codes=_codes(planes))


def _peel(residual: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """bool: where ``residual`` is not negative; subtracts its signs times ``u @ v`` from it."""
    positive = residual >= 0
    magnitude = u.astype(np.float64) @ v.astype(np.float64)
    residual -= np.where(positive, magnitude, -magnitude)
    return positive


def _codes(planes: list[np.ndarray]) -> np.ndarray:
    codes = sum(plane.astype(np.uint16) << i for i, plane in enumerate(planes))
    return code_array(np.asarray(codes), len(planes))


FORMATS = (
    Format(
        name="bitstack", quantize=quantize, encode=encode, alphabet="sums of +-(u_i @ v_i), of each weight its own",
        mac="per plane and rank an addition or subtraction of a scaled activation",
        typical={"iterations": 1}, typical_shape=(4096, 4096),
        greedy="each plane takes the signs and the best low-rank magnitude of what the former ones leave: the error "
        "shrinks with each, fewer planes are the first of more",
    ),
)  # fmt: skip
