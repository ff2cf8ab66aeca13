"""Every operator against the obvious integers, and what it refuses."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.errors import NetworkError
from hwsim.operators import Add, AvgPool, Concat, Conv, Flatten, Input, Linear, MaxPool, Relu, Requantize
from hwsim.requantization import Quantizer
from tests.naive_network import naive_run


def network(*operators, shape, inputs=()):
    """A chain of operators behind an int8 input; ``inputs`` names those of the last one."""
    nodes = [hwsim.Node(name="input", operator=Input(shape=shape, scale=1.0, low=-127, high=127))]
    for index, operator in enumerate(operators):
        nodes.append(hwsim.Node(name=f"n{index}", operator=operator, inputs=(nodes[-1].name,)))
    if inputs:
        nodes[-1] = dataclasses.replace(nodes[-1], inputs=inputs)
    return hwsim.Network(name="test", nodes=tuple(nodes), output_scale=1.0)


def check(net, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(-127, 128, (3, *net.input.shape)).astype(np.float64)
    expected = naive_run(net, x)
    for node, value in hwsim.inference.trace(net, hwsim.Design(), x):
        assert value.dtype == np.int32
        np.testing.assert_array_equal(value, expected[node.name])
        assert value.shape[1:] == net.shapes[node.name]
        low, high = net.ranges[node.name]
        assert low <= value.min()
        assert value.max() <= high


def weight(*shape, seed=0, format="int8", **params):
    return hwsim.lower(hwsim.quantize(np.random.default_rng(seed).normal(size=shape), format, **params))


def quantizer(n, low=-127, high=127, ratio=0.01, seed=0):
    rng = np.random.default_rng(seed)
    return Quantizer.dyadic(ratio * rng.uniform(0.5, 1, n), rng.integers(-999, 999, n), low, high)


@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)), stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)), dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.sampled_from([1, 2, 4]), pad_value=st.sampled_from([0, 1, -1]),
)  # fmt: skip
def test_convolutions(kernel, stride, padding, dilation, groups, pad_value):
    operator = Conv(
        weight=weight(8, 4 // groups, *kernel), quantizer=quantizer(8), stride=stride, padding=padding,
        dilation=dilation, groups=groups, pad_value=pad_value,
    )  # fmt: skip
    check(network(operator, shape=(4, 6, 7)))


@pytest.mark.parametrize("params", [{}, {"group_size": 4}, {"group_size": 5, "pad": True}], ids=str)
@pytest.mark.parametrize("format", ["int2", "int4", "int8"])
def test_linear_layers(format, params):
    operator = Linear(weight=weight(5, 12, format=format, **params), quantizer=quantizer(5))
    check(network(operator, shape=(12,)))
    check(network(operator, shape=(3, 12)))


def test_offsets_multiply_the_group_sum():
    w = weight(5, 12, format="int4", group_size=4)
    offset = np.random.default_rng(1).integers(-50, 50, w.scale.shape).astype(np.int32)
    operator = Linear(weight=dataclasses.replace(w, offset=offset), quantizer=quantizer(5))
    net, x = network(operator, shape=(12,)), np.random.default_rng(0).integers(-127, 128, (3, 12))
    got = hwsim.run(net, hwsim.Design(datapath=hwsim.Mac(offset_bits=8)), x)
    np.testing.assert_array_equal(got, naive_run(net, x)["n0"])


merge = {"multipliers": (3, 1 << 30), "shifts": (2, 31), "low": -100, "high": 90}
POOLS = [
    {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0)}, {"kernel": (3, 2), "stride": (1, 3), "padding": (1, 0)},
    {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)},
]  # fmt: skip


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_pooling(pool):
    check(network(MaxPool(**pool), shape=(3, 7, 8)))
    check(network(AvgPool(**pool, multiplier=7, shift=6, low=-50, high=50), shape=(3, 7, 8)))


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 3, 2)])
def test_elementwise_operators(shape):
    check(network(Relu(), shape=shape))
    check(network(Flatten(), shape=shape))
    check(network(Requantize(quantizer=quantizer(4, ratio=1.0)), shape=shape))
    sign = Quantizer.sign(np.array([3, -3, 0, 1]), np.array([False, True, True, False]))
    check(network(Requantize(quantizer=sign), shape=shape))


@pytest.mark.parametrize("shape", [(4,), (4, 3, 2)])
def test_merging_operators(shape):
    check(network(Relu(), Add(**merge), shape=shape, inputs=("input", "n0")))
    check(network(Relu(), Concat(**merge), shape=shape, inputs=("n0", "input")))
    check(network(Add(**merge), shape=shape, inputs=("input", "input")))


def test_average_of_the_float_reference():
    pool = AvgPool(kernel=(2,), stride=(2,), padding=(0,), multiplier=1 << 29, shift=30, low=-127, high=127)
    assert pool.apply(np.array([[[1, 2, -1, -2, 3, 3]]])).tolist() == [[[2, -1, 3]]]  # 1.5 -> 2, -1.5 -> -1


REFUSED = {
    "input scale": lambda: Input(shape=(3,), scale=float("nan"), low=-1, high=1),
    "input of shape": lambda: Input(shape=(3, 0), scale=1.0, low=-1, high=1),
    "bounds": lambda: Input(shape=(3,), scale=1.0, low=1, high=0),
    "not a range within int32": lambda: Add(**{**merge, "high": 1 << 31}),
    "multipliers or shifts": lambda: Add(**{**merge, "shifts": (2, 63)}),
    "multiplier or shift": lambda: AvgPool(**POOLS[0], multiplier=0, shift=1, low=0, high=1),
    "pooling kernel": lambda: MaxPool(kernel=(2,), stride=(1,), padding=(2,)),
    "convolution weights": lambda: Conv(weight=weight(2, 3), quantizer=quantizer(2), stride=(), padding=(),
                                        dilation=()),
    "stride": lambda: Conv(weight=weight(2, 3, 3), quantizer=quantizer(2), stride=(0,), padding=(0,), dilation=(1,)),
    "divide into 4 groups": lambda: Conv(weight=weight(2, 3, 3), quantizer=quantizer(2), stride=(1,), padding=(0,),
                                         dilation=(1,), groups=4),
    "quantizer channels": lambda: Linear(weight=weight(2, 3), quantizer=quantizer(3)),
    "must be lowered": lambda: Linear(weight=hwsim.quantize(np.ones((2, 3)), "int4"), quantizer=quantizer(2)),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_operators_refuse(message):
    with pytest.raises(NetworkError, match=message):
        REFUSED[message]()


SHAPES = {
    "K=12": (Linear(weight=weight(5, 12), quantizer=quantizer(5)), (11,)),
    "for a convolution of 3 channels": (
        Conv(weight=weight(2, 3, 1), quantizer=quantizer(2), stride=(1,), padding=(0,), dilation=(1,)), (4, 5)),
    "larger than the padded input": (
        Conv(weight=weight(2, 3, 4), quantizer=quantizer(2), stride=(1,), padding=(0,), dilation=(1,)), (3, 3)),
    "pooling over 2 axes": (MaxPool(**POOLS[0]), (3, 4)),
    "pooling kernel": (MaxPool(**POOLS[0]), (3, 1, 4)),
    "quantizer channels": (Requantize(quantizer=quantizer(3)), (4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("message", SHAPES)
def test_operators_refuse_shapes_by_node_name(message):
    operator, shape = SHAPES[message]
    with pytest.raises(NetworkError, match=f"node 'n0': .*{message}"):
        network(operator, shape=shape)


def test_sums_that_could_leave_their_width_are_refused():
    big = Quantizer.dyadic(np.ones(4), np.full(4, (1 << 31) - 100), -1, 1)
    with pytest.raises(NetworkError, match="node 'n0': a value with its bias can reach"):
        network(Requantize(quantizer=big), shape=(4,))
    pool = AvgPool(kernel=(9, 9), stride=(1, 1), padding=(0, 0), multiplier=(1 << 31) - 1, shift=1, low=0, high=1)
    wide = Requantize(quantizer=Quantizer.dyadic(np.full(2, 1e6), np.zeros(2), -(1 << 31), (1 << 31) - 1))
    with pytest.raises(NetworkError, match="node 'n1': a scaled sum can reach"):
        network(wide, pool, shape=(2, 9, 9))


@pytest.mark.parametrize("shapes", [[(3, 4), (3, 5)], [(3, 4), (2, 4)]])
def test_add_refuses_shapes_that_differ(shapes):
    with pytest.raises(NetworkError, match="add of shapes"):
        Add(**merge).output_shape(*shapes)


def test_concat_refuses_shapes_that_differ_beyond_channels():
    assert Concat(**merge).output_shape((3, 4), (2, 4)) == (5, 4)
    with pytest.raises(NetworkError, match="concatenation of shapes"):
        Concat(**merge).output_shape((3, 4), (2, 5))
