#!/usr/bin/env python3
"""Graphs of mfai and neural-lam (folders of .pt files) as the netCDF files of py4cast.

    graph_file.py FOLDER OUT.nc [--mfai]

Reads m2m_edge_index.pt, g2m_features.pt, ...: indices of the whole graph (mesh nodes level by
level, then the points) or, as neural-lam writes them since its version 0.1.0 of graphs, counted
from 0 in each set of nodes. --mfai: g2m as mfai wires it, whose senders are counted from the first
point that has an edge. Features are stored as they are, except that up edges of neural-lam turn
their differences round (receiver - sender).
"""

import argparse
import pathlib

import netCDF4
import numpy as np
import torch


def load(folder):
    """{name: array} under py4cast's names."""
    folder = pathlib.Path(folder)

    def read(name):
        return torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)

    tensors = {}
    for name in ("g2m", "m2g"):
        for what in ("edge_index", "features"):
            tensors[f"{name}_{what}"] = read(f"{name}_{what}").numpy()
    for name in ("m2m", "mesh_up", "mesh_down"):
        if not (folder / f"{name}_features.pt").exists():
            continue
        for what in ("edge_index", "features"):
            for level, value in enumerate(read(f"{name}_{what}")):
                tensors[f"{name}_{level}_{what}"] = value.numpy()
    for level, value in enumerate(read("mesh_features")):
        tensors[f"mesh_{level}_features"] = value.numpy()
    return tensors


def local(tensors):
    """The same with indices counted from 0 in each set of nodes."""
    levels = sum(name.startswith("mesh_") and name.count("_") == 2 for name in tensors)
    counts = [len(tensors[f"mesh_{level}_features"]) for level in range(levels)]
    first = np.concatenate([[0], np.cumsum(counts)])
    if tensors["m2g_edge_index"][1].min() == 0:  # they are so already
        return tensors

    def shifted(name, sender, receiver):
        return tensors[name] - np.array([[sender], [receiver]])

    result = dict(tensors)
    result["g2m_edge_index"] = shifted("g2m_edge_index", first[-1], 0)
    result["m2g_edge_index"] = shifted("m2g_edge_index", 0, first[-1])
    for level in range(levels):
        here, above = first[level], first[level + 1]
        result[f"m2m_{level}_edge_index"] = shifted(f"m2m_{level}_edge_index", here, here)
        if level + 1 < levels:
            up, down = f"mesh_up_{level}_edge_index", f"mesh_down_{level}_edge_index"
            result[up] = shifted(up, here, above)
            result[down] = shifted(down, above, here)
    return result


def as_mfai(tensors):
    """g2m with the senders that mfai reads."""
    index = tensors["g2m_edge_index"].copy()
    index[0] -= index[0].min()
    return tensors | {"g2m_edge_index": index}


def turned(tensors):
    """Up edges with differences receiver - sender: those of the down edges."""
    result = dict(tensors)
    for name, features in tensors.items():
        if not name.startswith("mesh_up") or not name.endswith("features"):
            continue
        index = tensors[name.replace("features", "edge_index")]
        level = int(name.split("_")[2])
        places = [tensors[f"mesh_{k}_features"] for k in (level, level + 1)]
        sender_minus_receiver = places[0][index[0]] - places[1][index[1]]
        if (sender_minus_receiver * features[:, 1:]).sum() > 0:
            result[name] = features * np.array([1, -1, -1], features.dtype)
    return result


def write(path, tensors):
    with netCDF4.Dataset(path, "w") as file:
        for name, value in tensors.items():
            dimensions = [f"size_{size}" for size in value.shape]
            for dimension, size in zip(dimensions, value.shape):
                if dimension not in file.dimensions:
                    file.createDimension(dimension, size)
            kind = "i4" if name.endswith("edge_index") else "f4"
            file.createVariable(name, kind, dimensions)[:] = value


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--mfai", action="store_true")
    options = parser.parse_args()
    tensors = turned(local(load(options.folder)))
    write(options.out, as_mfai(tensors) if options.mfai else tensors)


if __name__ == "__main__":
    main()
