"""From a datapath and an array to the component that is both."""

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath
from rtl.array import PeArray
from rtl.weight_stationary import WeightStationaryArray

AnyArray = PeArray | WeightStationaryArray


def generate(datapath: ArrayDatapath, array: Array) -> AnyArray:
    """The array of ``array.dataflow``; its streams are those of `rtl.array.stream_layouts`.

    Raises DesignError if ``datapath`` does not have that dataflow.
    """
    datapath.check_array(array)
    if array.weight_stationary and isinstance(datapath, IntegerDatapath):
        return WeightStationaryArray(datapath, array)
    return PeArray(datapath, array)
