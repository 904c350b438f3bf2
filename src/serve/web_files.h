// The page's files, in the program: cmake/embed.cmake turns web/ into a table at build time.
#pragma once

#include <span>
#include <string_view>

namespace hone {

struct WebFile {
  std::string_view path;      // as it is asked for: "/app.js"; the page itself is "/"
  std::string_view type;      // of its contents
  std::string_view contents;
  std::string_view etag;      // quoted; of the contents
};
std::span<const WebFile> web_files();

}  // namespace hone
