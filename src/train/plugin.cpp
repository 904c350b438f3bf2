// What libhone_train.so offers the command line.
#include <ATen/ATen.h>
#include <torch/version.h>

extern "C" __attribute__((visibility("default"))) const char* hone_train_version() { return TORCH_VERSION; }
