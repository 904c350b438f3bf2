"""Table of bench/supernet_cifar from OUT/accuracy.json and OUT/conflict.json: accuracy of the same members over the cost range
by arm, mean and sample deviation over seeds, differences seed by seed, and the cosine between gradients.

  python3 bench/supernet_cifar.py OUT
"""
import json
import os
import statistics
import sys

NAMES = {"uniform": "uniform sandwich", "plain": "uniform members", "random": "random levels", "walk": "walk over levels", "both": "walk, banks, width"}


def load(out, name):
    with open(os.path.join(out, name)) as file:
        return json.load(file)


def accuracy(out):
    rows = load(out, "accuracy.json")["groups"]
    groups = list(dict.fromkeys(r["group"] for r in rows))
    print("top-1 in %, inherited weights after recalibration: mean over members, then mean (sample deviation) over seeds")
    print(f"{'arm':22}{'seeds':>6}" + "".join(f"{g:>14}" for g in groups))
    for arm in dict.fromkeys(r["method"] for r in rows):
        own = {r["group"]: r for r in rows if r["method"] == arm}
        cells = [f"{100 * own[g]['top1']:.1f}" + (f" ({100 * own[g]['deviation']:.1f})" if own[g]["deviation"] is not None else "") for g in groups]
        print(f"{NAMES.get(arm, arm):22}{own[groups[0]]['runs']:>6}" + "".join(f"{c:>14}" for c in cells))


def paired(out):
    """Runs with the same seed share initial weights and the order of pictures: their difference has less noise."""
    by_arm = {}
    for row in load(out, "accuracy.json")["by_run"]:
        arm, _, seed = os.path.basename(row["run"].rstrip("/")).rpartition("-")
        by_arm.setdefault(arm, {})[seed] = row["top1"]
    arms = list(by_arm)
    for arm in arms[1:]:
        seeds = sorted(set(by_arm[arm]) & set(by_arm[arms[0]]))
        if seeds:
            values = [100 * (by_arm[arm][s] - by_arm[arms[0]][s]) for s in seeds]
            spread = f", deviation {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            print(f"{NAMES.get(arm, arm)} less {NAMES.get(arms[0], arms[0])}, mean over levels: {statistics.mean(values):+.1f}{spread} ({', '.join(f'{v:+.1f}' for v in values)})")


def conflict(out):
    report = load(out, "conflict.json")
    print("cosine between gradients on shared weights, by difference of cost")
    for row in report["differences"]:
        upper = "" if row["to"] is None else f"{row['to']:.2g}"
        print(f"  {os.path.basename(row['run'].rstrip('/')):12} {row['from']:.2g}-{upper} MMACs  {row['cosine']:+.3f} +- {row['deviation']:.3f}  of {row['pairs']} pairs, {100 * row['conflicts']:.0f} % below 0")
    for row in report["levels"]:
        print(f"  {os.path.basename(row['run'].rstrip('/')):12} same level, {row['which']:20} {row['cosine']:+.3f} +- {row['deviation']:.3f}  of {row['pairs']} pairs")


if __name__ == "__main__":
    accuracy(sys.argv[1])
    paired(sys.argv[1])
    conflict(sys.argv[1])
