// One row per family: its name in Arch::family, its builder, and its published networks as data.
// Adding a network adds a row to its family's list; adding a family adds a file and a line to families().
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "zoo/arch.h"

namespace hone {

struct Family {
  std::string_view name;                  // "resnet"
  Result<Graph> (*build)(const Arch&);
  std::vector<Arch> (*published)();       // every network of this family under its full name ("timm/resnet50")
  // Names that mean another network ("pycls/ResNeXt-50" -> "pycls/ResNeXt-50-32x4d"); may be null.
  std::vector<std::pair<std::string, std::string>> (*aliases)() = nullptr;
  // The options that the builder reads, wherever they stand, as "key:type" with blanks between them; build() refuses other
  // keys and other types. Types: flag, integer, text, integers.
  std::string_view options = "";
};

// Every family file defines one function `Family <name>_family()`; families.cpp lists it.
std::span<const Family> families();

}  // namespace hone
