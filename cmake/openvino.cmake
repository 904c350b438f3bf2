# OpenVINO from the Python wheel, which ships headers, libraries and a CMake package; no Python runs when hone does.
#   HONE_OPENVINO_PYTHON  the interpreter whose wheel is used; .venv's by default
set(HONE_OPENVINO_PYTHON "${CMAKE_SOURCE_DIR}/.venv/bin/python" CACHE FILEPATH "Python whose openvino wheel is used")
if(NOT EXISTS "${HONE_OPENVINO_PYTHON}")
  message(FATAL_ERROR "HONE_OPENVINO is on, but ${HONE_OPENVINO_PYTHON} does not exist: run scripts/setup packages, or set HONE_OPENVINO_PYTHON, or -DHONE_OPENVINO=OFF")
endif()
execute_process(COMMAND ${HONE_OPENVINO_PYTHON} -c "import importlib.util as u, os; print(os.path.dirname(u.find_spec('openvino').origin))"
  OUTPUT_VARIABLE openvino_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE found ERROR_QUIET)
if(NOT found EQUAL 0)
  message(FATAL_ERROR "${HONE_OPENVINO_PYTHON} has no module openvino: run scripts/setup packages, or -DHONE_OPENVINO=OFF")
endif()
find_package(OpenVINO REQUIRED COMPONENTS Runtime PATHS ${openvino_dir}/cmake NO_DEFAULT_PATH)

# libhone_engine_openvino.so: the room engine/openvino, opened by engine/engine.cpp when a command needs it.
function(hone_openvino_plugin)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/openvino/*.cpp)
  add_library(hone_engine_openvino SHARED ${sources})
  target_link_libraries(hone_engine_openvino PRIVATE hone_engine openvino::runtime)
  target_include_directories(hone_engine_openvino SYSTEM PRIVATE $<TARGET_PROPERTY:openvino::runtime,INTERFACE_INCLUDE_DIRECTORIES>)
  set_target_properties(hone_engine_openvino PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} BUILD_RPATH ${openvino_dir}/libs INSTALL_RPATH ${openvino_dir}/libs)
  add_dependencies(hone hone_engine_openvino)
endfunction()
