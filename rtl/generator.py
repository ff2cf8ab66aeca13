"""From a datapath and an array to the component that is both."""

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Datapath, Rule
from hwsim.datapaths.rram import Rram
from hwsim.errors import DesignError
from hwsim.integer import IntegerDatapath
from rtl.array import PeArray
from rtl.rram import RramArray
from rtl.weight_stationary import WeightStationaryArray

AnyArray = PeArray | WeightStationaryArray | RramArray


def generate(datapath: Datapath, array: Array) -> AnyArray:
    """The array of ``array.dataflow``; its streams are those of `rtl.array.stream_layouts`.

    Raises DesignError if ``datapath`` does not have that dataflow, or no RTL.
    """
    if isinstance(datapath, Rule):
        raise DesignError(f"{datapath.name()} is a cost-only rule: it has no RTL")
    if datapath.verified != "rtl" or not isinstance(datapath, ArrayDatapath | Rram):
        raise DesignError(f"{datapath.name()} has no RTL with these parameters")
    datapath.check_array(array)
    if isinstance(datapath, Rram):
        return RramArray(datapath, array)
    if array.weight_stationary and isinstance(datapath, IntegerDatapath):
        return WeightStationaryArray(datapath, array)
    return PeArray(datapath, array)
