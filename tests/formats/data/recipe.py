"""Writes the checkpoints of this folder (run here, with torch)."""
import collections, os, torch

torch.manual_seed(0)
state = collections.OrderedDict()
state["conv.weight"] = torch.arange(24, dtype=torch.float32).reshape(2, 3, 2, 2)
state["conv.bias"] = torch.tensor([0.5, -0.5])
state["bn.num_batches_tracked"] = torch.tensor(7)
state["half"] = torch.tensor([1.0, 2.0], dtype=torch.float16)
state["transposed"] = torch.arange(6, dtype=torch.float32).reshape(2, 3).t()
state["slice"] = torch.arange(10, dtype=torch.float32)[4:7]
torch.save(state, "state_dict.pth")
torch.save({"model": state, "epoch": 3, "lr": 0.1}, "wrapped.pth")
torch.save(torch.nn.Linear(3, 2).state_dict(), "module.pth")


class Call:
    def __reduce__(self):
        return (os.system, ("touch hone_was_here",))


torch.save({"a": torch.zeros(1), "b": Call()}, "hostile_call.pth")
