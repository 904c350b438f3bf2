"""Writes the pairs of names in this folder; needs torch, timm, torchvision and transformers 5.

For each pair of libraries the same small or published architecture is built in both, with random weights; the state
dict of one is carried to the other by the rules below, and both must then compute the same outputs. Only then are the
names written, one line a tensor of the target: `name <tab> shape <tab> source name`, stacked sources joined by `|`.
Every block repeats the same names, so of long stages only the first two blocks are kept.
"""
import re
import tempfile

import timm, torch, torchvision
import transformers as T
from safetensors import safe_open
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer

torch.manual_seed(0)


def randomise(model):
    with torch.no_grad():
        for name, t in model.state_dict().items():
            if t.is_floating_point():
                t.copy_(torch.rand_like(t) + 0.5 if "running_var" in name else torch.randn_like(t) * (0.1 if t.dim() > 1 else 0.5))
    return model.eval()


def logits(model, x):
    y = model(x)
    y = getattr(y, "logits", y)
    if hasattr(y, "cls_logits") and y.cls_logits is not None:
        y = (y.cls_logits + y.distillation_logits) / 2
    return y


def write(path, target, source, rules, size, saved=None):
    """`rules`: (pattern over the target's names, source name or names); `saved`: names that a file has instead."""
    randomise(source), randomise(target)
    given, lines, state = source.state_dict(), [], {}
    for name, t in target.state_dict().items():
        if not t.is_floating_point():
            continue
        for pattern, to in rules:
            if re.fullmatch(pattern, name):
                names = [re.sub(pattern, n, name) if isinstance(n, str) else n(re.fullmatch(pattern, name)) for n in ([to] if not isinstance(to, list) else to)]
                break
        else:
            raise SystemExit(f"{path}: no rule for {name}")
        state[name] = torch.cat([given[n] for n in names]).reshape(t.shape)
        names = [saved(n) if saved else n for n in names]
        if not re.search(r"\.b([3-9]|\d\d)\.|^layer\d\.[2-9]", name):
            lines.append(f"{name}\t{','.join(map(str, t.shape)) or 'scalar'}\t{'|'.join(names)}\n")
    target.load_state_dict(state, strict=False)
    target.eval()
    x = torch.rand(2, 3, size, size)
    with torch.no_grad():
        a, b = logits(source, x), logits(target, x)
    worst = ((a - b).abs().max() / a.abs().max()).item()
    assert worst < 1e-4, (path, worst)
    open(path, "w").writelines(lines)
    print(path, len(lines), f"{worst:.1e}")


LEAF = r"\.(weight|bias)"
size = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4, layer_norm_eps=1e-6, num_labels=5)
tiny = dict(img_size=8, patch_size=4, embed_dim=8, depth=2, num_heads=2, mlp_ratio=2, num_classes=5)


def transformers5(wrap, head):
    layer = wrap + r"layers.\1."
    return [
        (r"cls_token", wrap + "embeddings.cls_token"), (r"dist_token", wrap + "embeddings.distillation_token"), (r"pos_embed", wrap + "embeddings.position_embeddings"),
        (r"patch_embed\.proj" + LEAF, wrap + r"embeddings.patch_embeddings.projection.\1"),
        (r"blocks\.(\d+)\.norm1" + LEAF, layer + r"layernorm_before.\2"), (r"blocks\.(\d+)\.norm2" + LEAF, layer + r"layernorm_after.\2"),
        (r"blocks\.(\d+)\.attn\.qkv" + LEAF, [layer + rf"attention.{m}_proj.\2" for m in "qkv"]),
        (r"blocks\.(\d+)\.attn\.proj" + LEAF, layer + r"attention.o_proj.\2"),
        (r"blocks\.(\d+)\.mlp\.(fc\d)" + LEAF, layer + r"mlp.\2.\3"), (r"norm" + LEAF, wrap + r"layernorm.\1"),
        (r"head" + LEAF, head + r"classifier.\1"), (r"head_dist" + LEAF, r"distillation_classifier.\1"),
    ]


def hub(name):  # what save_pretrained writes, and the hub's files hold
    for a, b in [(r"(vit|deit)\.layers", r"\1.encoder.layer"), (r"attention\.q_proj", "attention.attention.query"), (r"attention\.k_proj", "attention.attention.key"),
                 (r"attention\.v_proj", "attention.attention.value"), (r"attention\.o_proj", "attention.output.dense"), (r"mlp\.fc1", "intermediate.dense"), (r"mlp\.fc2", "output.dense")]:
        name = re.sub(a, b, name)
    return name


vit = T.ViTForImageClassification(T.ViTConfig(**size))
folder = tempfile.mkdtemp()
vit.save_pretrained(folder)
assert {hub(n) for n in vit.state_dict()} == set(safe_open(folder + "/model.safetensors", "pt").keys())
write("timm_vit__hf5.tsv", VisionTransformer(**tiny), vit, transformers5("vit.", ""), 8)
write("timm_vit__hf.tsv", VisionTransformer(**tiny), vit, transformers5("vit.", ""), 8, hub)
write("timm_deit__hf.tsv", VisionTransformerDistilled(**tiny), T.DeiTForImageClassificationWithTeacher(T.DeiTConfig(**size)), transformers5("deit.", "cls_"), 8, hub)
write("timm_vit__torchvision.tsv", VisionTransformer(**tiny), torchvision.models.VisionTransformer(8, 4, 2, 2, 8, 16, num_classes=5), [
    (r"cls_token", "class_token"), (r"pos_embed", "encoder.pos_embedding"), (r"patch_embed\.proj" + LEAF, r"conv_proj.\1"),
    (r"blocks\.(\d+)\.norm(\d)" + LEAF, r"encoder.layers.encoder_layer_\1.ln_\2.\3"), (r"blocks\.(\d+)\.attn\.qkv" + LEAF, r"encoder.layers.encoder_layer_\1.self_attention.in_proj_\2"),
    (r"blocks\.(\d+)\.attn\.proj" + LEAF, r"encoder.layers.encoder_layer_\1.self_attention.out_proj.\2"),
    (r"blocks\.(\d+)\.mlp\.fc1" + LEAF, r"encoder.layers.encoder_layer_\1.mlp.0.\2"), (r"blocks\.(\d+)\.mlp\.fc2" + LEAF, r"encoder.layers.encoder_layer_\1.mlp.3.\2"),
    (r"norm" + LEAF, r"encoder.ln.\1"), (r"head" + LEAF, r"heads.head.\1")], 8)

ANY = r"\.(\w+)"

def resnet(convolutions):
    at = "resnet.encoder.stages.{}.layers.{}."
    block = lambda tail: lambda m: at.format(int(m[1]) - 1, m[2]) + tail + "." + m[m.lastindex]
    rules = [(r"conv1" + ANY, r"resnet.embedder.embedder.convolution.\1"), (r"bn1" + ANY, r"resnet.embedder.embedder.normalization.\1"), (r"fc" + ANY, r"classifier.1.\1"),
             (r"layer(\d)\.(\d+)\.downsample\.0" + ANY, block("shortcut.convolution")), (r"layer(\d)\.(\d+)\.downsample\.1" + ANY, block("shortcut.normalization"))]
    for c in range(convolutions):
        rules += [(rf"layer(\d)\.(\d+)\.conv{c + 1}" + ANY, block(f"layer.{c}.convolution")), (rf"layer(\d)\.(\d+)\.bn{c + 1}" + ANY, block(f"layer.{c}.normalization"))]
    return rules


write("timm_resnet18__hf.tsv", timm.create_model("resnet18"), T.ResNetForImageClassification(T.ResNetConfig(layer_type="basic", hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], num_labels=1000)), resnet(2), 64)
write("timm_resnet50__hf.tsv", timm.create_model("resnet50"), T.ResNetForImageClassification(T.ResNetConfig(num_labels=1000)), resnet(3), 64)


def regnet_hf(se):
    at = "regnet.encoder.stages.{}.layers.{}."
    block = lambda tail: lambda m: at.format(int(m[1]) - 1, int(m[2]) - 1) + tail + "." + m[m.lastindex]
    rules = [(r"stem\.conv" + ANY, r"regnet.embedder.embedder.convolution.\1"), (r"stem\.bn" + ANY, r"regnet.embedder.embedder.normalization.\1"), (r"head\.fc" + ANY, r"classifier.1.\1"),
             (r"s(\d)\.b(\d+)\.se\.fc1" + ANY, block("layer.2.attention.0")), (r"s(\d)\.b(\d+)\.se\.fc2" + ANY, block("layer.2.attention.2"))]
    for unit, place in [("conv1", "layer.0"), ("conv2", "layer.1"), ("conv3", "layer.3" if se else "layer.2"), ("downsample", "shortcut")]:
        rules += [(rf"s(\d)\.b(\d+)\.{unit}\.conv" + ANY, block(place + ".convolution")), (rf"s(\d)\.b(\d+)\.{unit}\.bn" + ANY, block(place + ".normalization"))]
    return rules


def regnet_torchvision():
    block = lambda tail: lambda m: f"trunk_output.block{m[1]}.block{m[1]}-{int(m[2]) - 1}.{tail}.{m[m.lastindex]}"
    rules = [(r"stem\.conv" + ANY, r"stem.0.\1"), (r"stem\.bn" + ANY, r"stem.1.\1"), (r"head\.fc" + ANY, r"fc.\1"),
             (r"s(\d)\.b(\d+)\.se\.fc1" + ANY, block("f.se.fc1")), (r"s(\d)\.b(\d+)\.se\.fc2" + ANY, block("f.se.fc2"))]
    for unit, place in [("conv1", "f.a"), ("conv2", "f.b"), ("conv3", "f.c"), ("downsample", "proj")]:
        rules += [(rf"s(\d)\.b(\d+)\.{unit}\.conv" + ANY, block(place + ".0")), (rf"s(\d)\.b(\d+)\.{unit}\.bn" + ANY, block(place + ".1"))]
    return rules


small = dict(embedding_size=32, hidden_act="relu", num_labels=1000)
write("timm_regnetx_002__hf.tsv", timm.create_model("regnetx_002"), T.RegNetForImageClassification(T.RegNetConfig(hidden_sizes=[24, 56, 152, 368], depths=[1, 1, 4, 7], groups_width=8, layer_type="x", **small)), regnet_hf(False), 64)
write("timm_regnety_002__hf.tsv", timm.create_model("regnety_002"), T.RegNetForImageClassification(T.RegNetConfig(hidden_sizes=[24, 56, 152, 368], depths=[1, 1, 4, 7], groups_width=8, layer_type="y", **small)), regnet_hf(True), 64)
write("timm_regnety_004__torchvision.tsv", timm.create_model("regnety_004"), torchvision.models.regnet_y_400mf(), regnet_torchvision(), 64)
