"""Features of layers' events, counted once and kept, in memory and on disk."""

from collections.abc import Sequence

import numpy as np

from hwsim.blob_cache import BlobCache
from hwsim.datapath import Array, Datapath
from hwsim.measurement import cache_key, code_hash
from hwsim.switching import features
from hwsim.weight_source import WeightSource
from hwsim.workload import MatmulLayer

_KNOWN: dict[tuple[str, str, Datapath, Array], np.ndarray] = {}
_LIMIT = 20_000


def switching(layers: Sequence[MatmulLayer], datapath: Datapath, array: Array) -> np.ndarray:
    """float64[L, E, F]: bits that change per event of each layer, as its sample and the first of its weights tell.

    Features of `Datapath.EVENTS`, in order; 0 where an event has fewer.
    """
    if not any(event.features for event in datapath.EVENTS):
        return np.zeros((len(layers), len(datapath.EVENTS), features.width(datapath)))
    small = features.sampled_array(datapath, array)
    keys = [(layer.weights[0].hash, layer.operands.hash, datapath, small) for layer in layers]
    if any(key not in _KNOWN for key in keys):
        if len(_KNOWN) >= _LIMIT:
            _KNOWN.clear()
        missing = {key: layer for key, layer in zip(keys, layers, strict=True) if key not in _KNOWN}
        _KNOWN.update(zip(missing, _counted(list(missing.values()), datapath, small), strict=True))
    return np.array([
        features.on_array(_KNOWN[key], datapath, small, array, layer.operands.size(layer.n), (layer.m, layer.n))
        for key, layer in zip(keys, layers, strict=True)
    ])  # fmt: skip


def _counted(layers: Sequence[MatmulLayer], datapath: Datapath, array: Array) -> list[np.ndarray]:
    """Features on the array that stands for all others, from the cache on disk as far as it has them."""
    keys = [f"{cache_key(layer.weights[0], datapath, array)}-{layer.operands.hash}" for layer in layers]
    cache = BlobCache("switching", code_hash())
    known = cache.read(keys)
    fresh: dict[str, bytes] = {}
    for key, layer in zip(keys, layers, strict=True):
        if key not in known:
            w = layer.weights[0]
            operands = layer.operands.part(w.sample() if isinstance(w, WeightSource) else w)
            fresh[key] = features.per_event(datapath, array, *operands).astype("<f8").tobytes()
    if fresh:
        cache.write(fresh)
    return [np.frombuffer((known | fresh)[key], "<f8").reshape(len(datapath.EVENTS), -1) for key in keys]
