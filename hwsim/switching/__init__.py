"""Switching activity: bits that change in an array's parts while a few of a layer's operands stream through it.

Energies of events depend on it (docs/power.md). Each datapath's `hwsim.datapath.Datapath.toggles` counts on the values
that its hardware has in each cycle, from the state after reset.
"""
