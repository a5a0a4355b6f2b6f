# Compiler settings of every target, and the two functions that the folders use.
include(GNUInstallDirs)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Three degrees, since optimising is most of the time of compilation: -O3 for the loops of the kernels, -O2 for what prepares and
# drives them, -O1 for what runs once (PY4CAST_COLD). The bits are the same. Assertions stay on: they guard our own mistakes and cost
# nothing measurable.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -fvect-cost-model=dynamic")
set(PY4CAST_HOT $<$<CONFIG:Release>:-O3>)
set(PY4CAST_COLD $<$<CONFIG:Release>:-O1>)

# Eight files of a folder are compiled as one, since most of the time goes into what they include: half the processor seconds of a
# build. Whoever edits one file again and again configures with -DCMAKE_UNITY_BUILD=OFF. .ci/check_names keeps their names apart;
# that each file includes what it needs is seen by .ci/lint, which takes them one by one.
set(CMAKE_UNITY_BUILD ON CACHE BOOL "Compile several files as one")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

find_package(OpenMP REQUIRED COMPONENTS CXX)

add_library(py4cast_options INTERFACE)
target_compile_options(py4cast_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wno-missing-field-initializers;
    $<$<AND:$<BOOL:${CMAKE_UNITY_BUILD}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>>
  $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-lineinfo;-Xptxas=-v;-Xcompiler=-Wall>)
target_include_directories(py4cast_options INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(py4cast_options INTERFACE OpenMP::OpenMP_CXX)
if(PY4CAST_SANITIZE)
  # Without the checks at every memory access that AddressSanitizer makes too: they double the time of compilation; in kernels,
  # whose many small arrays are locals of inlined functions, so do checks of scopes.
  set(PY4CAST_SANITIZED_KERNELS -fno-sanitize-address-use-after-scope)
  target_compile_options(py4cast_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${PY4CAST_SANITIZE};
    -fno-sanitize=null,alignment,object-size,vptr,pointer-overflow;-fno-omit-frame-pointer>)
  target_link_options(py4cast_options INTERFACE -fsanitize=${PY4CAST_SANITIZE})
endif()
if(PY4CAST_FUZZ STREQUAL "LIBFUZZER")
  # libFuzzer sees the ways through our code. Without warnings that g++ does not know; .ci/lint has those of clang that count.
  target_compile_options(py4cast_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link;-Wno-pass-failed;
    -Wno-missing-braces;-Wno-unused-private-field>)
endif()
# The .cu files: by nvcc for GPUs, or as C++ for the emulated device.
if(PY4CAST_CUDA STREQUAL "ON")
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
  endif()
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  if(NOT DEFINED ENV{CUDACXX})
    find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  endif()
  # What ptxas says of each kernel is kept for .ci/check_registers.
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${PROJECT_SOURCE_DIR}/cmake/keep_ptxas ${CMAKE_CXX_COMPILER_LAUNCHER})
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
  target_compile_definitions(py4cast_options INTERFACE PY4CAST_CUDA=1)
elseif(PY4CAST_CUDA STREQUAL "EMULATED")
  target_compile_definitions(py4cast_options INTERFACE PY4CAST_CUDA=1 PY4CAST_CUDA_EMULATED=1)
endif()
# cuDNN 9, if it is there (CUDNN_ROOT: a folder with include/ and lib/).
if(PY4CAST_CUDNN AND PY4CAST_CUDA STREQUAL "ON")
  find_path(CUDNN_INCLUDE_DIR cudnn_graph.h HINTS ${CUDNN_ROOT} ENV CUDNN_ROOT ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
  find_library(CUDNN_LIBRARY cudnn HINTS ${CUDNN_ROOT} ENV CUDNN_ROOT ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
  if(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
    message(WARNING "cuDNN 9 was not found: convolutions run on kernels of our own. Set CUDNN_ROOT, or PY4CAST_CUDNN=OFF.")
    set(PY4CAST_CUDNN OFF)
  endif()
endif()
if(PY4CAST_CUDNN AND NOT PY4CAST_CUDA STREQUAL "OFF")
  target_compile_definitions(py4cast_options INTERFACE PY4CAST_CUDNN=1)
endif()
if(PY4CAST_MPI)
  find_package(MPI REQUIRED COMPONENTS C)
endif()

# CPU instruction levels. A file name.simd.cpp is compiled once for each level; its kernels take the level's tag as first
# argument, so the levels are overloads of one function and the choice is made at run time (kernels/common/dispatch.h).
set(PY4CAST_LEVELS baseline avx2 avx512)
set(PY4CAST_FLAGS_baseline "")
set(PY4CAST_FLAGS_avx2 -mavx2 -mfma)
set(PY4CAST_FLAGS_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mprefer-vector-width=512)
# Levels of few files, for products in bf16: name_bf16.simd.cpp with dot products of pairs, name.amx.cpp with matrix tiles, for
# real and with plain loops in their place.
set(PY4CAST_PRODUCT_LEVELS avx512_bf16 amx amx_emulated)
set(PY4CAST_FLAGS_avx512_bf16 ${PY4CAST_FLAGS_avx512} -mavx512bf16)
set(PY4CAST_FLAGS_amx ${PY4CAST_FLAGS_avx512_bf16})
set(PY4CAST_FLAGS_amx_emulated ${PY4CAST_FLAGS_avx512})
# The optimiser of clang 16 (make fuzz) ends in a segmentation fault on dot products of pairs.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 17)
  list(APPEND PY4CAST_FLAGS_avx512_bf16 -O0)
endif()

# py4cast_library(<folder> [COLD] [APART] [DEPENDS <folder>...] [LIBRARIES <target>...]): one static library of all sources below the
# folder. APART: each file is always compiled by itself.
function(py4cast_library name)
  cmake_parse_arguments(ARG "COLD;APART" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  file(GLOB_RECURSE simd_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.simd.cpp)
  file(GLOB_RECURSE amx_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.amx.cpp)
  list(FILTER sources EXCLUDE REGEX "\\.simd\\.cpp$|\\.amx\\.cpp$|_main\\.cpp$")
  if(NOT PY4CAST_CUDA STREQUAL "OFF")
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
    list(APPEND sources ${cuda_sources})
    if(PY4CAST_CUDA STREQUAL "EMULATED" AND cuda_sources)
      set_source_files_properties(${cuda_sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-Wno-unknown-pragmas;${PY4CAST_HOT}")
      if(PY4CAST_SANITIZE)
        # Here is where the tests spend their time, so optimised. Without fake stacks: each of some hundred fibers of a block would
        # get one.
        file(GLOB emulation ${CMAKE_CURRENT_SOURCE_DIR}/emulation/cuda_on_cpu*.cpp)
        set_property(SOURCE ${cuda_sources} ${emulation} APPEND PROPERTY COMPILE_OPTIONS -O3 --param=asan-use-after-return=0
                     ${PY4CAST_SANITIZED_KERNELS})
      endif()
    endif()
  endif()
  if(NOT sources)
    add_library(py4cast_${name} INTERFACE)
    target_link_libraries(py4cast_${name} INTERFACE py4cast_options)
    set(scope INTERFACE)
  else()
    add_library(py4cast_${name} STATIC ${sources})
    target_link_libraries(py4cast_${name} PUBLIC py4cast_options)
    target_compile_options(py4cast_${name} PRIVATE $<$<BOOL:${ARG_COLD}>:${PY4CAST_COLD}>)
    if(ARG_APART)
      set_target_properties(py4cast_${name} PROPERTIES UNITY_BUILD OFF)
    endif()
    set(scope PUBLIC)
  endif()
  foreach(folder ${ARG_DEPENDS})
    target_link_libraries(py4cast_${name} ${scope} py4cast_${folder})
  endforeach()
  target_link_libraries(py4cast_${name} ${scope} ${ARG_LIBRARIES})
  if(simd_sources)
    foreach(level ${PY4CAST_LEVELS} ${PY4CAST_PRODUCT_LEVELS})
      set(level_sources ${simd_sources})
      if(level MATCHES "^amx")
        set(level_sources ${amx_sources})
      elseif(level IN_LIST PY4CAST_PRODUCT_LEVELS)
        list(FILTER level_sources INCLUDE REGEX "_bf16\\.simd\\.cpp$")
      endif()
      if(NOT level_sources)
        continue()
      endif()
      add_library(py4cast_${name}_${level} OBJECT ${level_sources})
      set_target_properties(py4cast_${name}_${level} PROPERTIES UNITY_BUILD OFF)  # here optimising is what takes time
      target_link_libraries(py4cast_${name}_${level} PRIVATE py4cast_options)
      target_compile_options(py4cast_${name}_${level} PRIVATE ${PY4CAST_FLAGS_${level}} ${PY4CAST_HOT}
                             ${PY4CAST_SANITIZED_KERNELS} -fno-math-errno -fno-trapping-math)
      target_compile_definitions(py4cast_${name}_${level} PRIVATE PY4CAST_LEVEL=${level})
      target_sources(py4cast_${name} PRIVATE $<TARGET_OBJECTS:py4cast_${name}_${level}>)
    endforeach()
  endif()
endfunction()

# py4cast_test(<folder> [LIBRARIES <target>...]): one GoogleTest program tests_<folder> of all *_test.cpp below the folder. A
# file <name>_main.cpp there is a program tests/<name> of the build folder that the tests start, for example on several ranks.
function(py4cast_test name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  set(mains ${sources})
  list(FILTER sources EXCLUDE REGEX "_main\\.cpp$")
  list(FILTER mains INCLUDE REGEX "_main\\.cpp$")
  # Those that depend on the device that is built for are compiled apart, so that the rest does not.
  foreach(source ${sources})
    file(STRINGS ${source} devices REGEX "PY4CAST_CUD" LIMIT_COUNT 1)
    if(devices)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
  if(sources)
    add_executable(tests_${name} ${sources})
    target_compile_options(tests_${name} PRIVATE ${PY4CAST_COLD})
    target_link_libraries(tests_${name} PRIVATE py4cast_${name} tests_places ${ARG_LIBRARIES} GTest::gtest GTest::gtest_main)
    add_test(NAME ${name} COMMAND tests_${name} --gtest_brief=1)
    add_test(NAME ${name}_fast COMMAND tests_${name} --gtest_brief=1 --gtest_filter=${PY4CAST_FAST_TESTS})
    set_tests_properties(${name} ${name}_fast PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
    set_tests_properties(${name} PROPERTIES LABELS full)
    set_tests_properties(${name}_fast PROPERTIES LABELS fast)
  endif()
  foreach(main ${mains})
    get_filename_component(program ${main} NAME_WE)
    string(REPLACE "_main" "" program ${program})
    add_executable(${program} ${main})
    target_compile_options(${program} PRIVATE ${PY4CAST_COLD})
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    target_link_libraries(${program} PRIVATE py4cast_${name})
    add_dependencies(tests_${name} ${program})
  endforeach()
endfunction()
