#!/usr/bin/env python3
"""Checks that weights which py4cast writes are those of mfai's own classes: they are loaded with
strict=True, and mfai's output is that of `py4cast model forward`.

    check_weights_out.py [--program build/py4cast] [--networks halfunet,unet,...] [--size 64x128]

mfai's graph networks keep parts of their graph among their weights. So their graph is the one that
`py4cast model graph` wrote (graph_file.py --to mfai); the plain weights lack those parts and nothing
else, and `py4cast model convert --to mfai --graph FILE` adds them, equal to what mfai has.
"""

import json
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import graph_file
import networks
from check_graph_forward import call, check_parser, error
from make_graph_fixtures import BUFFERS

TOLERANCE = 1e-5  # relative to the largest element
SETTINGS = {  # more than one for each, so that every option that has weights of its own is there
    "halfunet": (
        {},
        {"num_filters": 16, "bias": True, "absolute_pos_embed": True},
        {"num_filters": 16, "use_ghost": True},
    ),
    "unet": ({}, {"init_features": 10}),
    "segformer": ({}, {"dims": [16, 24, 40, 64], "heads": [1, 2, 5, 4], "decoder_dim": 32}),
    "graphlam": ({}, {"hidden_dims": 24, "hidden_layers": 2, "mesh_aggr": "mean"}),
    "hilam": ({}, {"hidden_dims": 24, "processor_layers": 2}),
    "hilamparallel": ({}, {"hidden_dims": 24, "processor_layers": 2}),
}


def load_graph_weights(options, folder, network, weights):
    """What is wrong, in words, if anything."""
    missing, unexpected = network.load_state_dict(load_file(weights), strict=False)
    if set(missing) != set(BUFFERS) or unexpected:
        return f"missing {missing}, unexpected {unexpected}"
    before = {name: getattr(network, name).clone() for name in BUFFERS}
    whole = folder / "whole.safetensors"
    call(options.program, "model", "convert", "--from", "mfai", "--to", "mfai", "--weights",
         weights, "--graph", folder / "graph.nc", "--output", whole)  # fmt: skip
    network.load_state_dict(load_file(whole), strict=True)
    changed = [n for n in BUFFERS if not torch.equal(before[n], getattr(network, n))]
    return f"another graph: {changed}" if changed else ""


def check(options, folder, name, settings):
    rows, columns = options.shape
    weights, x_file = folder / "weights.safetensors", folder / "x.safetensors"
    (folder / "settings.json").write_text(json.dumps(settings))
    model = ["--model", name, "--settings", folder / "settings.json"]
    call(options.program, "model", "weights", *model, "--inputs", options.inputs, "--outputs",
         options.outputs, "--height", rows, "--width", columns, "--output", weights)  # fmt: skip
    graph = None
    if networks.is_graph(name):
        graph = folder / "mfai_graph"
        hierarchical = ["--hierarchical"] if name != "graphlam" else []
        call(options.program, "model", "graph", "--grid", f"{rows}x{columns}", "--out",
             folder / "graph.nc", *hierarchical)  # fmt: skip
        graph_file.write_folder(graph, graph_file.read_file(folder / "graph.nc"), "mfai")
    torch.manual_seed(1)
    network = networks.make_network(
        name, settings, options.inputs, options.outputs, (rows, columns), graph_folder=graph
    ).eval()
    if graph:
        wrong = load_graph_weights(options, folder, network, weights)
        if wrong:
            print(f"FAIL {name:14} {json.dumps(settings)}: {wrong}", flush=True)
            return False
    else:
        network.load_state_dict(load_file(weights), strict=True)
    x = torch.randn(2, rows, columns, options.inputs)
    save_file({"x": x}, x_file)
    call(options.program, "model", "forward", *model, "--weights", weights, "--input", x_file,
         "--output", folder / "y.safetensors", "--device", options.device)  # fmt: skip
    with torch.no_grad():
        y = networks.forward(name, network, x)
    forward = error(load_file(folder / "y.safetensors")["y"], y)
    good = forward < TOLERANCE
    print(
        f"{'ok  ' if good else 'FAIL'} {name:14} {json.dumps(settings)}: {len(network.state_dict())} "
        f"tensors loaded, forward {forward:.1e}",
        flush=True,
    )
    return good


def main():
    parser = check_parser(__doc__)
    parser.add_argument("--networks", default=",".join(SETTINGS))
    parser.add_argument("--size", default="64x128")
    options = parser.parse_args()
    options.shape = tuple(map(int, options.size.split("x")))
    good = True
    for name in options.networks.split(","):
        for settings in SETTINGS[name]:
            with tempfile.TemporaryDirectory() as folder:
                good &= check(options, pathlib.Path(folder), name, settings)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
