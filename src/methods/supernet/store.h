// A supernet's weights, and its members as programs that run on slices of them.
//
// The store holds the largest member's Params, with the tensors added that only smaller members have (the projection of a
// shortcut whose widths are equal in the largest). A member's graph asks for smaller shapes under the same names: its
// tensors are views, leading in every dimension, central in kernels and position tables; heads keep the head-major order of
// the rows, so that a head's queries and keys are the same rows in every member. Depth is the first blocks of a stage.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "train/params.h"
#include "zoo/space.h"

namespace hone::methods {

// Where the tensors of one member lie in the store. Reading it is const; programs are shared.
struct MemberProgram {
  space::Member member;
  train::Program program;
  struct Slice {
    size_t entry = 0;                     // in Params::entries()
    std::vector<int64_t> sizes;
    std::vector<int64_t> strides;         // in the store
    std::vector<int64_t> own_strides;     // of a stand-alone network's tensor
    int64_t offset = 0;                   // elements behind the entry's first
    int64_t packed_at = -1;               // elements into the memory of packed tensors; -1 where a view serves
    bool whole = false, buffer = false;
  };
  std::vector<Slice> slices;              // in the order of program.state()
  int64_t packed = 0;                     // elements of packed tensors

  // The store's tensors without history, to run once: statistics as views, weights as views where those are dense, else packed
  // for this run (a kernel would pack them itself, forward and backward). So a member computes bit for bit what it would alone.
  // With `leaves`, those of trainable entries ask for gradients of their own.
  std::vector<at::Tensor> tensors(const train::Params& params, bool leaves = false) const;
};

// Adds the gradients that a backward left in `leaves` (from tensors()) to `grads`, one tensor an entry of the store, made on
// the first use with the layout of the entry. Gradients of the leaves are gone afterwards.
void add_gradients(const MemberProgram& member, const train::Params& params, const std::vector<at::Tensor>& leaves, std::vector<at::Tensor>& grads);

class Store {
 public:
  // Fresh weights from `seed`. `programs`: members whose programs are kept, the least recently used goes first.
  static Result<Store> make(space::Space space, uint64_t seed, size_t programs = 512);

  const space::Space& space() const { return space_; }
  train::Params& params() { return params_; }
  const train::Params& params() const { return params_; }

  // A member outside the space: Code::usage, with the gene and its choices.
  Result<std::shared_ptr<const MemberProgram>> program(const space::Member& member);
  // Makes the programs of members that will be asked for next, in parallel. Of more than are kept, none.
  Status prepare(const std::vector<space::Member>& members);
  // The member as a Graph without contents, typed for one image.
  Result<Graph> graph(const space::Member& member) const;

 private:
  struct Hash {
    size_t operator()(const space::Member& m) const { return static_cast<size_t>(space::hash(m)); }
  };
  struct Cached {
    std::shared_ptr<const MemberProgram> program;
    std::list<space::Member>::iterator used;
  };
  Result<std::shared_ptr<const MemberProgram>> compile(const space::Member& member) const;
  void keep(std::shared_ptr<const MemberProgram> program);

  space::Space space_;
  train::Params params_;
  std::unordered_map<space::Member, Cached, Hash> cache_;
  std::list<space::Member> order_;  // most recently used first
  size_t limit_ = 512;
};

}  // namespace hone::methods
