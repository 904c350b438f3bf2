// A compiled network in OpenVINO.
#pragma once

#include <openvino/runtime/compiled_model.hpp>
#include <openvino/runtime/infer_request.hpp>

#include <map>
#include <string>

#include "engine/engine.h"

namespace hone {

// Nodes of the graph by the names that OpenVINO may call them: their own, and those of their outputs.
using NodeNames = std::map<std::string, std::string>;

// Makes the request and its input tensors. May throw what OpenVINO throws. `rss_before`: resident bytes before compiling.
std::unique_ptr<EngineSession> make_session(ov::CompiledModel model, NodeNames names, bool counters, int64_t rss_before);

// Resident memory of this process, in bytes; 0 where the system does not say.
int64_t resident_bytes();

DType dtype_of(const ov::element::Type& type);  // undefined where hone has no such type

// What OpenVINO has thrown, as an error; to be called in a catch block.
Error caught(const std::string& where);

}  // namespace hone
