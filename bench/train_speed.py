#!/usr/bin/env python3
"""Training steps of hone and of PyTorch eager in Python, in turn on one machine: same network, batch, precision (fp32),
loss (cross entropy), optimiser (SGD with momentum) and number of threads.

    bench/train_speed.py [--rounds 12] [--steps 2] [--threads 2] [--python PYTHON] [NET ...]

Needs build/release/train_speed (ninja -C build/release train_speed) and a Python with torch and timm. Eager runs in both
memory layouts, and the faster one is what hone is compared with. Each of the three is a process of its own that sleeps
while another works; a round asks each for --steps steps in turn, so that a noisy machine is noisy for all. Printed: median
images a second, and the median of the rounds' ratios with its quartiles.
"""
import argparse, os, platform, statistics, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NETS = {  # name: (hone's, timm's, batch, resolution)
    "ViT-S/16": ("timm/vit_small_patch16_224", "vit_small_patch16_224", 8, 224),
    "MobileNetV2": ("timm/mobilenetv2_100", "mobilenetv2_100", 16, 224),
    "EfficientNet-B0": ("timm/efficientnet_b0", "efficientnet_b0", 16, 224),
    "ResNet-50": ("timm/resnet50", "resnet50", 8, 224),
    "ResNet-18-small": ("resnet18_cifar", "resnet18", 64, 32),
    "MobileNetV2-64": ("timm/mobilenetv2_100", "mobilenetv2_100", 64, 64),
}
EAGER = r"""
import sys, time, warnings
warnings.simplefilter("ignore")
import torch
threads, name, batch, resolution, layout = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
torch.set_num_threads(threads)
# A torchvision built for another torch lacks its operators; timm needs no more than their names.
try:
    import torchvision
except Exception:
    for key in [k for k in sys.modules if k.split(".")[0] == "torchvision"]: del sys.modules[key]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for op in "nms qnms roi_align qroi_align roi_pool ps_roi_align ps_roi_pool deform_conv2d _roi_align_backward _roi_pool_backward _ps_roi_align_backward _ps_roi_pool_backward _deform_conv2d_backward".split():
        try: library.define(op + "(Tensor x) -> Tensor")
        except RuntimeError: pass
import timm
model = timm.create_model(name, num_classes=10 if resolution == 32 else 1000)
if resolution == 32:
    model.conv1, model.maxpool = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False), torch.nn.Identity()
model.train()
x, labels = torch.randn(batch, 3, resolution, resolution), torch.randint(0, 10, (batch,))
if layout == "nhwc":
    model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
def step():
    start = time.perf_counter()
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(model(x), labels).backward()
    optimiser.step()
    return 1e3 * (time.perf_counter() - start)
print(sum(p.numel() for p in model.parameters()), torch.__version__, timm.__version__, flush=True)
for line in sys.stdin:
    print(*(step() for _ in range(int(line))), flush=True)
"""


class Runner:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = self.process.stdout.readline().split()
        if not self.hello:
            sys.exit("does not start: " + " ".join(command[:1] + [c for c in command[1:] if len(c) < 80]))

    def steps(self, n):
        print(n, file=self.process.stdin, flush=True)
        return [float(t) for t in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def quartiles(values):
    q = statistics.quantiles(values, n=4, method="inclusive")
    return q[0], statistics.median(values), q[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help=", ".join(NETS))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--python", default=os.path.join(ROOT, ".venv/bin/python"))
    parser.add_argument("--driver", default=os.path.join(ROOT, "build/release/train_speed"))
    options = parser.parse_args()
    unknown = [n for n in options.nets if n not in NETS]
    if unknown:
        parser.error(f"unknown network {unknown[0]}; known: {', '.join(NETS)}")
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor()) if os.path.exists("/proc/cpuinfo") else platform.processor()
    print(f"{cpu}, {os.cpu_count()} cores, {options.threads} threads, fp32, {options.rounds} rounds of {options.steps} steps in turn; load average {os.getloadavg()[0]:.1f}")
    print("| network | eager NCHW img/s | eager NHWC img/s | hone img/s | hone / best eager (quartiles) |\n| --- | --- | --- | --- | --- |")
    for name in options.nets or NETS:
        ours, theirs, batch, resolution = NETS[name]
        sizes = [str(batch), str(resolution)]
        eager = lambda layout: Runner([options.python, "-c", EAGER, str(options.threads), theirs, *sizes, layout])
        runners = {"nchw": eager("nchw"), "nhwc": eager("nhwc"), "hone": Runner([options.driver, ours, *sizes, str(options.threads)])}
        if len({r.hello[0] for r in runners.values()}) != 1:
            sys.exit(f"{name}: not the same number of parameters: {[r.hello[0] for r in runners.values()]}")
        for r in runners.values():
            r.steps(2)  # warm up
        rounds = [{k: statistics.mean(r.steps(options.steps)) for k, r in runners.items()} for _ in range(options.rounds)]
        for r in runners.values():
            r.close()
        speed = {k: batch * 1e3 / statistics.median(r[k] for r in rounds) for k in runners}
        best = max(("nchw", "nhwc"), key=speed.get)
        low, middle, high = quartiles([r[best] / r["hone"] for r in rounds])
        print(f"| {name}, {batch} @{resolution} | {speed['nchw']:.1f} | {speed['nhwc']:.1f} | {speed['hone']:.1f} | **{middle:.2f}** ({low:.2f}-{high:.2f}) |", flush=True)


main()
