# The page's files become part of the program; the server itself needs cpp-httplib (-DHONE_HTTP=OFF builds without it).
file(GLOB hone_web_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/*)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/web_files.cpp
  COMMAND ${CMAKE_COMMAND} -DOUT=${CMAKE_BINARY_DIR}/web_files.cpp -DFOLDER=${CMAKE_SOURCE_DIR}/web -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${hone_web_files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
target_sources(hone_serve PRIVATE ${CMAKE_BINARY_DIR}/web_files.cpp)
if(HONE_HTTP)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(hone_http IMPORTED_TARGET cpp-httplib)
  if(NOT hone_http_FOUND)
    message(FATAL_ERROR "HONE_HTTP is on, but cpp-httplib is missing: run scripts/setup packages, or -DHONE_HTTP=OFF")
  endif()
  target_link_libraries(hone_serve PUBLIC PkgConfig::hone_http)
  target_compile_definitions(hone_serve PUBLIC HONE_HTTP=1)
endif()
