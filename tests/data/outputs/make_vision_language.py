"""Outputs of ViLT and METER with weights that both sides can make: vision_language.json beside this file.

usage: python make_vision_language.py            (torch and transformers installed)

ViLT is Hugging Face's. METER is put together from Hugging Face's CLIP and RoBERTa encoders and the co-attention layers and heads
as published (Dou et al. 2022, and zdou0830/METER): post-norm self-attention, cross-attention on the other stream's input of
the same depth, feed-forward. Weights are those of make.py under hone's names (gain 3), tokens and pictures come from the same
hash. Two examples a network; the second one's text ends in padding, where masked-word outputs
are set to zero.
"""
import json, math, os
import torch
import torch.nn.functional as F

from make import contents, uniform

GAIN, WIDTH, HEADS, TEXT, VOCABULARY, PADDED = 3, 128, 4, 24, 1024, 9


def named(name, *shape):
    return contents(name, shape, GAIN)


def texts(pad):
    ids = torch.tensor([3 + int(u * (VOCABULARY - 3)) for u in uniform("input_ids", 2 * TEXT)]).reshape(2, TEXT)
    mask = torch.ones(2, TEXT, dtype=torch.long)
    ids[1, TEXT - PADDED:], mask[1, TEXT - PADDED:] = pad, 0
    return ids, mask


def picture(name, height, width):
    return torch.tensor(4 * uniform(name, 2 * 3 * height * width) - 2, dtype=torch.float32).reshape(2, 3, height, width)


def vilt(head, height=64, width=64):
    from transformers import ViltConfig, ViltForImageAndTextRetrieval, ViltForImagesAndTextClassification, ViltForMaskedLM, ViltForQuestionAnswering, ViltModel
    pair = head == "nlvr2"
    classes = {"vqa": 13, "nlvr2": 2}.get(head, 2)
    config = ViltConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=6, num_attention_heads=HEADS, intermediate_size=4 * WIDTH, image_size=64, patch_size=8,
                        max_position_embeddings=TEXT, layer_norm_eps=1e-12, num_labels=classes, modality_type_vocab_size=3 if pair else 2, num_images=2 if pair else -1, max_image_length=-1,
                        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, tie_word_embeddings=False)
    cls = {"": ViltModel, "vqa": ViltForQuestionAnswering, "nlvr2": ViltForImagesAndTextClassification, "retrieval": ViltForImageAndTextRetrieval, "mlm": ViltForMaskedLM}[head]
    net = cls(config).eval()
    if head == "mlm":  # transformers ties the decoder to the word embeddings even so
        net.mlm_score.decoder.weight = torch.nn.Parameter(net.mlm_score.decoder.weight.detach().clone())
    net.load_state_dict({k: contents(k.replace("decoder.bias", "bias"), tuple(v.shape), GAIN) if v.is_floating_point() else v for k, v in net.state_dict().items()})
    ids, mask = texts(0)
    if pair:
        pixels = torch.stack([picture("pixel_values_0", height, width), picture("pixel_values_1", height, width)], 1)
        return net(input_ids=ids, attention_mask=mask, pixel_values=pixels).logits
    out = net(input_ids=ids, attention_mask=mask, pixel_values=picture("pixel_values", height, width))
    return out.pooler_output if head == "" else out.logits


def linear(x, name, out):
    return F.linear(x, named(name + ".weight", out, x.shape[-1]), named(name + ".bias", out))


def norm(x, name, eps):
    return F.layer_norm(x, (x.shape[-1],), named(name + ".weight", x.shape[-1]), named(name + ".bias", x.shape[-1]), eps)


def attend(x, context, name, mask):
    def heads(t):
        return t.reshape(t.shape[0], t.shape[1], HEADS, -1).transpose(1, 2)
    q, k, v = heads(linear(x, name + ".self.query", WIDTH)), heads(linear(context, name + ".self.key", WIDTH)), heads(linear(context, name + ".self.value", WIDTH))
    scores = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS) + mask
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
    return norm(linear(y, name + ".output.dense", WIDTH) + x, name + ".output.LayerNorm", 1e-12)


def cross_layer(x, context, mask, context_mask, name):
    x = attend(x, x, name + ".attention", mask)
    x = attend(x, context, name + ".crossattention", context_mask)
    y = linear(F.gelu(linear(x, name + ".intermediate.dense", 4 * WIDTH)), name + ".output.dense", WIDTH)
    return norm(y + x, name + ".output.LayerNorm", 1e-12)


def clip(pixels):
    from transformers import CLIPVisionConfig, CLIPVisionModel
    net = CLIPVisionModel(CLIPVisionConfig(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=3, num_attention_heads=HEADS, image_size=64, patch_size=8, hidden_act="quick_gelu",
                                           layer_norm_eps=1e-5)).eval()
    root = "vit_model.visual."
    state = {"embeddings.class_embedding": named(root + "class_embedding", WIDTH), "embeddings.patch_embedding.weight": named(root + "conv1.weight", WIDTH, 3, 8, 8),
             "embeddings.position_embedding.weight": named(root + "positional_embedding", 65, WIDTH)}
    for leaf in "weight", "bias":
        state[f"pre_layrnorm.{leaf}"] = named(f"{root}ln_pre.{leaf}", WIDTH)
        state[f"post_layernorm.{leaf}"] = named(f"{root}ln_post.{leaf}", WIDTH)
        for i in range(3):
            ours, theirs = f"{root}transformer.resblocks.{i}.", f"encoder.layers.{i}."
            packed = named(f"{ours}attn.in_proj_{leaf}", *((3 * WIDTH, WIDTH) if leaf == "weight" else (3 * WIDTH,)))
            for part, which in zip(packed.chunk(3), "qkv"):
                state[f"{theirs}self_attn.{which}_proj.{leaf}"] = part
            for to, source, out, inner in [("self_attn.out_proj", "attn.out_proj", WIDTH, WIDTH), ("mlp.fc1", "mlp.c_fc", 4 * WIDTH, WIDTH), ("mlp.fc2", "mlp.c_proj", WIDTH, 4 * WIDTH)]:
                state[f"{theirs}{to}.{leaf}"] = named(f"{ours}{source}.{leaf}", *((out, inner) if leaf == "weight" else (out,)))
            for to, source in [("layer_norm1", "ln_1"), ("layer_norm2", "ln_2")]:
                state[f"{theirs}{to}.{leaf}"] = named(f"{ours}{source}.{leaf}", WIDTH)
    prefix = "" if "post_layernorm.weight" in net.state_dict() else "vision_model."
    missing, unexpected = net.load_state_dict({prefix + k: v for k, v in state.items()}, strict=False)
    assert not unexpected and all("position_ids" in m for m in missing), (missing, unexpected)
    model = net if prefix == "" else net.vision_model
    return norm(net(pixels).last_hidden_state, root + "ln_post", 1e-5), model


def roberta(ids, mask):
    from transformers import RobertaConfig, RobertaModel
    net = RobertaModel(RobertaConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=HEADS, intermediate_size=4 * WIDTH, max_position_embeddings=514,
                                     type_vocab_size=1, layer_norm_eps=1e-5, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)).eval()
    net.load_state_dict({k: contents("text_transformer." + k, tuple(v.shape), GAIN) if v.is_floating_point() else v for k, v in net.state_dict().items()})
    return net(input_ids=ids, attention_mask=mask).last_hidden_state


def meter(head, classifier_token=False):
    pair = head == "nlvr2"
    rows = 3 if pair else 2
    ids, mask = texts(1)
    types = named("token_type_embeddings.weight", rows, WIDTH)
    hidden = linear(roberta(ids, mask), "cross_modal_text_transform", WIDTH)
    if classifier_token:
        hidden = torch.cat([named("token4classifier", 1, 1, WIDTH).expand(2, 1, WIDTH), hidden[:, 1:]], 1)
    words = hidden + types[0]
    text_mask = (1 - mask.float())[:, None, None, :] * -10000
    pooled = []
    for i in range(2 if pair else 1):
        x = words
        y = linear(clip(picture(f"pixel_values_{i}" if pair else "pixel_values", 64, 64))[0], "cross_modal_image_transform", WIDTH) + types[i + 1]
        for layer in range(4):
            x, y = (cross_layer(x, y, text_mask, 0, f"cross_modal_text_layers.{layer}"), cross_layer(y, x, 0, text_mask, f"cross_modal_image_layers.{layer}"))
        pooled.append(torch.cat([torch.tanh(linear(t[:, 0], f"cross_modal_{kind}_pooler.dense", WIDTH)) for t, kind in ((x, "text"), (y, "image"))], 1))
    z = torch.cat(pooled, 1)
    if head == "":
        return z
    if head == "retrieval":
        return linear(z, "rank_output", 1)
    if head == "mlm":
        y = norm(F.gelu(linear(x, "mlm_score.transform.dense", WIDTH)), "mlm_score.transform.LayerNorm", 1e-12)
        return F.linear(y, named("mlm_score.decoder.weight", VOCABULARY, WIDTH), named("mlm_score.bias", VOCABULARY))
    name = head + "_classifier"
    return linear(F.gelu(norm(linear(z, name + ".0", 256), name + ".1", 1e-5)), name + ".3", {"vqa": 13, "nlvr2": 2}[head])


CASES = [("vilt/tiny", {}, lambda: vilt("")), ("vilt/tiny-vqa", {}, lambda: vilt("vqa")), ("vilt/tiny-vqa", {"image_height": 40, "image_width": 88}, lambda: vilt("vqa", 40, 88)),
         ("vilt/tiny-nlvr2", {}, lambda: vilt("nlvr2")), ("vilt/tiny-retrieval", {}, lambda: vilt("retrieval")), ("vilt/tiny-mlm-itm", {}, lambda: vilt("mlm")),
         ("meter/tiny", {}, lambda: meter("")), ("meter/tiny-vqa", {}, lambda: meter("vqa")), ("meter/tiny-vqa", {"classifier_token": True}, lambda: meter("vqa", True)),
         ("meter/tiny-nlvr2", {}, lambda: meter("nlvr2")), ("meter/tiny-retrieval", {}, lambda: meter("retrieval")), ("meter/tiny-mlm-itm", {}, lambda: meter("mlm"))]


def main():
    torch.manual_seed(0)
    out = []
    for name, options, run in CASES:
        with torch.no_grad():
            y = run().double()
        if y.dim() == 3:  # words: at padding they mean nothing
            y = y * texts(0)[1][:, :, None]
        rows = y.reshape(2, -1)
        print(name, options, float(rows.std()), float((rows[0] - rows[1]).std()), flush=True)
        out.append({"network": name, "options": options, "shape": list(y.shape), "first": [[float(f"{v:.7g}") for v in r[:8]] for r in rows.tolist()],
                    "sum": [float(f"{float(r.sum()):.9g}") for r in rows], "sum_abs": [float(f"{float(r.abs().sum()):.9g}") for r in rows], "largest": float(f"{float(rows.abs().max()):.6g}")})
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "vision_language.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(row) for row in out) + "\n]\n")


if __name__ == "__main__":
    try:
        import shim  # noqa: F401  a development set-up may need to patch torchvision before it is imported
    except ImportError:
        pass
    main()
