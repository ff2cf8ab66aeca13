"""Every layer of the shipped digits networks as jobs."""

import contextlib
import dataclasses
from collections.abc import Iterator

from hwsim import digits
from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.design import Design
from hwsim.errors import FormatError
from hwsim.measurement import check_support
from hwsim.workload import MatmulLayer, Workload
from rtl import layers
from rtl.harness import Job
from rtl.stimuli import stimuli

BATCH = 20
"""Held-out images per network: several row tiles, the last one ragged."""
STALL = 96


def jobs(datapath: ArrayDatapath, array: Array) -> Iterator[tuple[str, Job]]:
    """``network:layer`` and job of every layer of every network that runs, without stalls and with them."""
    design = Design(datapath=datapath, array=array)
    for network in runnable(design):
        for layer, job in layer_jobs(network, design):
            yield f"{network}:{layer}", job
            yield f"{network}:{layer}", dataclasses.replace(job, stall=STALL)


def runnable(design: Design) -> list[str]:
    """The shipped networks whose weights and activations the design takes."""
    names = []
    for name in digits.NAMES:
        workload = Workload.from_network(digits.load(name))
        matmuls = [layer for layer in workload.layers if isinstance(layer, MatmulLayer)]
        with contextlib.suppress(FormatError):
            for layer in matmuls:
                check_support(layer, design)
            names.append(name)
    return names


def layer_jobs(network: str, design: Design) -> Iterator[tuple[str, Job]]:
    """Layer and job of every matmul of one network (several per grouped convolution), in order."""
    loaded = digits.load(network)
    images, _ = digits.held_out(loaded)
    for layer, matmuls in layers.matmuls(loaded, design, images[:BATCH]):
        here = design.layer(layer)
        for seed, matmul in enumerate(matmuls, start=1):
            yield layer, Job(stimuli=stimuli(here.datapath, here.array, matmul), seed=seed)
