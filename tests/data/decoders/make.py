"""Small decoder-only language models as PyTorch's exporters write them, and what they answer: gpt2.onnx (older exporter, fixed
shapes), llama.onnx (newer exporter, any batch and length) and expected.json beside this file.

usage: python make.py            (torch, transformers and onnx installed)

expected.json holds, for each file, the token ids of two texts and the logits of the last token: of the whole network, and
of the network after PyTorch has deleted some of its blocks from the list of modules.
"""
import json, os
import onnx
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
VOCABULARY, LENGTH, SETS = 48, 10, [[], [1], [0, 2]]


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        return self.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), use_cache=False).logits


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_positions=16, n_embd=8, n_layer=3, n_head=2, attn_implementation="eager", tie_word_embeddings=False))


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=20, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1,
                                        max_position_embeddings=16, attn_implementation="eager", tie_word_embeddings=False))


def without_traces(model):
    """The exporter's notes on each node but the module that it comes from: most of such a file is where in Python a node was made."""
    for node in model.graph.node:
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        scopes = [(p.key, p.value) for p in kept]
        del node.metadata_props[:]
        for key, value in scopes:
            node.metadata_props.add(key=key, value=value)
    del model.graph.value_info[:]
    return model


def main():
    expected = []
    for file, make, dynamo in [("gpt2.onnx", gpt2, False), ("llama.onnx", llama, True)]:
        torch.manual_seed(3)
        model = make().eval()
        for p in model.parameters():  # as large as those of a trained network, so that every block counts
            with torch.no_grad():
                p.normal_(1 if p.dim() == 1 else 0, 0.1 if p.dim() == 1 else 0.4)
        ids = torch.randint(0, VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(1))
        net = Logits(model).eval()
        path = os.path.join(HERE, file)
        if dynamo:
            sizes = {0: torch.export.Dim("batch", max=8), 1: torch.export.Dim("length", max=16)}
            torch.onnx.export(net, (ids,), path, dynamo=True, external_data=False, input_names=["input_ids"], output_names=["logits"], dynamic_shapes=(sizes,))
            onnx.save(without_traces(onnx.load(path)), path)
        else:
            torch.onnx.export(net, (ids,), path, dynamo=False, opset_version=17, input_names=["input_ids"], output_names=["logits"])
        blocks = model.transformer.h if make is gpt2 else model.model.layers
        whole = list(blocks)
        row = {"file": file, "ids": ids.tolist(), "params": sum(p.numel() for p in model.parameters()), "block_params": sum(p.numel() for p in blocks[0].parameters()), "logits": []}
        for left_out in SETS:
            kept = torch.nn.ModuleList(b for i, b in enumerate(whole) if i not in left_out)
            if make is gpt2:
                model.transformer.h = kept
            else:
                model.model.layers = kept
            with torch.no_grad():
                y = net(ids)[:, -1].double()
            row["logits"].append({"set": left_out, "last": [[float(f"{v:.7g}") for v in text] for text in y.tolist()]})
        expected.append(row)
    with open(os.path.join(HERE, "expected.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(r) for r in expected) + "\n]\n")


if __name__ == "__main__":
    try:
        import shim  # noqa: F401  a development set-up may need to patch torchvision before it is imported
    except ImportError:
        pass
    main()
