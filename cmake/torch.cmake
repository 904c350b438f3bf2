# libtorch from the Python wheel, as an imported target `torch`. The wheel's own CMake package demands a CUDA toolkit when
# the wheel was built with CUDA, so the target is made here; the same lines serve CPU and CUDA wheels.
#   HONE_PYTHON  the interpreter whose wheel is used; .venv's by default
set(HONE_PYTHON "${CMAKE_SOURCE_DIR}/.venv/bin/python" CACHE FILEPATH "Python whose torch wheel is used")
if(NOT EXISTS "${HONE_PYTHON}")
  message(FATAL_ERROR "HONE_TORCH is on, but ${HONE_PYTHON} does not exist: run scripts/setup packages, or set HONE_PYTHON, or -DHONE_TORCH=OFF")
endif()
execute_process(COMMAND ${HONE_PYTHON} -c "import importlib.util as u, os; print(os.path.dirname(u.find_spec('torch').origin))"
  OUTPUT_VARIABLE torch_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE found)
if(NOT found EQUAL 0)
  message(FATAL_ERROR "${HONE_PYTHON} has no module torch: run scripts/setup packages, or -DHONE_TORCH=OFF")
endif()

set(hone_torch_includes "-isystem ${torch_dir}/include -isystem ${torch_dir}/include/torch/csrc/api/include")  # for tests that call the compiler

add_library(torch INTERFACE)
target_include_directories(torch SYSTEM INTERFACE ${torch_dir}/include ${torch_dir}/include/torch/csrc/api/include)
target_compile_options(torch INTERFACE -Wno-unused-parameter)
# The wheel ships headers of another fmt, which come first: no library of theirs is there to link.
target_compile_definitions(torch INTERFACE FMT_HEADER_ONLY)
target_link_libraries(torch INTERFACE ${torch_dir}/lib/libtorch_cpu.so ${torch_dir}/lib/libc10.so)
target_link_options(torch INTERFACE -Wl,--allow-shlib-undefined -Wl,-rpath,${torch_dir}/lib)
# at::parallel_for is OpenMP code in a header; it must meet the runtime that libtorch itself uses, not a second pool.
target_compile_options(torch INTERFACE -fopenmp)
# For the loops of train/kernels: multiply-add as one instruction, comparisons as masks. No reordering of sums.
target_compile_options(torch INTERFACE -ffp-contract=fast -fno-math-errno -fno-trapping-math)
file(GLOB torch_openmp ${torch_dir}/lib/libgomp*.so* ${torch_dir}/../torch.libs/libgomp*.so*)
if(torch_openmp)
  list(GET torch_openmp 0 torch_openmp)
  target_link_libraries(torch INTERFACE ${torch_openmp})
else()
  target_link_options(torch INTERFACE -fopenmp)
endif()
if(EXISTS ${torch_dir}/lib/libtorch_cuda.so)
  # Nothing names a symbol of it: it registers its kernels when it is loaded.
  target_link_options(torch INTERFACE -Wl,--no-as-needed)
  target_link_libraries(torch INTERFACE ${torch_dir}/lib/libtorch_cuda.so ${torch_dir}/lib/libc10_cuda.so)
endif()
