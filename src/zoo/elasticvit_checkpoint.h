// ElasticViT's supernet as its authors store it, and a member's tensors taken out of it.
//
// Their attention keeps one table for queries, keys and values: rows [Q | K | V], Q and K as many as the widest member has channels.
// A member takes the first C rows of Q, the first C of K and the first v C of V, and cuts what it has put together into equal
// parts, one a head: the first 16 rows of a part are that head's queries, the next 16 its keys, the rest its values. So which rows
// serve as what depends on the member, and no order of the whole table suits all members. hone's own layout (zoo/space_graph.h) keeps
// queries, keys and values apart, head after head, in every member; an import makes that of one member.
#pragma once

#include "formats/checkpoint.h"
#include "ir/graph.h"

namespace hone::space {

// The tensors that `member`, a typed graph of family "elasticvit", reads, out of the authors' checkpoint (names of their modules, with or
// without "module." in front). Leading slices in every dimension, the middle of kernels and position tables. Running statistics of
// BatchNorm come along as they are: those of a supernet mix all members, so they are to be measured anew.
// Errors: a tensor that is missing or too small (by name, with both shapes), one that is not f32.
Result<NamedTensors> from_authors(const Graph& member, const NamedTensors& checkpoint);

}  // namespace hone::space
