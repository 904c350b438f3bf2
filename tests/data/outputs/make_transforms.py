"""What Hugging Face's ViLT processor and torchvision make of pictures: transforms.json beside this file.

usage: python make_transforms.py            (torch, torchvision, transformers and Pillow installed)

A picture is a function of its size, see picture(). "vilt" is transformers' ViltImageProcessor on Pillow; "meter" is CLIP's
transform as METER has it: Resize (bicubic), CenterCrop, ToTensor, Normalize. Of each result: shape, means over a 3 x 4 grid of
each channel, and the pixels of a diagonal. Pillow 13 resizes tall pictures vertically first, which moves bytes by one or more; earlier
ones and hone never do, and no picture here is that tall.
"""
import json, os
import numpy as np
from PIL import Image

SIZES = [(640, 480), (480, 640), (333, 500), (61, 43), (43, 61), (1000, 300), (120, 201), (384, 384), (640, 427), (7, 5), (1333, 800)]


def picture(width, height):
    x, y = np.meshgrid(np.arange(width, dtype=np.int64), np.arange(height, dtype=np.int64))
    planes = [(37 * x // 8 + 11 * y // 4 + x * y // 97 + 60 * ((x // 9 + y // 13) % 2) * (c + 1) + 53 * c) % 256 for c in range(3)]
    return Image.fromarray(np.stack(planes, 2).astype(np.uint8), "RGB")


def facts(kind, size, at, out):
    """`out`: channels x height x width."""
    c, h, w = out.shape
    out = out.astype(np.float64)
    means = [float(f"{out[k, i * h // 3:(i + 1) * h // 3, j * w // 4:(j + 1) * w // 4].mean():.8g}") for k in range(c) for i in range(3) for j in range(4)]
    pixels = [float(f"{out[k, i * (h - 1) // 7, i * (w - 1) // 7]:.8g}") for k in range(c) for i in range(8)]
    return {"kind": kind, "size": at, "picture": list(size), "shape": [c, h, w], "means": means, "pixels": pixels}


def main():
    from torchvision import transforms
    from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil
    rows = []
    for size in SIZES:
        image = picture(*size)
        for at in (384, 64):
            vilt = ViltImageProcessorPil(size={"shortest_edge": at}, size_divisor=32)
            rows.append(facts("vilt", size, at, np.asarray(vilt(image, do_pad=False, return_tensors=None)["pixel_values"][0])))
            meter = transforms.Compose([transforms.Resize(at, interpolation=Image.BICUBIC), transforms.CenterCrop(at), transforms.ToTensor(),
                                        transforms.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))])
            rows.append(facts("meter", size, at, meter(image).numpy()))
    batch = ViltImageProcessorPil()([picture(640, 480), picture(333, 500)], return_tensors="np")
    for i, size in enumerate([(640, 480), (333, 500)]):
        row = facts("vilt padded", size, 384, np.asarray(batch["pixel_values"][i]))
        row["valid"] = [int(batch["pixel_mask"][i].any(1).sum()), int(batch["pixel_mask"][i].any(0).sum())]
        rows.append(row)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "transforms.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


if __name__ == "__main__":
    try:
        import shim  # noqa: F401  a development set-up may need to patch torchvision before it is imported
    except ImportError:
        pass
    main()
