#!/usr/bin/env python3
"""Checks weights and graphs that go between py4cast and neural-lam's own GraphLAM, HiLAM and
HiLAMParallel, both ways.

    check_neural_lam.py [--program build/py4cast] [--device cpu] [--sizes 64x64,41x100]
                        [--models graphlam,hilam,hilamparallel] [--inputs 7] [--outputs 3]

in   a network of neural-lam with random weights on the graph that neural-lam made, over points 2.5
     apart: its graph goes through graph_file.py and its weights through `py4cast model convert` into
     `py4cast model forward`. Gradients of mean(y^2) go back through the conversion.
out  weights and a graph that py4cast made, into neural-lam by the same ways.

neural-lam loads weights with strict=True. y is what the network's output map gives:
neural-lam adds the rescaled y to the state afterwards, which is no part of a network here.
"""

import json
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import graph_file
from check_graph_forward import TOLERANCES, call, check_parser, error, shapes_and_models
from neural_lam_networks import CLASSES, Grid, forward, make_graph, make_network

# Published edges from the grid: neural-lam's own domain, in steps of the grid, and turned by 90 degrees.
POINTS_IN_REACH = {(268, 238): 100656, (238, 268): 79236}
SETTINGS = ({}, {"hidden_dims": 24, "hidden_layers": 2, "processor_layers": 2})


def model_forward(options, folder, kind, x, *more):
    save_file({"x": x}, folder / "x.safetensors")
    call(options.program, "model", "forward", "--model", kind, "--settings",
         folder / "settings.json", "--graph", folder / "graph.nc", "--weights",
         folder / "ours.safetensors", "--input", folder / "x.safetensors", "--output",
         folder / "y.safetensors", "--device", options.device, *more)  # fmt: skip
    return load_file(folder / "y.safetensors")["y"]


def convert(options, folder, start, end, source, target):
    call(options.program, "model", "convert", "--from", start, "--to", end, "--weights",
         folder / source, "--output", folder / target)  # fmt: skip


def check_in(options, folder, kind, settings, shape):
    """(forward error, gradient error)"""
    theirs = make_graph(kind, folder / "graph" / "theirs", shape)
    graph = graph_file.as_py4cast(graph_file.local(graph_file.load(theirs)))
    if shape in POINTS_IN_REACH:
        assert graph["g2m_features"].shape[0] == POINTS_IN_REACH[shape]
    graph_file.write(folder / "graph.nc", graph)
    network = make_network(
        kind, settings, Grid(folder, shape, options.inputs, options.outputs), "theirs"
    ).eval()
    save_file(network.state_dict(), folder / "theirs.safetensors")
    convert(options, folder, "neural_lam", "mfai", "theirs.safetensors", "ours.safetensors")
    x = torch.randn(2, *shape, options.inputs)
    y = forward(network, x, options.outputs)
    (y**2).mean().backward()
    found = model_forward(
        options, folder, kind, x, "--gradients", folder / "our_gradients.safetensors"
    )
    convert(options, folder, "mfai", "neural_lam", "our_gradients.safetensors", "gradients.safetensors")
    gradients = load_file(folder / "gradients.safetensors")
    truth = {name: parameter.grad for name, parameter in network.named_parameters()}
    least = 0.01 * max(value.abs().max() for value in truth.values())
    backward = max(
        ((gradients[name] - value).abs().max() / value.abs().max().clamp_min(least)).item()
        for name, value in truth.items()
    )
    return error(found, y.detach()), backward


def check_out(options, folder, kind, settings, shape):
    """(forward error, 0)"""
    hierarchical = ["--hierarchical"] if kind != "graphlam" else []
    call(options.program, "model", "graph", "--grid", f"{shape[0]}x{shape[1]}", "--out",
         folder / "graph.nc", *hierarchical)  # fmt: skip
    graph_file.write_folder(
        folder / "graph" / "ours", graph_file.read_file(folder / "graph.nc"), "neural_lam"
    )
    call(options.program, "model", "weights", "--model", kind, "--settings",
         folder / "settings.json", "--graph", folder / "graph.nc", "--inputs", options.inputs,
         "--outputs", options.outputs, "--height", shape[0], "--width", shape[1], "--output",
         folder / "ours.safetensors")  # fmt: skip
    convert(options, folder, "mfai", "neural_lam", "ours.safetensors", "theirs.safetensors")
    network = make_network(
        kind, settings, Grid(folder, shape, options.inputs, options.outputs), "ours"
    ).eval()
    network.load_state_dict(load_file(folder / "theirs.safetensors"), strict=True)
    x = torch.randn(2, *shape, options.inputs)
    with torch.no_grad():
        y = forward(network, x, options.outputs)
    return error(model_forward(options, folder, kind, x), y), 0


def main():
    parser = check_parser(__doc__)
    parser.add_argument("--sizes", default="64x64,41x100")
    parser.add_argument("--models", default=",".join(CLASSES))
    options = parser.parse_args()
    failed = 0
    shapes, models = shapes_and_models(options, CLASSES)
    for shape in shapes:
        for kind in models:
            for settings in SETTINGS:
                for way, check in (("in", check_in), ("out", check_out)):
                    with tempfile.TemporaryDirectory() as name:
                        folder = pathlib.Path(name)
                        (folder / "settings.json").write_text(json.dumps(settings))
                        torch.manual_seed(shape[0])
                        errors = check(options, folder, kind, settings, shape)
                    good = all(found < limit for found, limit in zip(errors, TOLERANCES))
                    failed += not good
                    gradients = f", gradients {errors[1]:.1e}" if way == "in" else ""
                    print(
                        f"{'ok  ' if good else 'FAIL'} {way:3} {kind:14} {shape[0]}x{shape[1]} "
                        f"{json.dumps(settings)}: forward {errors[0]:.1e}{gradients}",
                        flush=True,
                    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
