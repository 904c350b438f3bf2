#!/usr/bin/env python3
"""hone's exports in ONNX Runtime: do they agree with OpenVINO, and how fast are they?

    bench/onnxruntime_compare.py HONE NET... [--against DIR] [--rounds N]

For every NET: exported as it stands and --for onnxruntime; both run in ONNX Runtime on one random input; the recorded
input and output then go to `hone check FILE --data DIR --with openvino`. Times are CPU time of one thread, candidates in
turn, the 20th percentile over the rounds. --against names a folder of NAME.*.onnx, the same networks by other exporters.
Needs the Python packages onnxruntime, onnx and numpy (development only).
"""
import argparse
import glob
import json
import os
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def inputs(s, seed=0):
    random = np.random.RandomState(seed)
    made = {}
    for i in s.get_inputs():
        real = "float" in i.type
        made[i.name] = (random.uniform(-1, 1, i.shape).astype(np.float32) if real else random.randint(0, 2, i.shape).astype(np.int64))
    return made


def record(folder, feed, outputs):
    for kind, values in (("input", feed), ("output", outputs)):
        for k, value in enumerate(values):
            with open(f"{folder}/{kind}_{k}.pb", "wb") as out:
                out.write(onnx.numpy_helper.from_array(value).SerializeToString())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("nets", nargs="+")
    parser.add_argument("--against")
    parser.add_argument("--rounds", type=int, default=60)
    a = parser.parse_args()
    failed = 0
    for net in a.nets:
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for name, flags in (("as it stands", []), ("for onnxruntime", ["--for", "onnxruntime"])):
                files[name] = f"{folder}/{len(files)}.onnx"
                subprocess.run([a.hone, "export", net, *flags, "-o", files[name]], check=True, stdout=subprocess.DEVNULL)
            if a.against:
                stem = net.split("/")[-1].split("@")[0]
                files |= {os.path.basename(f): f for f in sorted(glob.glob(f"{a.against}/{stem}.*onnx"))}
            sessions = {name: session(path) for name, path in files.items()}
            feeds = {name: inputs(s) for name, s in sessions.items()}
            ok, worst = True, 0.0
            for name in list(sessions)[:2]:
                record(folder, feeds[name].values(), sessions[name].run(None, feeds[name]))
                ran = subprocess.run([a.hone, "check", files[name], "--data", folder, "--with", "openvino", "--tolerance", "1e-3,1e-5", "--json"], capture_output=True, text=True)
                reply = json.loads(ran.stdout)
                ok = ok and reply["ok"]
                worst = max([worst] + [o["relative"] for o in reply.get("outputs", [])])
            failed += not ok
            times = {name: [] for name in sessions}
            for _ in range(a.rounds):
                for name, s in sessions.items():
                    began = time.process_time()
                    s.run(None, feeds[name])
                    times[name].append((time.process_time() - began) * 1e3)
            p20 = {name: float(np.percentile(t, 20)) for name, t in times.items()}
            best = p20["for onnxruntime"]
            print(f"{net}: {'agrees' if ok else 'DOES NOT AGREE'} with OpenVINO, largest difference {worst:.1e} of the largest output")
            for name, t in p20.items():
                print(f"  {name:36} {t:9.3f} ms  {t / best:6.3f}", flush=True)
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
