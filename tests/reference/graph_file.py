#!/usr/bin/env python3
"""Graphs of mfai and neural-lam (folders of .pt files) as the netCDF files of py4cast, and back.

    graph_file.py FOLDER OUT.nc [--mfai]
    graph_file.py GRAPH.nc FOLDER --to mfai|neural_lam

Reads m2m_edge_index.pt, g2m_features.pt, ...: indices of the whole graph (mesh nodes level by
level, then the points) or, as neural-lam writes them since its version 0.1.0 of graphs, counted
from 0 in each set of nodes. --mfai: g2m as mfai wires it, whose senders are counted from the first
point that has an edge. Features are stored as they are, except that up edges of neural-lam turn
their differences round (receiver - sender), and that places of nodes are divided by the longer
extent of the grid, where neural-lam does that when it reads them (folders with metainfo.yaml).

Writes indices of the whole graph, edges in the order of the file: mfai's format, which is
neural-lam's before its version 0.1.0 of graphs.
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
    places = [value.numpy() for value in read("mesh_features")]
    extent = longer_extent(places[0]) if (folder / "metainfo.yaml").exists() else np.float32(1)
    for level, value in enumerate(places):
        tensors[f"mesh_{level}_features"] = value / extent
    return tensors


def longer_extent(places):
    """Of the grid below n x n nodes [n n, 2] in the middles of its squares."""
    n = np.sqrt(len(places))
    return np.float32(np.ptp(places.astype(np.float64), axis=0).max() * n / (n - 1))


def numbers(tensors):
    """{edge set: the numbers of the first sender and the first receiver in the whole graph}"""
    levels = sum(name.startswith("mesh_") and name.count("_") == 2 for name in tensors)
    first = np.cumsum([0] + [len(tensors[f"mesh_{level}_features"]) for level in range(levels)])
    result = {"g2m": (first[-1], 0), "m2g": (0, first[-1])}
    for level in range(levels):
        result[f"m2m_{level}"] = (first[level], first[level])
        if level + 1 < levels:
            result[f"mesh_up_{level}"] = (first[level], first[level + 1])
            result[f"mesh_down_{level}"] = (first[level + 1], first[level])
    return result


def shifted(tensors, sign):
    return tensors | {
        f"{name}_edge_index": tensors[f"{name}_edge_index"] + sign * np.array(first)[:, None]
        for name, first in numbers(tensors).items()
    }


def local(tensors):
    """The same with indices counted from 0 in each set of nodes."""
    if tensors["m2g_edge_index"][1].min() == 0:  # they are so already
        return tensors
    return shifted(tensors, -1)


def as_mfai(tensors):
    """g2m with the senders that mfai reads."""
    index = tensors["g2m_edge_index"].copy()
    index[0] -= index[0].min()
    return tensors | {"g2m_edge_index": index}


def turned_round(tensors):
    """With the other sign of the differences of up edges."""
    return tensors | {
        name: features * np.array([1, -1, -1], features.dtype)
        for name, features in tensors.items()
        if name.startswith("mesh_up") and name.endswith("features")
    }


def as_py4cast(tensors):
    """Up edges with differences receiver - sender: those of the down edges."""
    if "mesh_up_0_features" not in tensors:
        return tensors
    index = tensors["mesh_up_0_edge_index"]
    places = [tensors[f"mesh_{level}_features"] for level in (0, 1)]
    sender_minus_receiver = places[0][index[0]] - places[1][index[1]]
    agree = (sender_minus_receiver * tensors["mesh_up_0_features"][:, 1:]).sum() > 0
    return turned_round(tensors) if agree else tensors


def write(path, tensors):
    with netCDF4.Dataset(path, "w") as file:
        for name, value in tensors.items():
            dimensions = [f"size_{size}" for size in value.shape]
            for dimension, size in zip(dimensions, value.shape):
                if dimension not in file.dimensions:
                    file.createDimension(dimension, size)
            kind = "i4" if name.endswith("edge_index") else "f4"
            file.createVariable(name, kind, dimensions)[:] = value


def read_file(path):
    """{name: array}, what write wrote."""
    with netCDF4.Dataset(path) as file:
        return {name: np.asarray(variable[:]) for name, variable in file.variables.items()}


def write_folder(folder, tensors, family):
    """The graph of a file as mfai or neural-lam read it."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = shifted(turned_round(tensors) if family == "neural_lam" else tensors, 1)

    def value(name):
        array = tensors[name]
        return torch.from_numpy(array.astype("i8" if name.endswith("edge_index") else "f4"))

    def levels(pattern):
        return [value(n) for n in (pattern.format(k) for k in range(len(tensors))) if n in tensors]

    for what in ("edge_index", "features"):
        for name in ("g2m", "m2g"):
            torch.save(value(f"{name}_{what}"), folder / f"{name}_{what}.pt")
        for name in ("m2m", "mesh_up", "mesh_down"):
            torch.save(levels(f"{name}_{{}}_{what}"), folder / f"{name}_{what}.pt")
    torch.save(levels("mesh_{}_features"), folder / "mesh_features.pt")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("given", metavar="FOLDER|GRAPH.nc")
    parser.add_argument("out", metavar="OUT.nc|FOLDER")
    parser.add_argument("--mfai", action="store_true")
    parser.add_argument("--to", choices=("mfai", "neural_lam"))
    options = parser.parse_args()
    try:
        if options.to:
            tensors = read_file(options.given)
            for name in ("g2m_edge_index", "g2m_features", "m2g_edge_index", "m2g_features",
                         "m2m_0_edge_index", "m2m_0_features", "mesh_0_features"):  # fmt: skip
                if name not in tensors:
                    raise SystemExit(f"{options.given}: is no graph of py4cast, which has '{name}'")
            write_folder(options.out, tensors, options.to)
        else:
            tensors = as_py4cast(local(load(options.given)))
            write(options.out, as_mfai(tensors) if options.mfai else tensors)
    except OSError as error:
        raise SystemExit(f"{options.given}, {options.out}: {error}") from None


if __name__ == "__main__":
    main()
