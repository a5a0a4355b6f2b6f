#!/usr/bin/env python3
"""Checks py4cast's graph networks against mfai's with random weights of mfai's own initialisation:
outputs and gradients of mean(y^2), on mfai's graph.

    check_graph_forward.py [--program build/py4cast] [--device cpu] [--sizes 64x64,128x192,512x512]
                           [--models graphlam,hilam,hilamparallel] [--inputs 7] [--outputs 3]

Also: every edge of `py4cast model graph` is mfai's, but for the choices between equally near nodes.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import netCDF4
import numpy as np
import torch
from safetensors.torch import load_file, save_file

import networks
from make_graph_fixtures import BUFFERS, KINDS, grid

TOLERANCES = (1e-5, 1e-4)  # of outputs and gradients, relative to the largest element


def check_parser(description):
    """What the checks of networks through the program are told."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default="build/py4cast")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--inputs", type=int, default=7, help="of neural-lam: two states and a forcing"
    )
    parser.add_argument("--outputs", type=int, default=3)
    return parser


def shapes_and_models(options, known):
    """Of --sizes and --models; what is wrong, --program too, ends the check in one sentence."""
    for size in options.sizes.split(","):
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", size):
            raise SystemExit(f"--sizes: '{size}' is no ROWSxCOLUMNS, as 64x64")
    models = options.models.split(",")
    for model in models:
        if model not in known:
            raise SystemExit(f"--models can be {', '.join(known)}, not '{model}'")
    if not shutil.which(options.program):
        raise SystemExit(f"--program {options.program}: there is no such program")
    return [tuple(map(int, size.split("x"))) for size in options.sizes.split(",")], models


def call(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr}{done.stdout}")


def compare_graphs(built, theirs):
    """(edge sets that differ otherwise than in ties, ties)"""
    wrong, ties = [], 0
    for name in theirs:
        if not name.endswith("edge_index"):
            continue
        pairs = [
            set(map(tuple, np.asarray(tensors[name]).T.tolist())) for tensors in (built, theirs)
        ]
        if pairs[0] == pairs[1]:
            continue
        if name != "m2g_edge_index":
            wrong.append(name)
            continue
        # Of each point the four lengths are the same.
        lengths = []
        for tensors in (built, theirs):
            order = np.argsort(np.asarray(tensors[name])[1], kind="stable")
            length = np.asarray(tensors["m2g_features"])[order, 0].reshape(-1, 4)
            lengths.append(np.sort(length, axis=1))
        ties = len(pairs[0] - pairs[1])
        if np.abs(lengths[0] - lengths[1]).max() > 1e-6:
            wrong.append(name)
    return wrong, ties


def error(value, truth):
    return ((value - truth).abs().max() / truth.abs().max()).item()


def check(options, folder, kind, rows, columns):
    torch.manual_seed(rows)
    graph, built = folder / "graph.nc", folder / "built.nc"
    network = networks.make_network(
        kind, {}, options.inputs, options.outputs, (rows, columns), grid(rows, columns), graph
    )
    with netCDF4.Dataset(graph) as file:
        original = {name: variable[:] for name, variable in file.variables.items()}
    hierarchical = ["--hierarchical"] if kind != "graphlam" else []
    call(options.program, "model", "graph", "--grid", f"{rows}x{columns}", "--out", built,
         "--compatibility", "mfai", *hierarchical)  # fmt: skip
    with netCDF4.Dataset(built) as file:
        ours = {name: variable[:] for name, variable in file.variables.items()}
    wrong, ties = compare_graphs(ours, original)

    x = torch.randn(1, rows, columns, options.inputs)
    y = networks.forward(kind, network, x)
    (y**2).mean().backward()
    weights = {k: v.detach().clone() for k, v in network.state_dict().items() if k not in BUFFERS}
    save_file(weights, folder / "weights.safetensors")
    save_file({"x": x}, folder / "x.safetensors")
    (folder / "settings.json").write_text(json.dumps({}))
    call(options.program, "model", "forward", "--model", kind, "--settings",
         folder / "settings.json", "--graph", graph, "--weights", folder / "weights.safetensors",
         "--input", folder / "x.safetensors", "--output", folder / "y.safetensors", "--gradients",
         folder / "g.safetensors", "--device", options.device)  # fmt: skip
    forward = error(load_file(folder / "y.safetensors")["y"], y.detach())
    gradients = load_file(folder / "g.safetensors")
    truth = {name: parameter.grad for name, parameter in network.named_parameters()}
    largest = max(value.abs().max() for value in truth.values())
    backward = max(
        ((gradients[name] - value).abs().max() / value.abs().max().clamp_min(0.01 * largest)).item()
        for name, value in truth.items()
    )
    good = not wrong and forward < TOLERANCES[0] and backward < TOLERANCES[1]
    print(
        f"{'ok  ' if good else 'FAIL'} {kind:14} {rows}x{columns}: forward {forward:.1e}, gradients "
        f"{backward:.1e}; {ties} edges chosen among ties{'; other edges: ' if wrong else ''}"
        f"{', '.join(wrong)}",
        flush=True,
    )
    return good


def main():
    parser = check_parser(__doc__)
    parser.add_argument("--sizes", default="64x64,128x192,512x512")
    parser.add_argument("--models", default=",".join(KINDS))
    options = parser.parse_args()
    good = True
    shapes, models = shapes_and_models(options, KINDS)
    for shape in shapes:
        for kind in models:
            with tempfile.TemporaryDirectory() as folder:
                good &= check(options, pathlib.Path(folder), kind, *shape)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
