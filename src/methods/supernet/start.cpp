#include "methods/supernet/start.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <filesystem>
#include <unordered_map>

#include "formats/safetensors.h"
#include "methods/supernet/open.h"
#include "retrieval/trained.h"

namespace hone::methods {

Result<std::optional<train::Start>> start_from_member(const std::string& net, int64_t side, const RunDir& run) {
  const auto named = member_name(net);
  if (!named) return std::nullopt;
  const train::Start start{run.file(kStartNetwork), run.file(kStartWeights)};
  std::error_code ec;
  if (std::filesystem::exists(start.network, ec)) return start;   // it is written last

  SupernetRequest request;
  request.run = named->run;
  request.threads = at::get_num_threads();
  HONE_TRY_ASSIGN(const auto supernet, TrainedSupernet::open(request));
  HONE_TRY_ASSIGN(const space::Member member, space::read_member(supernet->space(), named->arch));
  auto network = supernet->network(member);
  if (!network) {
    Error e = network.error();
    if (!e.hint.empty()) e.hint = "the supernet's own pictures are needed, where its recipe says, to measure the member's BatchNorm statistics";
    return fail(std::move(e));
  }
  Arch arch = *network->arch;
  if (side > 0) arch.resolution = side;
  HONE_TRY_ASSIGN(const Graph wanted, build(arch));
  std::unordered_map<std::string, TensorPtr> own;
  for (const ValueId v : network->graph.state()) own.emplace(network->graph.value(v).name, network->graph.value(v).data);
  SafeTensors file;
  file.metadata = {{"hone.run", named->run}, {"hone.space", supernet->space().name}, {"hone.member", network->graph.metadata.at("hone.member")}, {"hone.checkpoint.sha256", network->graph.metadata.at("hone.checkpoint.sha256")}};
  for (const ValueId v : wanted.state()) {
    const Value& value = wanted.value(v);
    const auto found = own.find(value.name);
    if (found != own.end() && found->second && found->second->shape == value.type.shape) {
      file.tensors.emplace_back(value.name, *found->second);
      continue;
    }
    const train::Params::Entry* entry = supernet->store().params().find(value.name);   // a position table: of another grid than the member's
    const auto slice = entry ? supernet->store().params().slice(*entry, value.type.shape) : Result<at::Tensor>(fail(Code::failed, "the supernet has no such tensor", value.name));
    if (!slice)
      return fail(Code::usage, fmt::format("pictures of {} are too large for the supernet's position tables: {}", side, slice.error().message), net, fmt::format("the space's largest resolution is {}", supernet->space().resolutions.back()));
    HONE_TRY_ASSIGN(Tensor tensor, train::from_torch(slice->detach().to(at::kCPU).contiguous()));
    file.tensors.emplace_back(value.name, std::move(tensor));
  }
  HONE_TRY(write_safetensors(file, start.weights, true));
  HONE_TRY(run.write(kStartNetwork, print_arch(arch)));
  return start;
}

}  // namespace hone::methods
