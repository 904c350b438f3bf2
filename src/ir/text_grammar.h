// What the printer and the parser of the graph text share.
#pragma once

#include <optional>
#include <string_view>

#include "ir/graph.h"

namespace hone {

// Names that need no quotes: they start with a letter, '_' or '/', go on with letters, digits and _ . / : -,
// and do not end with ':'. A lone "_" means "left out" and keywords of contents are no names.
bool is_bare_name(std::string_view s);
bool is_name_start(char c);
bool is_name_part(char c);

std::string_view init_name(Init::Kind k);
std::optional<Init::Kind> parse_init(std::string_view s);

}  // namespace hone
