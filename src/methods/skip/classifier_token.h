// METER's learnt first token (option classifier_token of its Arch; DoubtedSteam/DAS).
#pragma once

#include <cstdint>

#include "core/error.h"
#include "train/params.h"

namespace hone::methods {

// token4classifier starts as what RoBERTa's embedding layer gives for the token that begins a text (id `begin`) at the first place.
// Nothing happens where `params` has no such token.
Status start_classifier_token(train::Params& params, int64_t begin);

}  // namespace hone::methods
