#!/usr/bin/env python3
"""Supernet training step of hone against the same members run by PyTorch eager, in pairs in one run: three members of one level
and the level's smallest network, label-smoothed cross entropy and alpha-divergence, adaptive gradient clipping, AdamW and a moving
average of all state, batch 8 @224, fp32; no teachers.

  bench/supernet_speed.py [--levels 100 500] [--batch 8] [--threads 1] [--steps 4] [--rounds 4] [--before PROGRAM]

Needs build/release/supernet_speed (ninja -C build/release supernet_speed) and a Python with torch. Eager keeps the largest member's
weights and slices them as views; convolutions run in the faster of NCHW and NHWC, tokens through F.linear; the optimiser is the fused
AdamW, the average one multi-tensor call. Both have the same weights, and their logits for the smallest, the largest and two drawn
members are compared before anything is timed, then the losses of the first steps. Both get the same room for compiled kernels in
oneDNN's cache, without which eager compiles them again all the time.

A round runs every step once with each, in turn. Of one thread the processor time is taken, to which others on the machine do not add. Printed: median milliseconds of hone's step with its worst, eager's likewise, median
and quartiles of the pairs' ratios, and the share of hone's step outside the members' passes and the update. --before also times an
older supernet_speed and prints how much faster the new one is.
"""
import argparse, json, os, statistics, struct, subprocess, sys, tempfile, time

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "65536")
import torch
import torch.nn.functional as F

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONV_STAGES = 3
HEAD_DIM = 16


def read_safetensors(path):
    with open(path, "rb") as f:
        data = bytearray(f.read())
    size = struct.unpack("<Q", data[:8])[0]
    types = {"F32": torch.float32, "I64": torch.int64}
    out = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + o for o in entry["data_offsets"])
        out[name] = torch.frombuffer(data, dtype=types[entry["dtype"]], count=(end - begin) // (4 if entry["dtype"] == "F32" else 8), offset=begin).reshape(entry["shape"]).clone()
    return out


class Supernet:
    """hone's tensors by their names. Members are functions of slices."""

    def __init__(self, tensors, channels_last):
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.params, self.buffers, self.indices, self.momentum = {}, {}, {}, 0.1
        for name, t in tensors.items():
            if "running_" in name or "num_batches" in name:
                self.buffers[name] = t
                continue
            if t.dim() == 4:
                tokens = any(part in name for part in (".q.", ".k.", ".v.", ".proj.", ".fc1.", ".fc2.", "head.expand."))
                t = t.flatten(1) if tokens else t.contiguous(memory_format=self.layout)
            self.params[name] = t.clone().requires_grad_()

    def conv(self, x, name, cout, k=1, stride=1, depthwise=False):
        w, b = self.params[name + ".weight"], self.params.get(name + ".bias")
        at = (w.shape[2] - k) // 2
        w = w[:cout, : 1 if depthwise else x.shape[1], at : at + k, at : at + k]
        return F.conv2d(x, w, None if b is None else b[:cout], stride, k // 2, 1, cout if depthwise else 1)

    def linear(self, x, name, cout):
        b = self.params.get(name + ".bias")
        return F.linear(x, self.params[name + ".weight"][:cout, : x.shape[-1]], None if b is None else b[:cout])

    def norm(self, x, name):
        c, p, b = x.shape[1], self.params, self.buffers
        return F.batch_norm(x, b[name + ".running_mean"][:c], b[name + ".running_var"][:c], p[name + ".weight"][:c], p[name + ".bias"][:c], True, self.momentum)

    def sample_norm(self, x, name):  # over tokens and channels of a sample together
        c = x.shape[2]
        return F.layer_norm(x, x.shape[1:]) * self.params[name + ".weight"][:c] + self.params[name + ".bias"][:c]

    def mobile(self, x, name, cout, expand, k, stride, se):
        y, inner = x, x.shape[1] * expand
        if expand > 1:
            y = F.hardswish(self.norm(self.conv(y, name + ".expand.conv", inner), name + ".expand.bn"))
        y = F.hardswish(self.norm(self.conv(y, name + ".depthwise.conv", inner, k, stride, True), name + ".depthwise.bn"))
        if se:
            s = F.relu(self.conv(F.adaptive_avg_pool2d(y, 1), name + ".se.reduce", inner // 4))
            y = y * F.hardsigmoid(self.conv(s, name + ".se.expand", inner))
        y = self.norm(self.conv(y, name + ".project.conv", cout), name + ".project.bn")
        if stride > 1:
            x = F.avg_pool2d(x, 2, 2, x.shape[2] % 2)
        return y + (x if x.shape[1] == cout else self.conv(x, name + ".shortcut.conv", cout))

    def bias(self, name, side, heads):
        table = self.params[name]
        if side not in self.indices:
            r = torch.arange(side)
            d = r[:, None] - r[None, :] + side - 1
            self.indices[side] = (d[:, None, :, None] * (2 * side - 1) + d[None, :, None, :]).reshape(-1)
        at, n = (table.shape[1] - (2 * side - 1)) // 2, side * side
        rows = table[:heads, at : at + 2 * side - 1, at : at + 2 * side - 1].reshape(heads, -1).t()
        return F.embedding(self.indices[side], rows).view(n, n, heads).permute(2, 0, 1)

    def attention(self, x, name, side, value):
        b, n, c = x.shape
        heads, inner = c // HEAD_DIM, c * value
        y = self.sample_norm(x, name + ".norm")
        q, k = (self.linear(y, name + part, c).view(b, n, heads, HEAD_DIM).transpose(1, 2) for part in (".q", ".k"))
        v = self.linear(y, name + ".v", inner).transpose(1, 2).reshape(b, inner, side, side)
        v = self.conv(v.contiguous(memory_format=self.layout), name + ".v_local", inner, 3, 1, True)
        v = v.view(b, heads, HEAD_DIM * value, n).transpose(2, 3)
        o = torch.softmax(q @ k.transpose(2, 3) * HEAD_DIM**-0.5 + self.bias(name + ".relative_position_bias", side, heads), -1) @ v
        return x + self.linear(F.hardswish(o.transpose(1, 2).reshape(b, n, inner)), name + ".proj", c)

    def feed_forward(self, x, name, ratio):
        c = x.shape[2]
        return x + self.linear(F.hardswish(self.linear(self.sample_norm(x, name + ".norm"), name + ".fc1", ratio * c)), name + ".fc2", c)

    def __call__(self, x, member):
        res, widths, depths, expands, kernels, mlps, _, _, _, values = member
        if x.shape[2] != res:
            x = F.interpolate(x, (res, res), mode="bicubic", align_corners=False)
        x = F.hardswish(self.norm(self.conv(x, "first_conv.conv", widths[0], 3, 2), "first_conv.bn"))
        conv = block = 0
        for i, (width, depth) in enumerate(zip(widths, depths)):
            stage = f"stages.{i}."
            if i < CONV_STAGES:
                for b in range(depth):
                    x = self.mobile(x, f"{stage}blocks.{b}", width, expands[conv], kernels[conv], 2 if i and b == 0 else 1, i == 2)
                    conv += 1
                continue
            x = self.mobile(x, stage + "downsample", width, 6, 3, 1 if i == 4 else 2, True)
            side = x.shape[2]
            x = x.flatten(2).transpose(1, 2)
            for b in range(depth):
                x = self.attention(x, f"{stage}blocks.{b}.attn", side, values[block])
                x = self.feed_forward(x, f"{stage}blocks.{b}.ffn", mlps[block])
                block += 1
            x = x.transpose(1, 2).reshape(-1, width, side, side).contiguous(memory_format=self.layout)
        x = self.linear(x.flatten(2).transpose(1, 2), "head.expand", 6 * widths[-1])
        x = F.hardswish(self.norm(x.flatten(0, 1), "head.bn")).view(x.shape).mean(1)
        x = F.hardswish(self.linear(x, "head.hidden", self.params["head.hidden.weight"].shape[0]))
        return self.linear(x, "head.classifier", self.params["head.classifier.weight"].shape[0])


def alpha_divergence(logits, target):
    log_q = logits.log_softmax(1)
    q = log_q.detach().exp()
    w = target / q.clamp(min=1e-30)
    u = (1 / w).clamp(max=5)
    left, right = (q * (u - 1) / 2).sum(1), torch.xlogy(target, w).sum(1)
    weights = torch.where((left > right)[:, None], q * (0.5 - u), target)
    return -(weights * log_q).sum(1).mean()


def unit_norm(t):
    return torch.linalg.vector_norm(t) if t.dim() < 2 else torch.linalg.vector_norm(t, dim=tuple(range(1, t.dim())), keepdim=True)


@torch.no_grad()
def clip_adaptive(parameters, factor=0.1, eps=1e-3):
    for p in parameters:
        if p.grad is None:
            continue
        limit, norm = unit_norm(p).clamp_(min=eps).mul_(factor), unit_norm(p.grad)
        p.grad.mul_(torch.where(norm > limit, limit / norm.clamp(min=1e-6), 1.0))


class Eager:
    def __init__(self, tensors, channels_last):
        tensors = dict(tensors)
        self.images, self.targets = tensors.pop("images"), tensors.pop("targets")
        self.net = Supernet({k: t for k, t in tensors.items() if not k.startswith("logits.")}, channels_last)
        self.images = self.images.contiguous(memory_format=self.net.layout)
        self.parameters = list(self.net.params.values())
        self.state = [t.detach() for t in self.parameters] + [t for t in self.net.buffers.values() if t.is_floating_point()]
        self.average = [t.clone() for t in self.state]
        self.optimiser = torch.optim.AdamW(self.parameters, 1e-4, weight_decay=0.05, fused=True)

    def logits(self, member):
        self.net.momentum = 0.0
        with torch.no_grad():
            out = self.net(self.images, member)
        self.net.momentum = 0.1
        return out

    def step(self, members):
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        start = clock()
        self.optimiser.zero_grad()
        followed, losses = 0, 0.0
        for i, member in enumerate(members):
            z = self.net(self.images, member)
            last = i + 1 == len(members)
            loss = alpha_divergence(z, followed / (len(members) - 1)) if last else -(self.targets * z.log_softmax(1)).sum(1).mean()
            loss.backward()
            followed = followed + z.detach().softmax(1)
            losses += 0 if last else loss.item()
        clip_adaptive(self.parameters)
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.state, 1 - 0.99985)
        return 1e3 * (clock() - start), losses


class Hone:
    def __init__(self, program, level, args):
        self.file = tempfile.NamedTemporaryFile(suffix=".safetensors")
        command = [program, str(level), str(args.batch), str(args.threads), str(args.steps), self.file.name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = [self.process.stdout.readline() for _ in range(1 + args.steps)]
        if not lines[-1]:
            sys.exit("does not start: " + " ".join(command))
        self.compared, *self.members = [json.loads(line) for line in lines]

    def step(self):
        print(1, file=self.process.stdin, flush=True)
        return [float(v) for v in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def check(hone, eager, tensors):
    for i, member in enumerate(hone.compared):
        want, got = tensors[f"logits.{i}"], eager.logits(member)
        error = ((got - want).abs().max() / want.abs().max()).item()
        if not error < 1e-4:
            sys.exit(f"member {member}: logits differ by {error:.2g} of the largest")
        yield error


def quartiles(values):
    q = statistics.quantiles(values, n=4, method="inclusive")
    return f"{statistics.median(values):.2f} ({q[0]:.2f}-{q[2]:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=float, nargs="+", default=[100, 500])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4, help="different steps")
    parser.add_argument("--rounds", type=int, default=4, help="how often each step is timed")
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/supernet_speed"))
    parser.add_argument("--before", help="another supernet_speed, timed in the same rounds")
    parser.add_argument("--no-eager", action="store_true", help="with --before: compare the two programs only")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
    print(f"{cpu}, {args.threads} threads, batch {args.batch}, {args.rounds} rounds of {args.steps} steps; load average {os.getloadavg()[0]:.1f}")
    print("| level | hone ms (worst) | eager ms (worst) | eager / hone (quartiles) | outside | update | hone img/s |\n| --- | --- | --- | --- | --- | --- | --- |")
    for level in args.levels:
        hone, before = Hone(args.program, level, args), args.before and Hone(args.before, level, args)
        tensors = read_safetensors(hone.file.name)
        eager = None
        first = [hone.step() for _ in range(args.steps)]
        if not args.no_eager:
            spent = {}
            for layout in (False, True):
                candidate = Eager(tensors, layout)
                worst = max(check(hone, candidate, tensors))
                for i, members in enumerate(hone.members):
                    loss = candidate.step(members)[1]
                    if not abs(loss - first[i][3]) < 2e-3 * abs(first[i][3]):
                        sys.exit(f"step {i}: losses sum to {loss:.6g}, hone's to {first[i][3]:.6g}")
                spent[layout] = sum(candidate.step(members)[0] for members in hone.members)
                print(f"level {level:g}, {'NHWC' if layout else 'NCHW'}: logits equal to {worst:.1g}; {spent[layout] / args.steps:.0f} ms a step", file=sys.stderr)
                if spent[layout] == min(spent.values()):
                    eager = candidate
                del candidate
        if before:
            for _ in range(args.steps):
                before.step()
        ours, theirs, older = [], [], []
        for round in range(args.rounds):
            for i, members in enumerate(hone.members):
                turn = [lambda: ours.append(hone.step())]
                if eager:
                    turn.append(lambda: theirs.append(eager.step(members)[0]))
                if before:
                    turn.append(lambda: older.append(before.step()))
                for run in turn[:: 1 if round % 2 else -1]:
                    run()
        median = statistics.median(o[0] for o in ours)
        # Outside the members' passes and the update that any training has: drawing, building, binding, adding gradients.
        outside = statistics.median((o[0] - o[1] - o[2]) / o[0] for o in ours)
        update = statistics.median(o[2] / o[0] for o in ours)
        row = [f"{level:g}", f"{median:.0f} ({max(o[0] for o in ours):.0f})"]
        row += [f"{statistics.median(theirs):.0f} ({max(theirs):.0f})", "**" + quartiles([t / o[0] for o, t in zip(ours, theirs)]) + "**"] if eager else ["", ""]
        row += [f"{100 * outside:.1f} %", f"{100 * update:.1f} %", f"{1e3 * args.batch / median:.1f}"]
        print("| " + " | ".join(row) + " |", flush=True)
        if before:
            part = lambda a, b: quartiles([x / y for x, y in zip(a, b)])
            print(f"  before / now: step {part([o[0] for o in older], [o[0] for o in ours])}, passes {part([o[1] for o in older], [o[1] for o in ours])}, "
                  f"update {part([o[2] for o in older], [o[2] for o in ours])}, outside {part([o[0] - o[1] - o[2] for o in older], [o[0] - o[1] - o[2] for o in ours])}", flush=True)
            before.close()
        hone.close()


if __name__ == "__main__":
    main()
