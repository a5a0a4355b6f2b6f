#!/usr/bin/env python3
"""Writes the small Zarr stores of tests/data/zarr/stores with zarr-python, xarray and mllam-data-prep.

    make_zarr_fixtures.py [FOLDER]     default: tests/data/zarr/stores

The values follow formulas that tests/data/zarr/*_test.cpp knows. What xarray makes of the stores is
printed, so that the tests' missing values can be compared with it.
"""

import pathlib
import shutil
import sys
import tempfile
import warnings

import numcodecs
import numpy as np
import xarray as xr
import zarr
from zarr.codecs import (BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec,
                         TransposeCodec, ZstdCodec)
from zarr.codecs.numcodecs import LZ4 as NumcodecsLZ4

warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent
SHAPE, CHUNKS, NAMES = (3, 4, 5), (2, 3, 5), ("time", "latitude", "longitude")
TYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "bool")


def values(dtype="f4"):
    """25 * time + 5 * row + column: whole numbers that every type holds; truth values: odd."""
    numbers = np.arange(SHAPE[1] * SHAPE[2]).reshape(SHAPE[1:]) + np.array([0, 25, 50]).reshape(-1, 1, 1)
    return numbers % 2 == 1 if dtype == "bool" else numbers.astype(dtype)


def coordinates(group, **names):
    def add(name, numbers, attributes):
        numbers = np.asarray(numbers, "f8")
        more = names(name) if callable(names) else {}
        array = group.create_array(name, shape=numbers.shape, dtype="f8", chunks=numbers.shape,
                                   compressors=None, fill_value=None, **more,
                                   **dimensions(group, (name,), attributes))
        array[:] = numbers

    add("latitude", 50 - np.arange(4), {"units": "degrees_north"})
    add("longitude", 1 + np.arange(5), {"units": "degrees_east"})
    add("time", 6 * np.arange(3), {"units": "hours since 2000-01-01"})


def dimensions(group, names, attributes=None):
    attributes = dict(attributes or {})
    if group.metadata.zarr_format == 2:
        return {"attributes": {**attributes, "_ARRAY_DIMENSIONS": list(names)}}
    return {"attributes": attributes, "dimension_names": list(names)}


def add(group, name, dtype="f4", data=None, shape=SHAPE, chunks=CHUNKS, names=NAMES,
        attributes=None, fill_value=None, **settings):
    array = group.create_array(name, shape=shape, chunks=chunks, dtype=dtype,
                               fill_value=fill_value, overwrite=True,
                               **dimensions(group, names, attributes), **settings)
    if data is None:
        data = values(np.dtype(dtype).name if np.dtype(dtype).kind != "b" else "bool")
    array[...] = data
    return array


def version_2(folder):
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    coordinates(group)
    blosc = numcodecs.Blosc
    for cname in ("blosclz", "lz4", "lz4hc", "zlib", "zstd"):
        shuffle = {"lz4": blosc.SHUFFLE, "zstd": blosc.BITSHUFFLE}.get(cname, blosc.NOSHUFFLE)
        add(group, f"blosc_{cname}", compressors=blosc(cname=cname, clevel=5, shuffle=shuffle))
    add(group, "zstd", compressors=numcodecs.Zstd(level=3))
    add(group, "gzip", compressors=numcodecs.GZip(level=5))
    add(group, "zlib", compressors=numcodecs.Zlib(level=5))
    add(group, "fortran", compressors=numcodecs.Zlib(level=1), order="F")
    add(group, "big_fortran", dtype=">i2", compressors=None, order="F")
    add(group, "slashes", compressors=None,
        chunk_key_encoding={"name": "v2", "separator": "/"})
    for dtype in TYPES:
        for endian in "<>":
            if np.dtype(dtype).itemsize > 1 or endian == "<":
                name = f"{dtype}_{'little' if endian == '<' else 'big'}"
                add(group, name, dtype=np.dtype(dtype).newbyteorder(endian), chunks=SHAPE,
                    compressors=numcodecs.Zlib(level=9))
    add(group, "lz4", compressors=numcodecs.LZ4())
    add(group, "delta", compressors=None, filters=[numcodecs.Delta("f4")])
    # Missing values: fill values, and chunks that were never written.
    add(group, "fill_zero", fill_value=0.0, chunks=SHAPE, compressors=None)
    half_written = group.create_array("half_written", shape=SHAPE, chunks=(2, 4, 5), dtype="f4",
                                      fill_value=-1.5, compressors=None, overwrite=True,
                                      **dimensions(group, NAMES))
    half_written[:2] = values()[:2]
    add(group, "packed", dtype="i2", chunks=SHAPE, fill_value=7, compressors=None,
        attributes={"scale_factor": 0.5, "add_offset": 273.15, "missing_value": 8})
    add(group, "scalar", dtype="i4", shape=(), chunks=(), names=(), data=42, compressors=None)
    add(group, "empty", shape=(0,), chunks=(1,), names=("nothing",), data=np.zeros(0), compressors=None)
    # Texts.
    words = np.array(["ab", "", "é", "x" * 9])
    texts = dict(shape=(4,), chunks=(3,), names=("latitude",))
    add(group, "text_u", dtype="<U9", data=words, compressors=numcodecs.Zlib(), **texts)
    add(group, "text_big", dtype=">U9", data=words, compressors=None, **texts)
    add(group, "text_s", dtype="S4", data=np.array([b"ab", b"", b"c d", b"efgh"]), compressors=None,
        **texts)


def version_3(folder, consolidated):
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    coordinates(group)
    blosc = [BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=4)]
    add(group, "blosc", compressors=blosc)
    add(group, "zstd", compressors=[ZstdCodec(level=3)])
    add(group, "gzip_crc32c", compressors=[GzipCodec(level=5), Crc32cCodec()])
    add(group, "big", serializer=BytesCodec(endian="big"), compressors=None)
    add(group, "transposed", filters=[TransposeCodec(order=(1, 2, 0))],
        compressors=[ZstdCodec(level=3)])
    add(group, "transposed_twice", compressors=None,
        filters=[TransposeCodec(order=(1, 2, 0)), TransposeCodec(order=(2, 1, 0))])
    add(group, "keys_v2", compressors=None, chunk_key_encoding={"name": "v2", "separator": "."})
    add(group, "keys_dots", compressors=None,
        chunk_key_encoding={"name": "default", "separator": "."})
    for location in ("start", "end"):
        add(group, f"shards_{location}", chunks=(2, 4, 6), compressors=None, filters=None,
            serializer=ShardingCodec(chunk_shape=(1, 2, 3), index_location=location,
                                     codecs=[TransposeCodec(order=(2, 1, 0)), BytesCodec(),
                                             ZstdCodec(level=1)]))
    sparse = group.create_array("shards_sparse", shape=SHAPE, chunks=(1, 4, 5), shards=(3, 4, 5),
                                dtype="f4", fill_value=-2, compressors=None,
                                **dimensions(group, NAMES))
    sparse[1] = values()[1]
    for dtype in TYPES:
        add(group, f"{dtype}_little", dtype=dtype, chunks=SHAPE, compressors=[ZstdCodec(level=3)])
    add(group, "f2_never", dtype="f2", fill_value=0.5, chunks=SHAPE, data=0.5, compressors=None)
    add(group, "fill_nan", fill_value=np.nan, chunks=SHAPE, data=np.nan, compressors=None)
    add(group, "fill_infinite", dtype="f8", fill_value=-np.inf, chunks=SHAPE, data=-np.inf,
        compressors=None)
    add(group, "fill_zero", fill_value=0.0, chunks=SHAPE, compressors=None)
    add(group, "scalar", dtype="i4", shape=(), chunks=(), names=(), data=42, compressors=None)
    words = np.array(["ab", "", "é", "x" * 9])
    texts = dict(shape=(4,), chunks=(3,), names=("latitude",))
    add(group, "text_u", dtype="<U9", data=words, compressors=[ZstdCodec()], **texts)
    string = group.create_array("text", shape=(4,), chunks=(3,), dtype="string",
                                **dimensions(group, ("latitude",)))
    string[:] = words
    add(group, "lz4", compressors=[NumcodecsLZ4()])
    below = group.create_group("below")
    below.create_array("t", shape=(1,), dtype="f4")
    if consolidated:
        zarr.consolidate_metadata(group.store)


def times(count):
    return np.datetime64("2000-01-01", "ns") + 6 * np.timedelta64(1, "h") * np.arange(count)


def of_xarray(folder, version):
    """As xarray writes a data set: packed, with missing values, a scalar level, strings."""
    t = 270 + values("f8") / 4
    t[1, 2, 3] = np.nan
    ds = xr.Dataset(
        {"t2m": (NAMES, t, {"units": "K", "long_name": "2 metre temperature"}),
         "precipitation": (NAMES, np.where(values() > 60, np.nan, values()),
                           {"units": "mm", "valid_range": np.array([0.0, 100.0], "f4"),
                            "missing_value": np.float32(np.nan)})},
        coords={"time": times(3), "latitude": ("latitude", 50.0 - np.arange(4), {"units": "degrees_north"}),
                "longitude": ("longitude", 1.0 + np.arange(5), {"units": "degrees_east"}),
                "surface": ("latitude", ["sea", "land", "sea", "ice"])})
    ds.to_zarr(folder, mode="w", zarr_format=version,
               encoding={"t2m": {"dtype": "i2", "scale_factor": 0.25, "add_offset": 270.0,
                                 "_FillValue": -999, "chunks": CHUNKS}})


def weather(folder):
    """Four days of hourly data on 12 x 16 points, in halves of whole numbers."""
    t, y, x = np.ogrid[:96, :12, :16]
    numbers = 280 + ((7 * t + 3 * y + 5 * x + t * y) % 23) / 2 + (y * x) % 7
    ds = xr.Dataset(
        {"t2m": (NAMES, numbers.astype("f4"), {"units": "K"})},
        coords={"time": np.datetime64("2000-01-01", "ns") + np.timedelta64(1, "h") * np.arange(96),
                "latitude": ("latitude", 50.0 - np.arange(12), {"units": "degrees_north"}),
                "longitude": ("longitude", 1.0 + np.arange(16), {"units": "degrees_east"})})
    ds.time.encoding["units"] = "hours since 2000-01-01"
    ds.to_zarr(folder, mode="w", zarr_format=3, encoding={"t2m": {"chunks": (24, 12, 16)}})


MLLAM = """
schema_version: v0.6.0
dataset_version: v1
output:
  variables:
    static: [grid_index, static_feature]
    state: [time, grid_index, state_feature]
    forcing: [time, grid_index, forcing_feature]
  chunking: {time: 10}
  splitting:
    dim: time
    splits:
      train: {start: 2000-01-01T00:00, end: 2000-01-07T18:00,
              compute_statistics: {ops: [mean, std, diff_mean, diff_std], dims: [grid_index, time]}}
      val: {start: 2000-01-08T00:00, end: 2000-01-09T06:00}
      test: {start: 2000-01-09T12:00, end: 2000-01-10T18:00}
inputs:
  levels:
    path: PATH
    dims: [time, x, y, altitude]
    variables: {t: {altitude: {values: [50, 100], units: m}}}
    dim_mapping:
      time: {method: rename, dim: time}
      state_feature: {method: stack_variables_by_var_name, dims: [altitude], name_format: "{var_name}{altitude}m"}
      grid_index: {method: stack, dims: [x, y]}
    target_output_variable: state
  surface:
    path: PATH
    dims: [time, x, y]
    variables: [swavr0m]
    dim_mapping:
      time: {method: rename, dim: time}
      grid_index: {method: stack, dims: [x, y]}
      forcing_feature: {method: stack_variables_by_var_name, name_format: "{var_name}"}
    target_output_variable: forcing
  constants:
    path: PATH
    dims: [x, y]
    variables: [lsm]
    dim_mapping:
      grid_index: {method: stack, dims: [x, y]}
      static_feature: {method: stack_variables_by_var_name, name_format: "{var_name}"}
    target_output_variable: static
"""


def mllam(folder, version):
    """From 40 times, 3 rows (y) and 5 columns (x), stacked column by column:
    t at 50 m: 100 * (7 * time % 40) + 10 * row + column, at 100 m 5000 more; swavr0m: minus t at 50 m;
    lsm: row."""
    from mllam_data_prep.create_dataset import create_dataset
    from mllam_data_prep.config import Config

    t, y, x = np.ogrid[:40, :3, :5]
    low = (100 * (7 * t % 40) + 10 * y + x).astype("f4")
    plane = ("y", "x")
    ds = xr.Dataset(
        {"t": (("time", "altitude", *plane), np.stack([low, low + 5000], 1), {"units": "K", "long_name": "temperature"}),
         "swavr0m": (("time", *plane), -low, {"units": "W m**-2", "long_name": "radiation"}),
         "lsm": (plane, np.broadcast_to(y[0] + 0 * x[0], (3, 5)).astype("f4"), {"units": "1", "long_name": "land"})},
        coords={"time": times(40), "altitude": ("altitude", [50, 100], {"units": "m"}),
                "y": ("y", 2500.0 * np.arange(3), {"units": "m", "standard_name": "projection_y_coordinate"}),
                "x": ("x", 2500.0 * np.arange(5), {"units": "m", "standard_name": "projection_x_coordinate"}),
                "lat": (plane, 50 + y[0] + 0.1 * x[0], {"units": "degrees_north"}),
                "lon": (plane, 1 + x[0] + 0.1 * y[0], {"units": "degrees_east"})})
    with tempfile.TemporaryDirectory() as temporary:
        ds.to_zarr(temporary + "/input.zarr")
        result = create_dataset(Config.from_yaml(MLLAM.replace("PATH", temporary + "/input.zarr")))
        result.attrs["creation_config"] = "made by make_zarr_fixtures.py"
        result.attrs["created_on"] = "2000-01-01T00:00:00"
        result.to_zarr(folder, mode="w", zarr_format=version)


def anemoi(folder, version, lambert):
    """data[date, variable, member, cell] = 1000 * variable + 100 * date + cell, of 4 dates of which the
    second is missing; variables 2t, tp, lsm (constant); 3 x 4 cells."""
    group = zarr.open_group(folder, mode="w", zarr_format=version)
    data = (1000 * np.arange(3).reshape(1, 3, 1, 1) + 100 * np.arange(4).reshape(4, 1, 1, 1)
            + np.arange(12)).astype("f4")
    data[:, 2] = np.arange(12)
    data[1] = np.nan
    y, x = np.mgrid[:3, :4]
    latitudes = 50.0 - y + (0.1 * x if lambert else 0)
    longitudes = 1.0 + x + (0.1 * y if lambert else 0)
    names = ("time", "variable", "ensemble", "cell")

    def put(name, numbers, dims, **settings):
        array = group.create_array(name, shape=numbers.shape, dtype=numbers.dtype,
                                   chunks=settings.pop("chunks", numbers.shape),
                                   **dimensions(group, dims), **settings)
        array[...] = numbers

    put("data", data, names, chunks=(1, 3, 1, 12), fill_value=0.0)
    put("dates", np.datetime64("2000-01-01", "s") + np.timedelta64(6, "h") * np.arange(4), ("time",))
    put("latitudes", latitudes.ravel(), ("cell",))
    put("longitudes", longitudes.ravel(), ("cell",))
    put("mean", np.nanmean(data, (0, 2, 3)).astype("f8"), ("variable",))
    group.attrs.update(variables=["2t", "tp", "lsm"], constant_fields=["lsm"], field_shape=[3, 4],
                       missing_dates=["2000-01-01T06:00:00"], frequency="6h",
                       ensemble_dimension=1, variables_metadata={"2t": {"units": "K"}})


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "data/zarr/stores"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    version_2(folder / "version_2.zarr")
    version_3(folder / "version_3.zarr", consolidated=False)
    mllam(folder / "mllam_3.zarr", 3)
    for version in (2, 3):
        of_xarray(folder / f"xarray_{version}.zarr", version)
        anemoi(folder / f"anemoi_{version}.zarr", version, lambert=version == 3)
    weather(folder / "weather.zarr")
    for name in ("version_2", "version_3", "xarray_2", "xarray_3", "mllam_3"):
        print(name, xr.open_zarr(folder / f"{name}.zarr", consolidated="xarray" in name or None), sep="\n")
    with xr.open_zarr(folder / "version_2.zarr", consolidated=False) as ds:
        for name in ("fill_zero", "half_written", "packed"):
            print(name, "missing:", np.isnan(ds[name].values).sum())


if __name__ == "__main__":
    main()
