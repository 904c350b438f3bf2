"""Supernet training step of hone against the same members as plain eager PyTorch modules, in pairs in one run: three members
of one level and the level's smallest network, label-smoothed cross-entropy and alpha-divergence, adaptive gradient clipping,
AdamW and a moving average of all state; no teachers. The modules keep the largest member's weights and slice them for every
call, as the published code does.

  python3 bench/supernet_speed.py [--levels 100 500] [--batch 8] [--threads 2] [--steps 8] [--program build/release/supernet_speed]
"""
import argparse
import json
import statistics
import subprocess
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

WIDTHS = [24, 32, 48, 96, 160, 288, 320]          # of the largest member
DEPTHS = [2, 5, 6, 5, 6, 6, 6]
STRIDES = [1, 2, 2, 2, 1, 2, 2]
HEAD, CLASSES = 1984, 1000


class Conv(nn.Module):
    def __init__(self, cin, cout, k=1, stride=1, depthwise=False, bias=False):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, k, stride, k // 2, groups=cout if depthwise else 1, bias=bias)
        self.depthwise, self.stride = depthwise, stride

    def forward(self, x, cout, k=None):
        weight, bias = self.conv.weight, self.conv.bias
        k = k or weight.shape[-1]
        off = (weight.shape[-1] - k) // 2
        weight = weight[:cout, : 1 if self.depthwise else x.shape[1], off:off + k, off:off + k].contiguous()
        return F.conv2d(x, weight, None if bias is None else bias[:cout], self.stride, k // 2, 1, cout if self.depthwise else 1)


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        c = x.shape[1]
        return F.batch_norm(x, self.bn.running_mean[:c], self.bn.running_var[:c], self.bn.weight[:c], self.bn.bias[:c], True, 0.1)


class Linear(nn.Module):
    def __init__(self, cin, cout, bias=True):
        super().__init__()
        self.linear = nn.Linear(cin, cout, bias)

    def forward(self, x, cout):
        bias = self.linear.bias
        return F.linear(x, self.linear.weight[:cout, : x.shape[-1]].contiguous(), None if bias is None else bias[:cout])


class SampleNorm(nn.Module):
    """Over tokens and channels of a sample together."""
    def __init__(self, width):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        var, mean = torch.var_mean(x, dim=(1, 2), keepdim=True, unbiased=False)
        return (x - mean) / torch.sqrt(var + 1e-5) * self.weight[: x.shape[-1]] + self.bias[: x.shape[-1]]


class Mobile(nn.Module):
    def __init__(self, cin, cout, expand, k, stride, se):
        super().__init__()
        inner = cin * expand
        self.stride = stride
        self.expand = nn.ModuleList([Conv(cin, inner), Norm(inner)]) if expand > 1 else None
        self.depth, self.depth_norm = Conv(inner, inner, k, stride, depthwise=True), Norm(inner)
        self.se = nn.ModuleList([Conv(inner, inner // 4, bias=True), Conv(inner // 4, inner, bias=True)]) if se else None
        self.project, self.project_norm = Conv(inner, cout), Norm(cout)
        self.shortcut = Conv(cin, cout)

    def forward(self, x, cout, expand, k):
        y, inner = x, x.shape[1] * expand
        if self.expand is not None:
            y = F.hardswish(self.expand[1](self.expand[0](y, inner)))
        y = F.hardswish(self.depth_norm(self.depth(y, inner, k)))
        if self.se is not None:
            s = F.relu(self.se[0](y.mean((2, 3), keepdim=True), inner // 4))
            y = y * F.hardsigmoid(self.se[1](s, inner))
        y = self.project_norm(self.project(y, cout))
        if self.stride > 1:
            x = F.avg_pool2d(x, 2, 2, x.shape[2] % 2)
        return y + (x if x.shape[1] == cout else self.shortcut(x, cout))


class Attention(nn.Module):
    def __init__(self, width, side):
        super().__init__()
        self.norm, self.side = SampleNorm(width), side
        self.q, self.k, self.v = Linear(width, width, False), Linear(width, width, False), Linear(width, 4 * width, False)
        self.local, self.proj = Conv(4 * width, 4 * width, 3, depthwise=True), Linear(4 * width, width)
        self.table = nn.Parameter(torch.randn((2 * side - 1) ** 2, width // 16) * 0.02)

    def bias(self, side, heads):
        r = torch.arange(side)
        d = r[:, None] - r[None, :] + self.side - 1
        index = d[:, None, :, None] * (2 * self.side - 1) + d[None, :, None, :]
        return self.table[index.reshape(-1), :heads].view(side * side, side * side, heads).permute(2, 0, 1).contiguous()

    def forward(self, x, side, value):
        b, n, c = x.shape
        heads = c // 16
        y = self.norm(x)
        q, k = (f(y, c).view(b, n, heads, 16).transpose(1, 2) for f in (self.q, self.k))
        v = self.v(y, value * c).transpose(1, 2).reshape(b, value * c, side, side)
        v = self.local(v, value * c).view(b, heads, 16 * value, n).transpose(2, 3)
        a = (q @ k.transpose(2, 3) * 0.25 + self.bias(side, heads)).softmax(-1)
        o = (a @ v).transpose(1, 2).reshape(b, n, value * c)
        return x + self.proj(F.hardswish(o), c)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = SampleNorm(width), Linear(width, 5 * width), Linear(5 * width, width)

    def forward(self, x, ratio):
        return x + self.down(F.hardswish(self.up(self.norm(x), ratio * x.shape[-1])), x.shape[-1])


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.first_norm = Conv(3, WIDTHS[0], 3, 2), Norm(WIDTHS[0])
        self.stages = nn.ModuleList()
        before, side = WIDTHS[0], 128
        for i in range(7):
            side //= STRIDES[i]
            if i < 3:
                blocks = [Mobile(before if b == 0 else WIDTHS[i], WIDTHS[i], 1 if i == 0 else 6, 5, STRIDES[i] if b == 0 else 1, i == 2) for b in range(DEPTHS[i])]
            else:
                blocks = [Mobile(before, WIDTHS[i], 6, 3, STRIDES[i], True)]
                for _ in range(DEPTHS[i]):
                    blocks += [Attention(WIDTHS[i], side), FeedForward(WIDTHS[i])]
            self.stages.append(nn.ModuleList(blocks))
            before = WIDTHS[i]
        self.head, self.head_norm = Linear(before, 6 * before), Norm(6 * before)
        self.hidden, self.classifier = Linear(6 * before, HEAD), Linear(HEAD, CLASSES)

    def forward(self, x, member):
        res, widths, depths, expands, kernels, mlps, _, _, _, values = member
        if x.shape[2] != res:
            x = F.interpolate(x, (res, res), mode="bicubic")
        x = F.hardswish(self.first_norm(self.first(x, widths[0])))
        conv = block = 0
        for i, stage in enumerate(self.stages):
            if i < 3:
                for b in range(depths[i]):
                    x = stage[b](x, widths[i], expands[conv], kernels[conv])
                    conv += 1
                continue
            x = stage[0](x, widths[i], 6, 3)
            side = x.shape[2]
            x = x.flatten(2).transpose(1, 2)
            for b in range(depths[i]):
                x = stage[1 + 2 * b](x, side, values[block])
                x = stage[2 + 2 * b](x, mlps[block])
                block += 1
            x = x.transpose(1, 2).reshape(-1, widths[i], side, side)
        x = self.head(x.flatten(2).transpose(1, 2), 6 * widths[-1]).transpose(1, 2).unsqueeze(-1)
        x = F.hardswish(self.head_norm(x)).mean((2, 3))
        return self.classifier(F.hardswish(self.hidden(x, HEAD)), CLASSES)


def alpha_divergence(logits, target):
    log_q = logits.log_softmax(1)
    q = log_q.detach().exp()
    w = target / q
    u = (1 / w).clamp(max=5)
    left, right = (q * (u - 1) / 2).sum(1), (q * w * w.log()).sum(1)
    weights = torch.where((left > right)[:, None], q * (0.5 - u), target)
    return -(weights * log_q).sum(1).mean()


def unit_norm(t):
    return t.norm() if t.ndim < 2 else t.norm(dim=tuple(range(1, t.ndim)), keepdim=True)


def clip_adaptive(parameters, factor=0.1, eps=1e-3):
    with torch.no_grad():
        for p in parameters:
            if p.grad is None:
                continue
            limit, norm = unit_norm(p).clamp_(min=eps).mul_(factor), unit_norm(p.grad)
            p.grad.copy_(torch.where(norm < limit, p.grad, p.grad * (limit / norm.clamp(min=1e-6))))


class Eager:
    def __init__(self, batch):
        torch.manual_seed(1)
        self.net = Supernet()
        self.average = {k: v.clone() for k, v in self.net.state_dict().items()}
        self.optimiser = torch.optim.AdamW(self.net.parameters(), 1e-4, weight_decay=0.05)
        self.x = torch.randn(batch, 3, 224, 224)
        self.target = F.one_hot(torch.randint(CLASSES, (batch,)), CLASSES) * 0.9 + 0.1 / CLASSES

    def step(self, members):
        start = time.perf_counter()
        self.optimiser.zero_grad()
        soft = 0
        for i, member in enumerate(members):
            z = self.net(self.x, member)
            last = i + 1 == len(members)
            loss = alpha_divergence(z, soft / (len(members) - 1)) if last else -(self.target * z.log_softmax(1)).sum(1).mean()
            loss.backward()
            soft = soft + z.detach().softmax(1)
        clip_adaptive(self.net.parameters())
        self.optimiser.step()
        with torch.no_grad():
            for (_, average), value in zip(self.average.items(), self.net.state_dict().values()):
                average.copy_(0.99985 * average + (1 - 0.99985) * value)
        return 1e3 * (time.perf_counter() - start)


class Hone:
    def __init__(self, program, level, batch, threads, steps):
        self.process = subprocess.Popen([program, str(level), str(batch), str(threads), str(steps)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.members = [json.loads(self.process.stdout.readline()) for _ in range(steps)]

    def step(self):
        self.process.stdin.write("1\n")
        self.process.stdin.flush()
        return [float(v) for v in self.process.stdout.readline().split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=float, nargs="+", default=[100, 500])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8, help="different steps; each is run once to warm up, then timed --rounds times")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--program", default="build/release/supernet_speed")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"{'level':>6} {'hone ms':>9} {'worst':>8} {'eager ms':>9} {'worst':>8} {'ratio of pairs':>22} {'outside':>8} {'update':>7}  img/s")
    for level in args.levels:
        hone, eager = Hone(args.program, level, args.batch, args.threads, args.steps), Eager(args.batch)
        for i in range(args.steps):
            hone.step()
            eager.step(hone.members[i])
        ours, theirs = [], []
        for _ in range(args.rounds):
            for i in range(args.steps):
                ours.append(hone.step())
                theirs.append(eager.step(hone.members[i]))
        ratios = sorted(t / o[0] for o, t in zip(ours, theirs))
        median = statistics.median(o[0] for o in ours)
        # Outside the members' passes and the update that any training has: drawing, building, binding, adding gradients.
        outside = statistics.median((o[0] - o[1] - o[2]) / o[0] for o in ours)
        update = statistics.median(o[2] / o[0] for o in ours)
        print(f"{level:6g} {median:9.1f} {max(o[0] for o in ours):8.1f} {statistics.median(theirs):9.1f} {max(theirs):8.1f} "
              f"{statistics.median(ratios):8.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) {100 * outside:6.1f} % {100 * update:5.1f} %  {1e3 * args.batch / median:.1f}", flush=True)
        hone.process.kill()


if __name__ == "__main__":
    main()
