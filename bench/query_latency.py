#!/usr/bin/env python3
"""PyTorch's side of bench/query_latency.cpp, on one thread: eager networks and exact search with matmul and topk.

    query_latency.py [--photos 100000] [--rounds 30] [--side 256]

MobileNetV2's trunk as torchvision has it and VGG-16's, random weights (latency does not depend on them), global max pool,
division by the length, then the ten nearest of random vectors. Drawing is left out, which favours PyTorch.
"""
import argparse
import statistics
import time

import torch
import torch.nn as nn


def conv(cin, cout, kernel, stride, groups=1):
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout), nn.ReLU6(inplace=True))


class Inverted(nn.Module):
    def __init__(self, cin, cout, stride, expand):
        super().__init__()
        hidden = cin * expand
        parts = [] if expand == 1 else [conv(cin, hidden, 1, 1)]
        parts += [conv(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, cout, 1, bias=False), nn.BatchNorm2d(cout)]
        self.body, self.add = nn.Sequential(*parts), stride == 1 and cin == cout

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


def mobilenetv2():
    layers, cin = [conv(3, 32, 3, 2)], 32
    for expand, cout, n, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(n):
            layers.append(Inverted(cin, cout, stride if i == 0 else 1, expand))
            cin = cout
    return nn.Sequential(*layers, conv(320, 1280, 1, 1)), 1280


def vgg16():
    layers, cin = [], 3
    for v in [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0]:
        if v == 0:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(cin, v, 3, padding=1), nn.ReLU(inplace=True)]
            cin = v
    return nn.Sequential(*layers), 512


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--side", type=int, default=256)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    nets = {"MobileNetV2": mobilenetv2(), "VGG-16": vgg16()}
    galleries = {name: nn.functional.normalize(torch.randn(args.photos, dim)) for name, (_, dim) in nets.items()}
    times = {name: [] for name in nets}
    picture = torch.randn(1, 3, args.side, args.side).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        for net, _ in nets.values():
            net.eval().to(memory_format=torch.channels_last)
        for r in range(args.rounds + 3):
            for name, (net, _) in nets.items():
                start = time.perf_counter()
                vector = nn.functional.normalize(net(picture).amax((2, 3)))
                torch.topk(galleries[name] @ vector[0], 10)
                if r >= 3:
                    times[name].append(1000 * (time.perf_counter() - start))
    for name, ms in times.items():
        ms.sort()
        print(f"PyTorch {torch.__version__} eager, {name} at {args.side}, exact search of {args.photos}: p50 {statistics.median(ms):.1f} ms, p95 {ms[int(0.95 * (len(ms) - 1))]:.1f} ms")


if __name__ == "__main__":
    main()
