"""The shipped networks against PyTorch's fake-quant, and how they are trained."""

import numpy as np
import pytest
import torch

import hwsim
from hwsim import digits
from hwsim.models import training
from hwsim.models.architectures import BinaryCnn, Cnn, Mlp
from hwsim.torch import export, fake_quant

torch.set_num_threads(1)


@pytest.mark.parametrize("name", digits.networks())
def test_predictions_equal_fake_quant_on_every_held_out_image(name):
    network = digits.load(name)
    images, _ = digits.held_out(network)
    got, expected = hwsim.run(network, None, images), fake_quant(network, images)
    np.testing.assert_array_equal(got.argmax(axis=1), expected.argmax(axis=1))
    difference = np.abs(got - expected).max()
    assert difference == pytest.approx(digits.recorded()[name]["max_logit_difference"], abs=1e-6)
    assert difference <= 0.002 * np.abs(expected).max()


def test_held_out_images_are_the_fixed_split():
    _, images, _, labels = training.split_digits()
    shipped, shipped_labels = digits.held_out()
    np.testing.assert_array_equal(training.to_input(images).numpy(), shipped)
    np.testing.assert_array_equal(labels, shipped_labels)


@pytest.mark.parametrize("build", [lambda: Cnn(training.INT4), BinaryCnn])
def test_training_is_deterministic(build):
    images, _, labels, _ = training.split_digits()
    x, y = training.to_input(images)[:128], torch.tensor(labels)[:128]
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        model = training.train(build(), x, y, epochs=1, rate=5e-3, advance=lambda: None)
        networks.append(export(model, x[:32]))
    assert networks[0].hash == networks[1].hash


def test_training_learns():
    images, held_out, labels, held_out_labels = training.split_digits()
    torch.manual_seed(0)
    model = training.train(
        Mlp(), training.to_input(images), torch.tensor(labels), epochs=3, rate=5e-3, advance=lambda: None
    )
    assert training.accuracy(model, training.to_input(held_out), held_out_labels) > 0.8
