#!/usr/bin/env python3
"""Writes what the doors are entered with first: one small, valid input of each kind.

    make_corpus.py [FOLDER]     default: tests/fuzz/corpus

Needs numpy, netCDF4, eccodes and safetensors. What fuzzing has found stands in the same folders and is not touched.
"""

import pathlib
import sys

import eccodes
import netCDF4
import numpy as np
from safetensors.numpy import save_file

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


def archive(store, arrays):
    """The metadata of a store and some of its arrays, as tests/fuzz/doors/zarr.cpp takes them apart."""
    content = b""
    for file in sorted(p for p in store.rglob("*") if p.is_file()):
        name = file.relative_to(store)
        if len(name.parts) == 1 or name.parts[0] in arrays:
            content += f"=== {name}\n".encode() + file.read_bytes() + b"\n"
    return content


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
    place("run_state", "state.json").write_text(
        '{"format_version": 2, "epoch": 1, "batch": 0, "step": 3, "epoch_loss": 0.5, "best": 0.25, "seed": 1,\n'
        ' "configuration_hash": "00", "metrics_bytes": 10, "optimizer_steps": {"network": 3}, "extra": {"state": ["t"]}}\n')
    place("run_state", "statistics.json").write_text(
        '[{"name": "t", "mean": 1, "std": 2, "minimum": 0, "maximum": 3, "difference_mean": 0, "difference_std": 1,\n'
        '  "never_a_value": [2, 4094]}]\n')
    place("command_line", "flags").write_text("config.json\n--model\nhilam\n--training.epochs=3\n--betas\n0.9,0.99\n--dry-run\n")


if __name__ == "__main__":
    main()
