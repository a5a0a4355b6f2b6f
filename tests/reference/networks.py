"""mfai's networks by the names and settings of py4cast, for the scripts that compare with them."""

import contextlib
import importlib
import io
import pathlib
import tempfile
import warnings

import torch

# name: module and class of mfai
CLASSES = {
    "halfunet": ("half_unet", "HalfUNet"),
    "unet": ("unet", "UNet"),
    "segformer": ("segformer", "Segformer"),
    "graphlam": ("nlam", "GraphLAM"),
    "hilam": ("nlam", "HiLAM"),
    "hilamparallel": ("nlam", "HiLAMParallel"),
}
# Settings of py4cast that mfai calls otherwise, or does not know.
RENAMED = {
    "reduction_ratio": "kernel_and_stride",
    "compatibility": None,
    "graph": None,
    "tmp_dir": None,
}


def is_graph(name):
    """Whether the network takes nodes [batch, points, features] and not fields, features first."""
    return CLASSES[name][0] == "nlam"


def mfai_settings(settings):
    def value(given):
        if isinstance(given, list):
            return given[0] if len(given) == 1 else tuple(given)
        return given

    given = {key: value(given) for key, given in settings.items() if given != []}
    return {RENAMED.get(key, key): value for key, value in given.items() if RENAMED.get(key, key)}


def coordinates(rows, columns):
    """[2, rows, columns]: x, then y, float32 numbers from 0 to 1."""
    x = torch.arange(columns, dtype=torch.float32) / (columns - 1)
    y = torch.arange(rows, dtype=torch.float32) / (rows - 1)
    return torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)])


def make_network(
    name, settings, inputs, outputs, shape, places=None, graph_out=None, graph_folder=None
):
    """The network; a graph network on mfai's graph of the places [2, rows, columns], which is also
    written as a file of py4cast's if it is named, or on the graph of a folder."""
    warnings.filterwarnings("ignore")
    module, class_name = CLASSES[name]
    if is_graph(name):
        import torch_geometric  # noqa: F401  mfai imports it half-way otherwise
    network = getattr(importlib.import_module(f"mfai.pytorch.models.{module}"), class_name)
    make = network.settings_kls
    if not is_graph(name):
        return network(inputs, outputs, tuple(shape), make(**mfai_settings(settings)))
    places = coordinates(*shape) if places is None else places
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        made = make(tmp_dir=pathlib.Path(graph_folder or folder), **mfai_settings(settings))
        if not graph_folder:
            network.rank_zero_setup(made, places)
        if graph_out:
            import graph_file

            graph_file.write(graph_out, graph_file.as_mfai(graph_file.local(graph_file.load(folder))))
        return network(inputs, outputs, (shape[0] * shape[1],), made)


def cast(network, dtype):
    """To the type, with the lists of features that mfai's graph networks keep beside themselves."""
    network.to(dtype)
    for name in ("mesh_static_features", "m2m_features", "mesh_up_features", "mesh_down_features"):
        if hasattr(network, name):
            setattr(network, name, [value.to(dtype) for value in getattr(network, name)])
    return network


def forward(name, network, x):
    """Of x [batch, rows, columns, features], in that layout."""
    if is_graph(name):
        return network(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
    return network(x.movedim(-1, 1)).movedim(1, -1)
