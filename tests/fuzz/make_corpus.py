#!/usr/bin/env python3
"""Writes what the doors are entered with first: one small, valid input of each kind.

    make_corpus.py [FOLDER]     default: tests/fuzz/corpus

Needs numpy, netCDF4, eccodes and safetensors. What fuzzing has found stands in the same folders and is not touched.
"""

import pathlib
import struct
import sys

import eccodes
import netCDF4
import numpy as np
from safetensors.numpy import save, save_file

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "corpus"
STORES = HERE.parent / "data" / "zarr" / "stores"


def place(door, name):
    folder = CORPUS / door
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def netcdf(path, kind):
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.createDimension("time", None)
        for name, size in (("latitude", 3), ("longitude", 4), ("level", 2)):
            file.createDimension(name, size)
        for name, units, values in (("latitude", "degrees_north", 50 - np.arange(3)), ("longitude", "degrees_east", np.arange(4)),
                                    ("level", "hPa", [500, 850]), ("time", "hours since 2020-01-01", 6 * np.arange(3))):
            axis = file.createVariable(name, "f8", (name,))
            axis.units = units
            axis[:] = values
        t = file.createVariable("t", "f4", ("time", "level", "latitude", "longitude"), fill_value=-999)
        t.units = "K"
        t[:] = 273 + np.arange(72).reshape(3, 2, 3, 4)
        z = file.createVariable("z", "i2", ("latitude", "longitude"))
        z.setncatts({"scale_factor": 0.5, "add_offset": 100.0, "standard_name": "surface_altitude"})
        z.set_auto_maskandscale(False)
        z[:] = np.arange(12).reshape(3, 4)


def grib(path, edition, **keys):
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    settings = {"Ni": 4, "Nj": 3, "latitudeOfFirstGridPointInDegrees": 50, "latitudeOfLastGridPointInDegrees": 48,
                "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 3, "iDirectionIncrementInDegrees": 1,
                "jDirectionIncrementInDegrees": 1, "dataDate": 20200101, "dataTime": 600, "shortName": "2t", **keys}
    for key, value in settings.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, 273 + np.arange(12.0))
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)


def joined(files):
    """Files in one, as unpack_folder (tests/fuzz/door.h) takes them apart."""
    return b"\n".join(f"=== {name}\n".encode() + content for name, content in files.items())


def archive(store, arrays):
    """The metadata of a store and some of its arrays."""
    names = [file.relative_to(store) for file in sorted(p for p in store.rglob("*") if p.is_file())]
    return joined({name: (store / name).read_bytes() for name in names if len(name.parts) == 1 or name.parts[0] in arrays})


def graph(path, levels):
    """Over 3 x 3 points, with so many nodes in each level; every node knows every other."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        def write(name, values, kind):
            for size in values.shape:
                if f"size_{size}" not in file.dimensions:
                    file.createDimension(f"size_{size}", size)
            file.createVariable(name, kind, [f"size_{size}" for size in values.shape])[:] = values

        def edges(name, senders, receivers, same=False):
            index = np.array([(s, r) for r in range(receivers) for s in range(senders) if not (same and s == r)]).T
            write(name + "_edge_index", index, "i4")
            write(name + "_features", np.linspace(0.1, 1, 3 * index.shape[1]).reshape(-1, 3), "f4")

        edges("g2m", 9, levels[0])
        edges("m2g", levels[0], 9)
        for level, nodes in enumerate(levels):
            write(f"mesh_{level}_features", np.linspace(0, 1, 2 * nodes).reshape(-1, 2), "f4")
            edges(f"m2m_{level}", nodes, nodes, same=True)
            if level + 1 < len(levels):
                edges(f"mesh_up_{level}", nodes, levels[level + 1])
                edges(f"mesh_down_{level}", levels[level + 1], nodes)


def packed_fields(kind, code, numbers):
    """What tests/fuzz/doors/packed_fields.cpp takes: the kind of number, a code of missing ones, the numbers of three channels."""
    head = struct.pack("<4B2f10d", kind, 2, 3, 4, 0.5, 7, 0.01, 273.15, -3e4, 3e4, code, *[np.nan] * 3, 280, 0.1)
    return head[:12] + bytes(4) + head[12:] + numbers.tobytes()


STATE = ('{"format_version": 2, "epoch": 1, "batch": 0, "step": 3, "epoch_loss": 0.5, "best": 0.25, "seed": 1,\n'
         ' "configuration_hash": "00", "metrics_bytes": 10, "optimizer_steps": {"network": 3},\n'
         ' "extra": {"state": ["t"], "forcing": [], "static": [], "rows": 16, "columns": 16}}\n')
STATISTICS = ('[{"name": "t", "mean": 1, "std": 2, "minimum": 0, "maximum": 3, "difference_mean": 0, "difference_std": 1,\n'
              '  "never_a_value": [2, 4094]}]\n')


def run_folder():
    weight, bias = np.arange(6, dtype="f4").reshape(2, 3), np.ones(3, "f4")
    moments = {f"{slab}.{name}": values for slab in ("first_moment", "second_moment") for name, values in
               {"weight": weight, "bias": bias}.items()}
    return joined({"config.json": b'{"dataset": {"name": "dummy"}, "model": {"name": "halfunet"}}\n', "metrics.jsonl": b'{"epoch":0}\n',
                   "statistics.json": STATISTICS.encode(), "checkpoints/last/state.json": STATE.encode(),
                   "checkpoints/last/model.safetensors": save({"weight": weight, "bias": bias}, {"trained_with": "{}"}),
                   "checkpoints/last/optimizer.safetensors": save(moments)})


def main():
    for kind in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"):
        netcdf(place("classic_header", kind.lower() + ".nc"), kind)
    for kind in ("NETCDF3_CLASSIC", "NETCDF4"):
        netcdf(place("netcdf", kind.lower() + ".nc"), kind)
    for number in range(4):
        place("netcdf_structure", f"random_{number}").write_bytes(np.random.default_rng(number).bytes(200))
    for edition in (1, 2):
        grib(place("grib", f"edition_{edition}.grib"), edition)
    grib(place("grib", "bitmap.grib"), 2, bitmapPresent=1)
    grib(place("grib", "second_order.grib"), 2, packingType="grid_complex")
    axes = ("time", "latitude", "longitude")
    place("zarr", "version_2").write_bytes(archive(STORES / "version_2.zarr", (*axes, "blosc_lz4", "gzip")))
    place("zarr", "version_3").write_bytes(archive(STORES / "version_3.zarr", (*axes, "shards_end", "zstd")))
    save_file({"a.weight": np.arange(6, dtype="f4").reshape(2, 3), "b": np.array(7, "i8")}, place("safetensors", "two.safetensors"),
              {"trained_with": "{}"})
    for name, text in {"iso": "\0" "2019-03-27T06:00:00.5 -1:30", "compact": "\1" "2019032706", "units": "\2" "hours since 1900-02-29 0:0",
                       "months": "\4" "months since 0001-01-30"}.items():
        place("calendar", name).write_text(text)
    place("configuration", "example.json").write_text(
        '{"dataset": {"name": "dummy", "files": ["a.nc"], "variables": [{"name": "t", "levels": [500], "role": "state"}]},\n'
        ' "model": {"name": "hilam", "settings": {"hidden_dims": 32}}, // a comment\n'
        ' "training": {"batch_size": 2, "optimizer": {"name": "adam", "betas": [0.9, 0.99]}}, "seed": 3, "precision": "bf16"}\n')
    place("run_state", "state.json").write_text(STATE)
    place("run_state", "statistics.json").write_text(STATISTICS)
    place("run_folder", "last").write_bytes(run_folder())
    graph(place("graph", "one_level.nc"), [4])
    graph(place("graph", "two_levels.nc"), [4, 2])
    place("packed_fields", "i16").write_bytes(packed_fields(2, -32768, np.arange(-200, 199, dtype="i2") * 80))
    place("packed_fields", "f32").write_bytes(packed_fields(6, 7, np.linspace(-10, 10, 210, dtype="f4")))
    save_file({"x": np.linspace(-1, 1, 512, dtype="f4").reshape(1, 16, 16, 2)}, place("model_forward", "x.safetensors"))
    place("command_line", "flags").write_text("config.json\n--model\nhilam\n--training.epochs=3\n--betas\n0.9,0.99\n--dry-run\n")


if __name__ == "__main__":
    main()
