"""Outputs of timm's and torchvision's networks with weights that both sides can make: networks.json beside this file.

usage: python make.py            (torch, timm 1.0.31 and torchvision 0.29.1 installed)

Element i of the tensor `name` is a function of u = uniform(name, i) in [0, 1), see uniform() below:
    running_var             0.5 + u
    running_mean            (u - 0.5) / 50
    rank 0 or 1, "*weight" or "*gamma"   0.75 + u / 2         (scales of norms)
    rank 0 or 1, others     (u - 0.5) / 50                     (biases)
    rank 2 and more         (2u - 1) sqrt(gain / fan in)      (fan in: elements per output, all but dimension 0)
    integers                as the network has them
The input (2 x 3 x RES x RES) is 4u - 2 with the name "input". All in double, then rounded to float.
`gain` is the first of GAINS that leaves a network well conditioned: outputs of ordinary size that tell two inputs apart,
and that a relative change of the input by 1e-6 moves by less than 1e-5.
"""
import json, math, os, sys
import numpy as np
import torch

NETWORKS = """
timm/resnet18@64 timm/resnet10t@64 timm/resnet26d@64 timm/resnet50s@64 timm/resnext50_32x4d@64
timm/regnetx_002@64 timm/regnety_002@64 timm/regnetz_005@64
timm/efficientnet_b0@64 timm/tf_efficientnet_b0@64 timm/efficientnet_lite0@64 timm/tf_efficientnetv2_b0@96 timm/efficientnetv2_rw_t@64
timm/mnasnet_small@64 timm/semnasnet_050@64 timm/fbnetc_100@64 timm/spnasnet_100@64
timm/mobilenetv1_100@64 timm/mobilenetv1_100h@64 timm/mobilenetv2_035@64 timm/mobilenetv2_110d@64
timm/mobilenetv3_small_050@64 timm/mobilenetv3_large_075@64 timm/mobilenetv3_rw@64 timm/tf_mobilenetv3_small_075@64 timm/tf_mobilenetv3_small_minimal_100@96
timm/inception_v3@128 timm/levit_128s@224 timm/levit_conv_128s@224 timm/levit_256d@224
timm/vit_tiny_patch16_224@64 timm/deit_tiny_distilled_patch16_224@64 timm/deit3_small_patch16_224@64 timm/vit_small_patch32_224@96
torchvision/resnet18@64 torchvision/mobilenet_v2@64 torchvision/mobilenet_v3_small@64 torchvision/efficientnet_b0@64 torchvision/efficientnet_v2_s@64
torchvision/regnet_y_400mf@64 torchvision/inception_v3@128 torchvision/vgg11_bn@32 torchvision/vit_b_32@64
""".split()


def uniform(name, n):
    """n numbers in [0, 1) with 24 bits: SplitMix64 of FNV-1a(name) + (i + 1) * 0x9e3779b97f4a7c15."""
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**24


GAINS = (6, 5, 4, 3.5, 3, 2.5, 2)


def contents(name, shape, gain):
    n = int(np.prod(shape))
    u = uniform(name, n)
    if name.endswith("running_var"):
        v = 0.5 + u
    elif name.endswith("running_mean"):
        v = (u - 0.5) / 50
    elif len(shape) < 2:
        v = 0.75 + u / 2 if name.endswith(("weight", "gamma")) else (u - 0.5) / 50
    else:
        v = (2 * u - 1) * math.sqrt(gain / (n / shape[0]))
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def network(name):
    library, rest = name.split("/")
    short, resolution = rest.split("@")
    resolution = int(resolution)
    if library == "torchvision":
        from torchvision import models
        options = {"image_size": resolution} if short.startswith("vit_") else {"init_weights": False} if short == "inception_v3" else {}
        return models.get_model(short, weights=None, **options).eval(), resolution
    import timm
    options = {"img_size": resolution} if short.startswith(("vit_", "deit")) else {}
    return timm.create_model(short, pretrained=False, **options).eval(), resolution


def main():
    out = []
    for name in NETWORKS:
        net, resolution = network(name)
        state = net.state_dict()
        x = torch.from_numpy((4 * uniform("input", 2 * 3 * resolution**2) - 2).astype(np.float32)).reshape(2, 3, resolution, resolution)
        for gain in GAINS:
            net.load_state_dict({k: contents(k, tuple(v.shape), gain) if v.is_floating_point() else v for k, v in state.items()})
            net.train().eval()  # LeViT keeps what it gathered from its bias tables until then
            with torch.no_grad():
                y, moved = ((t if isinstance(t, torch.Tensor) else t[0]).double() for t in (net(x), net(x * (1 + 1e-6 * torch.sin(torch.arange(x.numel()) * 1.0).reshape(x.shape)))))
            spread, noise = float((y[0] - y[1]).std() / y.std()), float((moved - y).abs().max() / y.abs().max())
            print(name, gain, float(y.std()), spread, noise, flush=True)
            if 1e-3 < float(y.std()) < 1e4 and spread > 1e-2 and noise < 1e-5:
                break
        else:
            sys.exit(f"{name}: no gain leaves it well conditioned")
        out.append({"network": name, "gain": gain, "shape": list(y.shape), "first": [[float(f"{v:.7g}") for v in row[:8]] for row in y.tolist()],
                    "sum": [float(f"{float(row.sum()):.9g}") for row in y], "sum_abs": [float(f"{float(row.abs().sum()):.9g}") for row in y], "largest": float(f"{float(y.abs().max()):.6g}")})
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "networks.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(row) for row in out) + "\n]\n")


if __name__ == "__main__":
    try:
        import shim  # noqa: F401  a development set-up may need to patch torchvision before it is imported
    except ImportError:
        pass
    main()
