#include "rewrite/engine_form.h"

#include "rewrite/fold_bn.h"

namespace hone {

Result<Graph> engine_form(const Graph& graph) {
  HONE_TRY_ASSIGN(Folded folded, fold_batch_norm(graph));
  return std::move(folded.graph);
}

}  // namespace hone
