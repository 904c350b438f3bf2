# libjpeg-turbo, libpng and zlib: pictures, and compressed entries of a zip archive. -DHONE_IMAGE=OFF builds without them.
find_package(PkgConfig REQUIRED)
pkg_check_modules(hone_image IMPORTED_TARGET libturbojpeg libpng zlib)
if(NOT hone_image_FOUND)
  message(FATAL_ERROR "HONE_IMAGE is on, but libturbojpeg, libpng or zlib is missing: run scripts/setup packages, or -DHONE_IMAGE=OFF")
endif()
