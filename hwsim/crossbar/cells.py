"""Programming: from the states that cells should have to the conductances that they get."""

import numpy as np

from hwsim.crossbar.parameters import Device


def program(device: Device, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Conductances float32 in siemens of cells that should be on where bool ``states`` is True.

    ``G = nominal * exp(sigma z - sigma**2 / 2)`` with a normal z per cell, so that the mean is nominal; cells outside
    ``write_verify`` are written again; stuck cells have the conductance of their state, with its spread.
    """
    if device.stuck_off or device.stuck_on:
        fate = rng.random(states.shape, dtype=np.float32)
        states = (states & (fate >= device.stuck_off)) | (fate >= 1 - device.stuck_on)
    g = np.where(states, np.float32(device.g_on), np.float32(device.g_off))
    if device.sigma_lrs or device.sigma_hrs:
        sigma = np.where(states, np.float32(device.sigma_lrs), np.float32(device.sigma_hrs))
        z = rng.standard_normal(states.shape, dtype=np.float32)
        if device.write_verify is not None:
            _write_again(z, sigma, device.write_verify, rng)
        z *= sigma
        z -= sigma * sigma / 2
        g *= np.exp(z, out=z)
    low = 0.0 if device.highest_ohm is None else 1 / device.highest_ohm
    high = np.inf if device.lowest_ohm is None else 1 / device.lowest_ohm
    return g if low == 0 and high == np.inf else np.clip(g, np.float32(low), np.float32(high))


def _write_again(z: np.ndarray, sigma: np.ndarray, limit: float, rng: np.random.Generator) -> None:
    """Draws anew, in place, until ``|sigma * z|`` is within ``limit``; a spread far beyond it ends at the limit."""
    wrong = np.flatnonzero(np.abs(sigma * z) > limit)
    for _ in range(WRITES):
        if not wrong.size:
            return
        z.flat[wrong] = rng.standard_normal(wrong.size, dtype=np.float32)
        wrong = wrong[np.abs(sigma.flat[wrong] * z.flat[wrong]) > limit]
    z.flat[wrong] = np.clip(z.flat[wrong], -limit / sigma.flat[wrong], limit / sigma.flat[wrong])


WRITES = 100
"""Attempts at one cell."""
