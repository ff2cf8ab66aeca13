"""How codes travel to the array: as they are, five ternary ones to a byte, or entropy-coded."""

import dataclasses

from hwsim import rans
from hwsim.errors import FormatError, nearest
from hwsim.qtensor import QTensor

STREAMS = 8
TRANSPORTS = ("raw", "trits", "rans")


def transport(q: QTensor, how: str) -> QTensor:
    """``q`` with another transport: the same values, other `QTensor.storage_bits`.

    "raw" stores codes as they are; "trits" packs five codes of 0, 1 and 2 into a byte (3^5 = 243);
    "rans" is an entropy coder with a table of its own and 8 interleaved streams, so that a
    decoder in front of the array supplies several codes per cycle. FormatError for "trits" with other codes.
    """
    if how not in TRANSPORTS:
        raise FormatError(f"unknown transport {how!r}; {nearest(str(how), TRANSPORTS)}")
    if how == "trits" and int(q.codes.max()) > 2:
        raise FormatError(f"format {q.format!r} has codes above 2: they do not travel as trits")
    return dataclasses.replace(q, transport=how)


def encoded(q: QTensor) -> rans.Encoded:
    """The codes of ``q`` as rANS streams; `hwsim.rans.decode` gives them back in order."""
    size = 1 << q.code_bits if q.plane_weights is not None else q.codebook.mantissas.shape[1]
    return rans.encode(q.codes, rans.FrequencyTable.of(q.codes, size), STREAMS)


def encoded_bits(q: QTensor) -> int:
    """Bits of `encoded`, its table included."""
    return encoded(q).storage_bits
