// Module paths ("layer1.0.conv1") out of what exporters leave in node names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::onnx {

// "/layer1/layer1.0/conv1/Conv" -> "layer1.0.conv1": the older torch exporter writes the path of modules called, each
// as an attribute of the one before or, inside a container, with the container's name again. Names of other exporters
// with '/' lose their last part. "" when the name has no path ("Conv_12").
std::string module_of_node_name(std::string_view name);

// "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']" -> "layer1.0.conv1" (pkg.torch.onnx.name_scopes of the newer
// torch exporter: the modules around the node, then the node). "" when it is not such a list.
std::string module_of_name_scopes(std::string_view list);

// "layer1.0.conv1.weight" -> "layer1.0.conv1"; "" for names without a dot or made up by an exporter ("onnx::Conv_193").
std::string module_of_parameter(std::string_view name);

// The path of a node without an explicit one: by its name, else by the first input that is called like a parameter.
std::string guess_module(std::string_view node_name, const std::vector<std::string_view>& inputs);

}  // namespace hone::onnx
