#include "zoo/families.h"

namespace hone {

Family efficientnet_family();
Family elasticvit_family();
Family inception_family();
Family levit_family();
Family meter_family();
Family mnasnet_family();
Family mobilenetv1_family();
Family mobilenetv2_family();
Family mobilenetv3_family();
Family regnet_family();
Family resnet_family();
Family sketch_selector_family();
Family vgg_family();
Family vilt_family();
Family vit_family();

std::span<const Family> families() {
  static const Family table[] = {
      efficientnet_family(),
      elasticvit_family(),
      inception_family(),
      levit_family(),
      meter_family(),
      mnasnet_family(),
      mobilenetv1_family(),
      mobilenetv2_family(),
      mobilenetv3_family(),
      regnet_family(),
      resnet_family(),
      sketch_selector_family(),
      vgg_family(),
      vilt_family(),
      vit_family(),
  };
  return table;
}

}  // namespace hone
