"""iFairy: complex weights that are powers of i, with a scale per axis."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._format import Format
from hwsim.formats._nearest import ones
from hwsim.formats._scales import stored
from hwsim.qtensor import QTensor

CODEBOOK = Codebook.of(np.ones(4), 2)
FLOOR = 1e-5


def quantize(w: np.ndarray, *, scale_kind: str = "fp32") -> QTensor:
    """``w = i**code`` times the scale of its axis, by the sector of its phase; 2 bits per complex weight.

    [-45, 45) degrees give 1, [45, 135) i, [135, 225) -1, the rest -i; 0 has phase 0. The real axis is scaled by
    mean|Re| of the weights on it, the imaginary axis by mean|Im|, both at least 1e-5 and one pair per tensor. A
    multiply-accumulate is two additions or subtractions, real and imaginary part swapped for odd
    codes, into one accumulator per axis. Source: iFairy, Wang et al., arXiv 2508.05571.
    """
    flat = w.reshape(w.shape[0], -1)
    codes = phase_codes(flat)
    imaginary = codes % 2 == 1
    scales = (_mean(flat.real[~imaginary]), _mean(flat.imag[imaginary]))
    real_scale, imaginary_scale = (stored(np.full((1, 1), s), scale_kind, positive=True) for s in scales)
    return QTensor(
        format="ifairy", shape=w.shape, codes=codes, codebook=CODEBOOK, group_size=flat.shape[1],
        scale=real_scale, imaginary_scale=imaginary_scale, scale_kind=scale_kind, channel_scale=ones(len(flat)),
    )  # fmt: skip


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Codes by phase, with the scales of ``like``."""
    return dataclasses.replace(like, codes=phase_codes(w.reshape(like.n, like.k)))


def phase_codes(w: np.ndarray) -> np.ndarray:
    """uint8: the power of i whose sector the phase lies in, compared exactly."""
    re, im = np.ascontiguousarray(w.real), np.ascontiguousarray(w.imag)
    second = (im <= -re) & (im > re)
    third = (im <= re) & (im < -re)
    return ((im >= re) & (im > -re)) + second * np.uint8(2) + third * np.uint8(3)


def multiply(x: np.ndarray, q: QTensor) -> tuple[np.ndarray, np.ndarray]:
    """complex128[..., N] twice: the sums of ``conj(x) * i**code`` over either axis's weights.

    The layer's output is ``scale * first + imaginary_scale * second``; conjugation as in the released code.
    """
    power = np.array([1, 1j, -1, -1j])[q.codes]
    imaginary = q.codes % 2 == 1
    return np.conj(x) @ np.where(imaginary, 0, power).T, np.conj(x) @ np.where(imaginary, power, 0).T


def _mean(part: np.ndarray) -> float:
    """Mean magnitude."""
    return max(float(np.abs(part.astype(np.float64)).mean()), FLOOR) if part.size else FLOOR


FORMATS = (
    Format(
        name="ifairy", quantize=quantize, encode=encode, alphabet="s, i*t, -s, -i*t",
        mac="two additions or subtractions with parts swapped for odd codes", typical={"scale_kind": "fp16"},
        greedy="codes are the nearest phase, whatever the scales of the axes", complex=True,
    ),
)  # fmt: skip
