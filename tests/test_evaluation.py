"""Accuracy under a design's own arithmetic."""

import dataclasses

import numpy as np
import pytest

from hwsim import Array, BitSerial, Design, LMul, Mac, digits, evaluate, evaluation, run
from hwsim.errors import FormatError, HwsimError, NetworkError

NETWORK = digits.load("mlp_int4")
IMAGES, LABELS = (each[:300] for each in digits.held_out(NETWORK))


@pytest.fixture(autouse=True)
def nothing_known(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(evaluation, "_SHARES", {})


@pytest.mark.parametrize("design", [None, Design(), Design(datapath=Mac(accumulator_bits=8, overflow="saturate"))])
def test_it_is_the_share_of_inputs_whose_largest_output_is_the_label(design):
    outputs = run(NETWORK, design, IMAGES)
    right = sum(int(np.argmax(output)) == label for output, label in zip(outputs, LABELS, strict=True))
    assert evaluate(NETWORK, design, IMAGES, LABELS) == right / len(LABELS)


def test_narrow_sums_that_saturate_cost_accuracy():
    narrow = Design(datapath=Mac(accumulator_bits=7, overflow="saturate"))
    assert evaluate(NETWORK, narrow, IMAGES, LABELS) < evaluate(NETWORK, Design(), IMAGES, LABELS)


def test_a_floating_point_network_depends_on_the_multiplier():
    network = digits.load("cnn_fp8")
    images, labels = (each[:40] for each in digits.held_out(network))
    designs = [Design(datapath=LMul(format="e4m3", correction=each)) for each in ("paper", "none")]
    found = [evaluate(network, design, images, labels) for design in designs]
    for share, design in zip(found, designs, strict=True):
        assert share == (run(network, design, images).argmax(axis=1) == labels).mean()


def test_what_does_not_change_values_is_not_run_again(monkeypatch):
    evaluate(NETWORK, Design(), IMAGES, LABELS)
    monkeypatch.setattr(evaluation, "_labelled", None)
    for design in (
        Design(datapath=BitSerial(skip="zero")), Design(datapath=Mac(lanes=3), array=Array(rows=2), clock_mhz=9.0), None
    ):  # fmt: skip
        evaluate(NETWORK, design, IMAGES, LABELS)
    monkeypatch.setattr(evaluation, "_SHARES", {})
    evaluate(NETWORK, Design(), IMAGES, LABELS)  # from the disk
    for design, x, y in (
        (Design(datapath=Mac(overflow="saturate")), IMAGES, LABELS),
        (Design(), IMAGES[:-1], LABELS[:-1]),
        (Design(), IMAGES, np.roll(LABELS, 1)),
    ):
        with pytest.raises(TypeError):
            evaluate(NETWORK, design, x, y)


def test_a_datapath_that_cannot_take_the_network_says_so_whatever_is_known():
    evaluate(NETWORK, Design(), IMAGES, LABELS)
    with pytest.raises(FormatError, match="weight_bits"):
        evaluate(NETWORK, Design(datapath=Mac(weight_bits=2)), IMAGES, LABELS)


def test_datapaths_of_equal_arithmetic_compute_alike():
    plain = {
        Design(datapath=datapath)
        for datapath in (Mac(), BitSerial(), BitSerial(skip="zero", scheme="naf"), Mac(accumulator_bits=24, lanes=5))
    }
    assert {design.datapath.arithmetic for design in plain} == {"exact"}
    outputs = [run(NETWORK, design, IMAGES[:20]) for design in plain]
    assert all((each == outputs[0]).all() for each in outputs)
    saturating = Mac(overflow="saturate")
    assert saturating.arithmetic == saturating != dataclasses.replace(saturating, lanes=2).arithmetic


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (IMAGES[:, :-1], LABELS, "inputs of shape"),
        (IMAGES[:0], LABELS[:0], "with n > 0"),
        (IMAGES, LABELS[:-1], r"expected int\[300\]"),
        (IMAGES, LABELS.astype(float), "type float64"),
        (IMAGES, LABELS + 5, "the network has 10 classes"),
    ],
)
def test_data_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(NetworkError, match=message):
        evaluate(NETWORK, Design(), x, y)
    assert issubclass(NetworkError, HwsimError)
