"""Binary coding: the nearest of the levels that are signed sums of plane weights."""

import dataclasses

import numpy as np

from hwsim.formats._nearest import rows
from hwsim.kernels import binary_coding
from hwsim.qtensor import QTensor


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest level of each weight's group in ``like``: of two the larger, of equal ones the larger code."""
    assert like.plane_weights is not None
    unit = like.channel_scale[:, None].astype(np.float64)
    shape = (len(like.plane_weights), like.n, like.groups)
    weights = np.broadcast_to(like.plane_weights * (like.scale * unit), shape)
    offset = np.broadcast_to(0.0 if like.offset is None else like.offset * unit, shape[1:])
    codes = np.zeros(like.codes.shape, np.uint8)
    binary_coding.encode(rows(w), like.group_size, np.array(weights), np.array(offset), codes)
    return dataclasses.replace(like, codes=codes)
