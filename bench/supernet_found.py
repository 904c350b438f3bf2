"""Tables of bench/supernet_found from what lies in OUT: accuracy of found and random members by inherited weights and trained by
themselves, the rank correlation between the two, and members found under a latency limit against those found under a MACs limit.

  python3 bench/supernet_found.py OUT
"""
import glob
import json
import math
import os
import statistics
import sys


def load(path):
    with open(path) as file:
        return json.load(file)


def mean_text(values):
    spread = f" ({statistics.stdev(values):.1f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}" if values else "-"


def ranks(values):
    """Ranks from 1; equal values share their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    out, at = [0.0] * len(values), 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for k in range(at, end + 1):
            out[order[k]] = (at + end) / 2 + 1
        at = end + 1
    return out


def spearman(a, b):
    x, y = ranks(a), ranks(b)
    mx, my = statistics.mean(x), statistics.mean(y)
    below = math.sqrt(sum((p - mx) ** 2 for p in x) * sum((q - my) ** 2 for q in y))
    return sum((p - mx) * (q - my) for p, q in zip(x, y)) / below if below else float("nan")


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def inherited_of(out, name):
    """member -> {run's index: top-1 in %}; runs in the order that they were given, which is that of found-0, found-1, ..."""
    path = os.path.join(out, name)
    if not os.path.exists(path):
        return {}, {}
    rows = load(path)["members"]
    runs = list(dict.fromkeys(r["run"] for r in rows))
    table, cost = {}, {}
    for r in rows:
        table.setdefault(stem(r["arch"]), {})[runs.index(r["run"])] = 100 * r["top1"]
        cost[stem(r["arch"])] = r["mmacs"]
    return table, cost


def own_run(member):
    """A found member counts with the weights that it was found by, a random one with every run's."""
    kind, index = member.rsplit("-", 2)[1:]
    return None if kind == "random" else int(index)


def values_of(table, member):
    own = own_run(member)
    return [v for run, v in sorted(table[member].items()) if own is None or run == own]


def found_table(out):
    inherited, cost = inherited_of(out, "inherited.json")
    if not inherited:
        return
    alone = {}
    for path in glob.glob(os.path.join(out, "alone", "*", "result.json")):
        alone[os.path.basename(os.path.dirname(path))] = 100 * load(path)["last"]["top1"]
    print("top-1 in %, test pictures: mean (sample deviation) over networks; inherited weights after recalibration, and trained alone")
    print(f"{'budget':>8}  {'members':9}{'networks':>9}{'MMACs':>8}{'inherited':>14}{'alone':>14}{'inherited less alone':>22}")
    budgets = sorted({m.split("-")[0] for m in inherited}, key=float)
    for b in budgets:
        for kind in ("found", "random"):
            names = sorted(m for m in inherited if m.startswith(f"{b}-{kind}-"))
            if not names:
                continue
            shared = [statistics.mean(values_of(inherited, m)) for m in names]
            trained = [alone[m] for m in names if m in alone]
            gaps = [statistics.mean(values_of(inherited, m)) - alone[m] for m in names if m in alone]
            print(f"{b + ' M':>8}  {kind:9}{len(names):>9}{statistics.mean(cost[m] for m in names):>8.2f}{mean_text(shared):>14}{mean_text(trained):>14}{mean_text(gaps):>22}")
    both = [m for m in inherited if m in alone]
    if len(both) > 2:
        shared = [statistics.mean(values_of(inherited, m)) for m in both]
        print(f"rank correlation of inherited and alone over {len(both)} networks: {spearman(shared, [alone[m] for m in both]):.2f}")
        for b in budgets:
            own = [m for m in both if m.startswith(b + "-")]
            if len(own) > 2:
                print(f"  among the {len(own)} of {b} M: {spearman([statistics.mean(values_of(inherited, m)) for m in own], [alone[m] for m in own]):.2f}")
    runs = sorted({r for t in inherited.values() for r in t})
    if len(runs) > 1:
        names = [m for m in inherited if all(r in inherited[m] for r in runs)]
        print(f"rank correlation between two runs' inherited accuracies over {len(names)} networks: {spearman([inherited[m][runs[0]] for m in names], [inherited[m][runs[1]] for m in names]):.2f}")


def latency_table(out):
    macs, macs_cost = inherited_of(out, "inherited.json")
    latency, latency_cost = inherited_of(out, "latency.json")
    pairs = sorted(((float(parts[0]), int(parts[1]), path) for path in glob.glob(os.path.join(out, "timed", "*.json")) for parts in [stem(path).split("-")] if len(parts) == 2))
    if not pairs or not latency:
        return
    among = {stem(p["network"]): p["predicted"] / p["measured"] for p in load(os.path.join(out, "timed", "check.json"))["points"] if p["model"] == "table"}
    print("found under a MACs limit, and under its predicted time as the limit; measured in pairs, and all of them among each other")
    print(f"{'budget':>8}{'run':>5}  {'limit on':9}{'MMACs':>8}{'predicted':>11}{'measured':>10}{'pred / meas':>13}{'among all':>11}{'top-1 %':>9}{'time to the first':>26}")
    for _, _, path in pairs:
        b, run = stem(path).split("-")
        rows = load(path)["rows"]
        predicted = [p["predicted"] for p in load(os.path.join(out, "timed", f"{b}-predicted-{run}.json"))["points"] if p["model"] == "table"][0]
        second = load(os.path.join(out, "search", f"{b}-latency-{run}.json"))["best"]["latency_ms"]
        for what, row, ms, table, cost in (("MACs", rows[0], predicted, macs, macs_cost), ("latency", rows[1], second, latency, latency_cost)):
            member = f"{b}-{'found' if what == 'MACs' else 'latency'}-{run}"
            ratio = "" if what == "MACs" else f"{row['ratio']:.3f} ({row['ratio_low']:.3f} to {row['ratio_high']:.3f})"
            print(f"{b + ' M':>8}{run:>5}  {what:9}{cost[member]:>8.2f}{ms:>11.3f}{row['median']:>10.3f}{ms / row['median']:>13.3f}{among[member]:>11.3f}{table[member][int(run)]:>9.1f}{ratio:>26}")
    off = [abs(r - 1) for r in among.values()]
    print(f"predictions among all: median error {100 * statistics.median(off):.1f} %, worst {100 * max(off):.1f} %")


if __name__ == "__main__":
    found_table(sys.argv[1])
    latency_table(sys.argv[1])
