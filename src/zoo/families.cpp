#include "zoo/families.h"

namespace hone {

Family efficientnet_family();
Family inception_family();
Family mnasnet_family();
Family mobilenetv1_family();
Family mobilenetv2_family();
Family mobilenetv3_family();
Family regnet_family();
Family resnet_family();
Family vgg_family();

std::span<const Family> families() {
  static const Family table[] = {
      efficientnet_family(),
      inception_family(),
      mnasnet_family(),
      mobilenetv1_family(),
      mobilenetv2_family(),
      mobilenetv3_family(),
      regnet_family(),
      resnet_family(),
      vgg_family(),
  };
  return table;
}

}  // namespace hone
