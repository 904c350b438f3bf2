// The closed forms, one a builder of the zoo: each follows its builder's blocks line by line.
// Nothing on a setting that the form does not know; Meter::ok() is false where a layer does not fit.
#pragma once

#include <optional>

#include "scale/meter.h"
#include "zoo/arch.h"

namespace hone::closed {

std::optional<Meter> anynet(const Arch& arch);      // zoo/anynet.cpp
std::optional<Meter> mobile(const Arch& arch);      // zoo/mobile.cpp
std::optional<Meter> vgg(const Arch& arch);         // zoo/vgg.cpp
std::optional<Meter> vit(const Arch& arch);         // zoo/vit.cpp
std::optional<Meter> levit(const Arch& arch);       // zoo/levit.cpp
std::optional<Meter> elasticvit(const Arch& arch);  // zoo/space_graph.cpp

}  // namespace hone::closed
