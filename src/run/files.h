// Moved to core/file.h, where every room can use it.
#pragma once

#include "core/file.h"
