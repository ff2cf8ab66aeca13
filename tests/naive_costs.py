"""Costs of a design as docs/simulation.md tells them: one layer, one event after the other."""

import math

import numpy as np

from hwsim.mapping import map_matmul
from hwsim.switching.measurement import switching
from hwsim.technology import load


def ceil(a, b):
    return -(-a // b)


def point(workload, design):
    """Cycles, picojoules by category and area in um2 of ``workload`` on a design of one array."""
    tech, datapath, array = load(design.technology), design.datapath, design.array
    parts = [(part.count, tech.area(part.name, part.parameters)) for part in datapath.components(array)]
    if design.counted.host_operators:
        parts.append((1, tech.area("vector_unit", {"lanes": design.vector_lanes})))
    banks = {name: tech.sram(sram.kib * 1024 / sram.banks, sram.width_bits) for name, sram in design.buffers.items()}
    parts += [(design.buffers[name].banks, bank) for name, bank in banks.items()]
    leakage_uw = sum(count * part.leakage_uw for count, part in parts)
    cycles, energy = 0, dict.fromkeys(("pe", "buffers", "dram", "host", "leakage"), 0.0)
    for layer in workload.layers:
        if hasattr(layer, "weights"):
            spent, pj = matmul(datapath.stored(layer), design, tech, banks)
        elif design.counted.host_operators:
            spent, pj = host(layer, design, tech, banks)
        else:
            continue
        cycles += spent
        if design.counted.leakage:
            pj["leakage"] = spent * leakage_uw / design.clock_mhz
        for name, value in pj.items():
            energy[name] += value
    return cycles, energy, sum(count * part.area_um2 for count, part in parts)


def host(layer, design, tech, banks):
    cycles = ceil(layer.elements, design.vector_lanes) * layer.repeat
    each = tech.energy("vector_unit", "element", {"lanes": design.vector_lanes}).e0_pj
    inputs, outputs = design.activation_buffer, design.buffers[design.result_buffer]
    pj = ceil(layer.read_bits * layer.repeat, inputs.width_bits) * banks["activation_buffer"].read_pj
    pj += ceil(layer.write_bits * layer.repeat, outputs.width_bits) * banks[design.result_buffer].write_pj
    return cycles, {"host": layer.elements * layer.repeat * each, "buffers": pj}


def matmul(layer, design, tech, banks):
    tensors = [w.tensor() if design.datapath.needs_values and hasattr(w, "tensor") else w for w in layer.weights]
    together = layer.together * len(tensors) if design.refetch == "layer" else 1
    mapping = map_matmul(
        layer.m, layer.n, design.array, input_bits=ceil(layer.input_elements, len(tensors)) * layer.activation_bits,
        weight_bits=tensors[0].storage_bits, output_bits=layer.m * layer.n * layer.output_bits,
        activation_buffer_bits=design.activation_buffer.bits, weight_buffer_bits=design.weight_buffer.bits,
        together=None if design.refetch == "tile" else together,
    )  # fmt: skip
    compute, pe_pj = on_array(layer, tensors, design, tech, mapping.m_outer)
    count = layer.matmuls // together
    m_tiles, n_tiles = ceil(layer.m, design.array.tile_rows), ceil(layer.n, design.array.cols)
    inputs, weights, results = (int(bits) * count for bits in mapping.sizes[2:5])
    moved = {
        ("activation_buffer", "write"): mapping.activation_passes * inputs,
        ("activation_buffer", "read"): layer.matmuls * n_tiles * layer.m * layer.k * layer.activation_bits,
        ("weight_buffer", "write"): mapping.weight_passes * weights,
        ("weight_buffer", "read"): m_tiles * weights,
    }
    if design.output_buffer is None:
        moved["activation_buffer", "write"] += results
    else:
        moved["output_buffer", "write"] = moved["output_buffer", "read"] = results
    waits = [("activation_buffer", "read"), ("weight_buffer", "read"), ("output_buffer", "write")]
    supply = max(
        ceil(moved[key], design.buffers[key[0]].banks * design.buffers[key[0]].width_bits)
        for key in waits if key in moved
    )  # fmt: skip
    read = mapping.activation_passes * inputs + mapping.weight_passes * weights
    pj = {
        "pe": pe_pj,
        "buffers": sum(
            ceil(bits, design.buffers[name].width_bits) * getattr(banks[name], f"{action}_pj")
            for (name, action), bits in moved.items()
        ),
        "dram": sum(
            bits * tech.energy("dram", action, {"type": design.dram.type}).e0_pj
            for action, bits in (("read", read), ("write", results))
        ),
    }
    per_cycle = design.dram.bandwidth_gb_s * 8e9 / (design.clock_mhz * 1e6)
    if design.overlap == "layer":
        whole = math.ceil if design.counted.partial_dram_cycles else math.floor
        return max(compute // count, ceil(supply, count), whole((read + results) / count / per_cycle)) * count, pj
    return count * tiles(mapping, max(compute, supply) / count, per_cycle, m_tiles, n_tiles), pj


def tiles(mapping, busy, per_cycle, m_tiles, n_tiles):
    """Tile after tile: the longest of its share of the array's cycles and of its own transfers."""
    total, seen, number = 0.0, set(), m_tiles * n_tiles
    activation, weight, result = (
        bits / share / per_cycle
        for bits, share in zip(map(int, mapping.sizes[2:5]), (m_tiles, n_tiles, number), strict=True)
    )
    for m in range(m_tiles):
        for n in range(n_tiles):
            transfer = result
            if mapping.activation_passes > 1 or ("a", m) not in seen:
                transfer += activation
            if mapping.weight_passes > 1 or ("w", n) not in seen:
                transfer += weight
            seen |= {("a", m), ("w", n)}
            total += max(busy / number, transfer)
    return math.ceil(total + activation + weight + result)


def on_array(layer, tensors, design, tech, m_outer):
    """Cycles and picojoules of the array, from the datapath's own cycles and events."""
    datapath, array = design.datapath, design.array
    parameters = {part.name: part.parameters for part in datapath.components(array)}
    params, cycles, pj = datapath.params(array), 0, 0.0
    found = np.zeros(len(datapath.EVENTS), np.int64)
    features = switching([layer], datapath, array)[0]
    for w in tensors:
        shape = np.array([layer.m, layer.n, layer.k, w.group_size, m_outer])
        stats = datapath.stats(w, array).values
        counts = np.zeros_like(found)
        datapath.events(shape, stats, params, counts)
        cycles += int(datapath.cycles(shape, stats, params))
        for event, number, values in zip(datapath.EVENTS, counts, features, strict=True):
            if number:
                figure = tech.energy(event.component, event.action, parameters[event.component], event.features)
                pj += int(number) * figure.per_action_pj(dict(zip(event.features, values, strict=False)))
    return cycles * layer.repeat, pj * layer.repeat
