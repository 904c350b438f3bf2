#include "core/shape.h"

#include <gtest/gtest.h>

namespace hone {

TEST(Shape, ElementCountIsExactOrNothing) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({1, 3, 224, 224}), 150528);
  EXPECT_EQ(element_count({INT64_MAX, 2}), std::nullopt);
  EXPECT_EQ(element_count({INT64_MAX, 2, 0}), 0);
  EXPECT_EQ(element_count({kUnknown, 0}), std::nullopt);
}

TEST(Shape, ParsesBothSeparators) {
  EXPECT_EQ(parse_shape("1x3x224x224"), (Shape{1, 3, 224, 224}));
  EXPECT_EQ(parse_shape("1,3"), (Shape{1, 3}));
  for (const char* bad : {"", "x", "1x", "-1", "1x-2", "99999999999999999999", "1 x 2", "a"})
    EXPECT_EQ(parse_shape(bad), std::nullopt) << bad;
}

TEST(Shape, Broadcasts) {
  EXPECT_EQ(broadcast({2, 1, 4}, {3, 1}), (Shape{2, 3, 4}));
  EXPECT_EQ(broadcast({kUnknown}, {5}), (Shape{5}));
  EXPECT_EQ(broadcast({2}, {3}), std::nullopt);
}

}  // namespace hone
