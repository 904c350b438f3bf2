// Changes of an 8-bit picture in place, for augmentation. Each equals Pillow's operation of that name (ImageEnhance,
// ImageOps, Image.transform with nearest neighbours); hue works in floats where Pillow's HSV rounds to 8 bits.
#pragma once

#include "core/rng.h"
#include "formats/image.h"

namespace hone {

// factor 1 leaves the picture, 0 gives black, its mean grey, its grey version, a smoothed one; above 1 exaggerates.
void brightness(Image& image, double factor);
void contrast(Image& image, double factor);
void saturation(Image& image, double factor);
void sharpness(Image& image, double factor);

void hue(Image& image, double shift);           // in turns of the colour circle
void posterize(Image& image, int bits);         // keeps the upper bits, 0 to 8
void solarize(Image& image, int threshold);     // inverts values from the threshold on
void solarize_add(Image& image, int add, int threshold);  // adds to values below the threshold
void invert(Image& image);
void autocontrast(Image& image);                // every channel stretched to 0..255
void equalize(Image& image);                    // every channel's histogram flattened
void flip(Image& image);                        // left and right

// out(x, y) = in(a x + b y + c, d x + e y + f) at pixel centres, nearest neighbour, black outside.
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};
void transform(Image& image, const Affine& map);
Affine shear_x(double amount);
Affine shear_y(double amount);
Affine translate(double x, double y);             // the content moves by -x, -y
Affine rotation(double degrees, int width, int height);  // counter-clockwise about the centre

// Order and parameters of one policy drawn at random.
enum class RandAugmentList : uint8_t {
  torchvision,  // torchvision.transforms.RandAugment: 14 operations, magnitude in 31 steps 0..30
  timm,         // timm's increasing list ("rand-mM-inc1"): 15 operations, magnitude 0..10, each applied with probability 1/2
  vilt,         // ViLT's and METER's randaug.py: 14 operations, magnitude 0..30, values low + magnitude / 30 * (high - low)
};
struct RandAugment {
  int operations = 0;  // 0: none
  double magnitude = 9;
  double magnitude_std = 0;  // timm's mstd: spread of the magnitude
  RandAugmentList list = RandAugmentList::torchvision;
};
void rand_augment(Image& image, const RandAugment& options, Rng& rng);

double normal(Rng& rng);  // mean 0, variance 1 (Box and Muller 1958)

}  // namespace hone
