"""From a datapath and an array to the component that is both."""

from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from hwsim.integer import IntegerDatapath
from rtl.array import PeArray
from rtl.rram import RramArray
from rtl.weight_stationary import WeightStationaryArray

AnyArray = PeArray | WeightStationaryArray | RramArray


def generate(datapath: IntegerDatapath | Rram, array: Array) -> AnyArray:
    """The array of ``array.dataflow``; its streams are those of `rtl.array.stream_layouts`.

    Raises DesignError if ``datapath`` does not have that dataflow.
    """
    datapath.check_array(array)
    if isinstance(datapath, Rram):
        return RramArray(datapath, array)
    return WeightStationaryArray(datapath, array) if array.weight_stationary else PeArray(datapath, array)
