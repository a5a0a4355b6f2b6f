"""neural-lam's own GraphLAM, HiLAM and HiLAMParallel, over points 2.5 apart, by the names and settings
of py4cast."""

import os
import types
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("LOGURU_LEVEL", "WARNING")
import numpy as np
from neural_lam.create_graph import create_graph
from neural_lam.models.step_predictors.graph.graph_lam import GraphLAM
from neural_lam.models.step_predictors.graph.hi_lam import HiLAM
from neural_lam.models.step_predictors.graph.hi_lam_parallel import HiLAMParallel

CLASSES = {"graphlam": GraphLAM, "hilam": HiLAM, "hilamparallel": HiLAMParallel}
SPACING = 2.5


class Grid:
    """What neural-lam's networks ask their data store for: a grid without static fields, states of
    mean 0 and deviation 1. The graphs lie in folder/graph."""

    def __init__(self, folder, shape, inputs, outputs):
        self.root_path = folder
        self.num_grid_points = shape[0] * shape[1]
        self.extent = [0.0, SPACING * (shape[0] - 1), 0.0, SPACING * (shape[1] - 1)]
        self.variables = {"state": outputs, "forcing": inputs - 2 * outputs}

    def get_num_data_vars(self, category):
        return self.variables[category]

    def get_vars_names(self, category):
        return [f"{category}_{i}" for i in range(self.variables[category])]

    def get_dataarray(self, category, split, standardize=False):
        assert category == "static"
        return None

    def get_standardization_dataarray(self, category):
        zero, one = (
            types.SimpleNamespace(values=np.full(self.variables[category], value))
            for value in (0.0, 1.0)
        )
        return types.SimpleNamespace(
            state_mean=zero,
            state_std=one,
            state_diff_mean_standardized=zero,
            state_diff_std_standardized=one,
        )

    def get_xy_extent(self, category):
        return self.extent


def make_graph(name, folder, shape):
    """neural-lam's graph of the grid, as a folder of its files."""
    steps = [SPACING * np.arange(size, dtype=np.float64) for size in shape]
    places = np.stack(np.meshgrid(*steps, indexing="ij"), -1)
    create_graph(str(folder), places, hierarchical=name != "graphlam")
    return folder


def make_network(name, settings, grid, graph):
    """The network on the graph of that name."""
    names = {"hidden_dims": "hidden_dim"}
    return CLASSES[name](
        datastore=grid,
        graph_name=graph,
        num_past_forcing_steps=0,
        num_future_forcing_steps=0,
        **{names.get(key, key): value for key, value in settings.items()},
    )


def parts(x, outputs):
    """Of x [batch, points, inputs]: the state, the state before, the forcing."""
    return x.split([outputs, outputs, x.shape[-1] - 2 * outputs], -1)


def forward(network, x, outputs):
    """Of x [batch, rows, columns, inputs], what comes of the output map, in that layout."""
    seen = []
    hook = network.output_map.register_forward_hook(lambda module, given, y: seen.append(y))
    network(*parts(x.flatten(1, 2), outputs))
    hook.remove()
    return seen[0].unflatten(1, x.shape[1:3])
