#!/usr/bin/env python3
"""Memory of a training in Python, xarray and PyTorch: the peer of `py4cast_bench memory`.

A step opens a netCDF file with xarray (in a context manager, without one, or never: the fields then
come from memory), reads three hours of two fields on 32 x 32 points, normalises them in PyTorch, in
NumPy or not at all, trains mfai's HalfUNet with 8 filters on them, drops everything and collects the
garbage. Each case runs in a process of its own. Writes what `py4cast_bench memory --peer FILE` reads.

    torch_memory.py [--files context,plain,none] [--normalise torch,numpy,raw] [--steps 4000]
                    [--warm-up 500] [--launches 1] --out F.json
"""

import argparse
import ctypes
import gc
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from checks import need, words_of, writable

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "reference"))
SIDE, HOURS, EVERY = 32, 120, 10
FILES = {
    "context": "file in a context",
    "plain": "file without a context",
    "none": "no file",
}
NORMALISE = ("torch", "numpy", "raw")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", default=",".join(FILES))
    parser.add_argument("--normalise", default=",".join(NORMALISE))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--warm-up", type=int, default=500)
    parser.add_argument("--launches", type=int, default=1, help="processes for each case")
    parser.add_argument("--out", required=True)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


class Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def number_in(file, name):
    with open(file) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def signals():
    """As bench/process_memory.h."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Mallinfo2
    library.malloc_trim(0)
    heap = library.mallinfo2()
    found = {
        "heap": heap.uordblks + heap.hblkhd,
        "rss": 1024 * number_in("/proc/self/smaps_rollup", "Rss"),
        "pss": 1024 * number_in("/proc/self/smaps_rollup", "Pss"),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": number_in("/proc/self/status", "Threads"),
    }
    for file in ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"):
        if "cgroup" not in found and os.access(file, os.R_OK):
            found["cgroup"] = int(pathlib.Path(file).read_text())
    return found


def write_files(folder):
    import numpy as np
    import xarray as xr

    random = np.random.default_rng(0)
    for name in ("a.nc", "b.nc"):
        fields = random.standard_normal((2, HOURS, SIDE, SIDE), dtype=np.float32)
        dimensions = ("time", "latitude", "longitude")
        xr.Dataset({f"state_{i}": (dimensions, field) for i, field in enumerate(fields)}).to_netcdf(
            folder / name
        )


def read(dataset, hour):
    import numpy as np

    names = ("state_0", "state_1")
    return np.stack([dataset[name][hour : hour + 3].values for name in names], axis=-1)


def fields_of(files, folder, step):
    """Three hours: [3, latitude, longitude, 2]."""
    import numpy as np
    import xarray as xr

    hour = step * 7 % (HOURS - 2)
    path = folder / ("a.nc", "b.nc")[step % 2]
    if files == "context":
        with xr.open_dataset(path) as dataset:
            return read(dataset, hour)
    if files == "plain":
        return read(xr.open_dataset(path), hour)
    return np.random.default_rng(step).standard_normal((3, SIDE, SIDE, 2), dtype=np.float32)


def normalised(how, fields):
    import torch

    if how == "torch":
        return (torch.from_numpy(fields) - torch.tensor([0.1, -0.1])) / torch.tensor([1.1, 0.9])
    if how == "numpy":
        fields = (fields - [0.1, -0.1]) / [1.1, 0.9]
    return torch.from_numpy(fields).float()


def child(options, folder):
    import torch
    from networks import forward, make_network

    files, how = options.child.split("/")
    torch.manual_seed(0)
    network = make_network("halfunet", {"num_filters": 8}, 4, 2, (SIDE, SIDE)).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    write_files(folder)
    series = {"steps": [], "signals": {}}
    gc.freeze()  # what was imported need not be looked through in each step
    for step in range(options.warm_up + options.steps + 1):
        states = normalised(how, fields_of(files, folder, step))
        x = torch.cat([states[0], states[1]], dim=-1)[None]
        loss = ((states[1] + forward("halfunet", network, x)[0] - states[2]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        del states, x, loss
        gc.collect()
        if step >= options.warm_up and (step - options.warm_up) % EVERY == 0:
            series["steps"].append(step)
            for name, value in signals().items():
                series["signals"].setdefault(name, []).append(value)
    print(json.dumps(series))


def launch(name, arguments):
    command = [sys.executable, __file__, *arguments, "--child", name]
    environment = os.environ | {
        "MALLOC_ARENA_MAX": "1",
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def versions():
    import netCDF4
    import torch
    import xarray

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "xarray": xarray.__version__,
        "netcdf": netCDF4.__netcdf4libversion__,
        "hdf5": netCDF4.__hdf5libversion__,
    }


def main():
    options = arguments()
    if options.child:
        with tempfile.TemporaryDirectory() as folder:
            return child(options, pathlib.Path(folder))
    all_files = words_of("--files", options.files, FILES)
    all_normalise = words_of("--normalise", options.normalise, NORMALISE)
    need("torch", "mfai", "xarray", "netCDF4", "numpy")
    writable(options.out)
    cases = []
    for files in all_files:
        for how in all_normalise:
            name = f"{files}/{how}"
            launches = [launch(name, sys.argv[1:]) for _ in range(options.launches)]
            group = f"PyTorch, {FILES[files]}"
            cases.append({"name": f"torch/{name}", "group": group, "launches": launches})
            print(f"torch/{name}", file=sys.stderr)
    report = {
        "environment": versions() | {"machine": platform.machine()},
        "warm_up": options.warm_up,
        "steps": options.steps,
        "cases": cases,
    }
    pathlib.Path(options.out).write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
