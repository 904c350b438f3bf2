#!/usr/bin/env python3
"""The frozen pictures of this folder: python3 make.py, with Pillow 11 or later, torchvision only for ops.txt.

NAME.jpg and NAME.png are read by hone's decoders; NAME.rgb is what Pillow makes of them (convert("RGB")), raw 8-bit RGB.
resize_*.rgb: scene.png resized by Pillow; the cases are listed in tests/data/resize_test.cpp.
"""
import math, os
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
path = lambda name: os.path.join(HERE, name)


def scene(w, h):
    """Gradients, a disc and stripes: smooth parts, edges and detail near the limit of the grid."""
    image = Image.new("RGB", (w, h))
    for y in range(h):
        for x in range(w):
            r = 255 * x // (w - 1)
            g = 255 * y // (h - 1)
            b = int(127.5 + 127.5 * math.sin(0.9 * x + 0.05 * y * y))
            if (x - 30) ** 2 + (y - 18) ** 2 < 120:
                r, g, b = 250, 240, 30
            image.putpixel((x, y), (r, g, b))
    return image


def raw(name, image):
    with open(path(name), "wb") as f:
        f.write(image.tobytes())


picture = scene(61, 43)
picture.save(path("scene.png"), optimize=True)
picture.save(path("scene.jpg"), quality=85, subsampling=2)
picture.save(path("progressive.jpg"), quality=85, progressive=True)
picture.convert("L").save(path("grey.jpg"), quality=85)
for name in "scene", "progressive", "grey":
    raw(name + ".rgb", Image.open(path(name + ".jpg")).convert("RGB"))
half = Image.open(path("scene.jpg"))
half.draft("RGB", (30, 21))  # 31 x 22: half of either side, rounded up
raw("half.rgb", half)
raw("original.rgb", picture)  # scene.png

cases = [("down", (20, 14), Image.BILINEAR, None), ("down_cubic", (23, 11), Image.BICUBIC, None), ("up", (80, 64), Image.BILINEAR, None),
         ("up_cubic", (70, 50), Image.BICUBIC, None), ("box", (24, 24), Image.BILINEAR, (5.5, 3.25, 50.75, 40.5)), ("box_cubic", (16, 20), Image.BICUBIC, (0, 7.5, 33.125, 43))]
for name, size, how, box in cases:
    raw(f"resize_{name}.rgb", picture.resize(size, how, box))

from PIL import ImageEnhance, ImageOps

small = picture.crop((14, 6, 46, 30))
operations = [
    ImageEnhance.Brightness(small).enhance(1.4), ImageEnhance.Brightness(small).enhance(0.3),
    ImageEnhance.Contrast(small).enhance(0.6), ImageEnhance.Contrast(small).enhance(1.8),
    ImageEnhance.Color(small).enhance(1.7), ImageEnhance.Color(small).enhance(0.2),
    ImageEnhance.Sharpness(small).enhance(1.9), ImageEnhance.Sharpness(small).enhance(0.1),
    ImageOps.posterize(small, 3), ImageOps.solarize(small, 100), ImageOps.invert(small),
    ImageOps.autocontrast(small), ImageOps.equalize(small), ImageOps.mirror(small),
    small.transform(small.size, Image.AFFINE, (1, 0.25, 0, 0, 1, 0)), small.transform(small.size, Image.AFFINE, (1, 0, -5, 0, 1, 3)),
    small.rotate(17),
]
with open(path("operations.rgb"), "wb") as f:
    for image in operations:
        f.write(image.tobytes())
