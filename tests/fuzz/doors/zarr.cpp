// The files of a Zarr store as a data set.
#include "data/zarr/zarr_dataset.h"
#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  const Stranger store("store.zarr");
  unpack_folder(input, store.path());
  walk(*open_zarr({store.path()}));
}
