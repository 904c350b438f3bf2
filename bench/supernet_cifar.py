"""Table of bench/supernet_cifar: accuracy of members over the cost range, mean and spread over seeds, by arm.

  python3 bench/supernet_cifar.py OUT
"""
import glob
import json
import os
import re
import statistics
import sys

NAMES = {"uniform": "uniform sandwich", "random": "random levels", "walk": "walk over levels", "both": "walk, banks, width"}


def read(out):
    runs = {}
    for path in sorted(glob.glob(os.path.join(out, "*-*", "result.json"))):
        match = re.fullmatch(r"(.+)-(\d+)", os.path.basename(os.path.dirname(path)))
        if match:
            with open(path) as file:
                runs.setdefault(match[1], {})[int(match[2])] = json.load(file)["last"]
    return runs


def main(out):
    runs = read(out)
    if not runs:
        sys.exit(f"{out}: no finished runs")
    order = [a for a in NAMES if a in runs] + [a for a in runs if a not in NAMES]
    columns = []
    for seeds in runs.values():
        for last in seeds.values():
            columns += [c for c in last if c.startswith("top1_") and c not in columns]
    columns.sort(key=lambda c: float(c[5:-1]))
    print(f"top-1 in %, inherited weights after recalibration: mean (sample deviation) over seeds")
    print(f"{'arm':22}{'seeds':>6}" + "".join(f"{c[5:]:>14}" for c in columns) + f"{'mean':>14}")
    for arm in order:
        seeds = runs[arm]
        cells = []
        for column in columns + ["top1"]:
            values = [100 * last[column] for last in seeds.values() if column in last]
            spread = f" ({statistics.stdev(values):.1f})" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}" if values else "-")
        print(f"{NAMES.get(arm, arm):22}{len(seeds):>6}" + "".join(f"{c:>14}" for c in cells))
    # Differences of runs with the same seed: initial weights and order of data are the same.
    base = order[0]
    for arm in order[1:]:
        both = sorted(set(runs[base]) & set(runs[arm]))
        if both:
            values = [100 * (runs[arm][s]["top1"] - runs[base][s]["top1"]) for s in both]
            print(f"{NAMES.get(arm, arm)} against {NAMES.get(base, base)}, mean over members, seed by seed: " + ", ".join(f"{v:+.1f}" for v in values))


if __name__ == "__main__":
    main(sys.argv[1])
