"""Makes optimisers.txt: parameters after five steps of torch.optim (2.13) and of timm's LAMB, for optimiser_test.cpp.

A weight w[i] = sin(i) of 4x3 and a bias b[i] = cos(i) of 5 get gradients sin(0.7 i + 1.3 t) + 0.1 w[i], t = 0..4.
LAMB needs timm 1.0; its global clipping is off. usage: python make_optimisers.py > optimisers.txt
"""
import math
import torch

CASES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "sgd_nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
}


def lamb(p):
    # The file alone: timm as a whole needs torchvision's compiled operators.
    import importlib.util, sys, types
    folder = importlib.util.find_spec("timm").submodule_search_locations[0] + "/optim/"
    sys.modules["optim"] = package = types.ModuleType("optim")
    package.__path__ = [folder]
    spec = importlib.util.spec_from_file_location("optim.lamb", folder + "lamb.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    Lamb = module.Lamb
    return Lamb(p, lr=0.01, weight_decay=0.1, eps=1e-6, max_grad_norm=None)


CASES["lamb"] = lamb
for name, make in CASES.items():
    w = torch.tensor([math.sin(i) for i in range(12)]).reshape(4, 3).requires_grad_()
    b = torch.tensor([math.cos(i) for i in range(5)]).requires_grad_()
    optimiser = make([w, b])
    for t in range(5):
        for p in (w, b):
            g = torch.tensor([math.sin(0.7 * i + 1.3 * t) for i in range(p.numel())]).reshape(p.shape)
            p.grad = g + 0.1 * p.detach()
        optimiser.step()
    print(name, *(f"{v:.9g}" for v in [*w.detach().flatten().tolist(), *b.detach().tolist()]))
