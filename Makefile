# The front door. Underneath is CMake: see CMakePresets.json for the presets and README.md for clusters.
.PHONY: build packages test test-fast test-kill test-mutants test-gpu gpu-bundle emulated cuda asan fuzz demo bench documents format lint ci install clean

# Debian 12 packages of the programs, of the tests and benchmarks, and of those who change the code.
PACKAGES = g++ make cmake ninja-build pkg-config nlohmann-json3-dev libnetcdf-dev libhdf5-dev libeccodes-dev \
  libblosc-dev libzstd-dev zlib1g-dev libudunits2-dev libpng-dev \
  libopenmpi-dev openmpi-bin libprotobuf-dev protobuf-compiler
TEST_PACKAGES = libgtest-dev libbenchmark-dev
DEVELOPER_PACKAGES = git ccache clang-format clang-tidy-16 libomp-16-dev python3 valgrind
FUZZ_PACKAGES = clang-16 llvm-16 libclang-rt-16-dev libomp-16-dev

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
SOURCES = git ls-files '*.h' '*.cpp' '*.cu' '*.cuh'
export CMAKE_CXX_COMPILER_LAUNCHER ?= $(shell command -v ccache)

# $(call configure,<preset>,<build folder>,<flags>): Ninja if it is there, except over an existing tree, which keeps its own.
configure = cmake --preset $(1) $$(test -e $(2)/CMakeCache.txt || ! command -v ninja >/dev/null || echo -G Ninja) $(3) $(CMAKE_FLAGS)

build:
	@cmake/install_packages $(PACKAGES)
	$(call configure,cpu,build,-DPY4CAST_TESTS=OFF -DPY4CAST_BENCHMARKS=OFF)
	cmake --build build -j $(JOBS)

packages:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES) $(DEVELOPER_PACKAGES)

# Data, training, scores and a forecast in under 10 minutes on 2 cores; DEMO_FLAGS go to py4cast_train.
demo: build
	@examples/demo $(DEMO_FLAGS)

test:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES)
	$(call configure,cpu,build,-DPY4CAST_TESTS=ON)
	cmake --build build -j $(JOBS)
	@tests/run build

# The same without what takes long, after `make emulated` or `make test`: under a minute.
test-fast:
	@tests/run --tier fast $(firstword $(wildcard build-emulated) build)

# Trainings that are killed at 200 random moments and go on, and full disks (root alone can mount those): ten minutes.
test-kill: build
	@tests/kill $(KILL_FLAGS) build

# The CUDA kernels as C++ on the CPU: all tests without a GPU. TIER=device leaves out what tests/host.txt names.
emulated:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES)
	$(call configure,emulated,build-emulated,)
	cmake --build build-emulated -j $(JOBS)
	@tests/run --tier $(or $(TIER),full) build-emulated

# With nvcc. No GPU is needed to build.
cuda:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES)
	$(call configure,cuda,build-cuda,)
	cmake --build build-cuda -j $(JOBS)

# Small faults put into a copy of the code, one at a time: which the tests find (tests/mutants). Hours; FAULTS chooses some.
test-mutants:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES) python3 ninja-build
	@tests/mutants/run $(FAULTS)

# Everything that a GPU must show, on this machine's.
test-gpu: cuda
	@tests/run_gpu build-cuda

# The same as an archive, gpu-bundle.tar.xz, for a machine with a GPU, its driver and CUDA's libraries and nothing else.
gpu-bundle:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES)
	$(call configure,bundle,build-bundle,)
	cmake --build build-bundle -j $(JOBS)
	@cmake/gpu_bundle build-bundle build-bundle/gpu-bundle

# TIER=fast leaves out what tests/slow.txt names.
asan:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES)
	$(call configure,asan,build-asan,)
	cmake --build build-asan -j $(JOBS)
	@tests/run --tier $(or $(TIER),full) build-asan

# Every door for MINUTES, 1 at first (tests/fuzz).
fuzz:
	@cmake/install_packages $(PACKAGES) $(FUZZ_PACKAGES)
	$(call configure,fuzz,build-fuzz,)
	cmake --build build-fuzz -j $(JOBS)
	@tests/fuzz/run --minutes $(or $(MINUTES),1) build-fuzz

bench:
	@cmake/install_packages $(PACKAGES) $(TEST_PACKAGES)
	$(call configure,cpu,build,-DPY4CAST_BENCHMARKS=ON)
	cmake --build build -j $(JOBS) --target py4cast_bench_program
	build/py4cast_bench kernels
	build/py4cast_bench step

# The documents that are made from the keys of the configuration.
documents: build
	build/py4cast config schema > config/schema.json.part && mv config/schema.json.part config/schema.json
	build/py4cast config example > config/example.jsonc.part && mv config/example.jsonc.part config/example.jsonc

format:
	$(SOURCES) | xargs clang-format -i

lint:
	$(call configure,emulated,build-emulated,)
	.ci/lint build-emulated $$($(SOURCES))

ci:
	bash .ci/run

install: build
	cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build build-asan build-emulated build-cuda build-bundle
