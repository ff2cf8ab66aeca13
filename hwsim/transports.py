"""How codes travel to the array: as they are, ternary ones packed, or entropy-coded."""

import dataclasses

from hwsim import rans
from hwsim.consistency import TRANSPORTS
from hwsim.errors import FormatError, nearest
from hwsim.qtensor import QTensor

STREAMS = 8


def transport(q: QTensor, how: str) -> QTensor:
    """``q`` with another transport: the same values, other `QTensor.storage_bits`.

    "raw" stores codes as they are; "trits" packs five ternary ones into a byte (3^5 = 243), "mask" keeps a
    bit for zero or not and a sign for each that is not; "rans" is an entropy coder with a table of
    its own and 8 interleaved streams, so that a decoder in front of the array supplies several codes
    per cycle. FormatError for "trits" and "mask" with codes that are not ternary.
    """
    if how not in TRANSPORTS:
        raise FormatError(f"unknown transport {how!r}; {nearest(str(how), TRANSPORTS)}")
    return dataclasses.replace(q, transport=how)


def encoded(q: QTensor) -> rans.Encoded:
    """The codes of ``q`` as rANS streams; `hwsim.rans.decode` gives them back in order."""
    size = 1 << q.code_bits if q.plane_weights is not None else q.codebook.mantissas.shape[1]
    return rans.encode(q.codes, rans.FrequencyTable.of(q.codes, size), STREAMS)


def encoded_bits(q: QTensor) -> int:
    """Bits of `encoded`, its table included."""
    return encoded(q).storage_bits
