#!/usr/bin/env python3
"""Whole-process time and memory of profiling ResNet-50 from a 100 MB ONNX file, hone beside Python counters.

    bench/profile_process.py [--file resnet50.onnx] [--rounds 10] [--python PYTHON]

Without --file the network is exported by hone itself (fresh weights). Counters that PYTHON cannot import are named and
left out; `loading alone` is the floor of every Python tool. Commands run in turn, so that a noisy machine is noisy for
all of them; medians and the ratio to hone are printed, with the largest resident set.
"""
import argparse, os, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNTERS = {
    "loading alone (onnx)": "import onnx; onnx.load(r'{file}')",
    "onnx-tool": "import onnx_tool; onnx_tool.model_profile(r'{file}')",
    "fvcore (torchvision)": "import torch, torchvision, fvcore.nn as f; print(f.FlopCountAnalysis(torchvision.models.resnet50().eval(), torch.zeros(1,3,224,224)).total())",
    "ptflops (torchvision)": "import torchvision, ptflops; print(ptflops.get_model_complexity_info(torchvision.models.resnet50(), (3,224,224), print_per_layer_stat=False))",
    "import torch alone": "import torch",
}


def run(command):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1024, status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--python", default=os.path.join(ROOT, ".venv/bin/python"))
    options = parser.parse_args()
    hone = os.path.join(ROOT, "build/release/hone")
    with tempfile.TemporaryDirectory() as folder:
        file = options.file or os.path.join(folder, "resnet50.onnx")
        if not options.file:
            subprocess.run([hone, "export", "timm/resnet50", "-o", file], check=True, stdout=subprocess.DEVNULL)
        print(f"{os.path.basename(file)}: {os.path.getsize(file) / 1e6:.0f} MB, {options.rounds} rounds in turn")
        commands = {"hone profile": [hone, "profile", file]}
        for name, code in COUNTERS.items():
            command = [options.python, "-c", code.format(file=file)]
            if run(command)[2] == 0:
                commands[name] = command
            else:
                print(f"left out: {name} (not installed for {os.path.basename(options.python)})")
        times = {name: [] for name in commands}
        memory = {name: 0.0 for name in commands}
        for name, command in commands.items():
            if run(command)[2] != 0:
                sys.exit(f"'{name}' fails: {' '.join(command)}")
        for _ in range(options.rounds):
            for name, command in commands.items():
                seconds, megabytes, _ = run(command)
                times[name].append(seconds)
                memory[name] = max(memory[name], megabytes)
        base = statistics.median(times["hone profile"])
        print(f"{'command':28} {'median ms':>10} {'min':>8} {'max':>8} {'peak MB':>8} {'x hone':>8}")
        for name, t in times.items():
            m = statistics.median(t)
            print(f"{name:28} {m * 1e3:10.1f} {min(t) * 1e3:8.1f} {max(t) * 1e3:8.1f} {memory[name]:8.0f} {m / base:8.1f}")


if __name__ == "__main__":
    main()
