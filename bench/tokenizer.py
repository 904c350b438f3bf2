#!/usr/bin/env python3
"""Tokenizers on one thread: hone beside Hugging Face's, same text, same vocabularies, in turn.

    bench/tokenizer.py FOLDER [--hone build/release/tokenizer]     with a Python that has tokenizers

FOLDER/lines.txt is the text, FOLDER/bert and FOLDER/roberta the vocabularies; what is missing is made first.
"""
import argparse
import os
import pathlib
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import AddedToken, Tokenizer  # noqa: E402
from tokenizers.models import BPE, WordPiece  # noqa: E402
from tokenizers.normalizers import BertNormalizer  # noqa: E402
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--hone", default="build/release/tokenizer")
args = parser.parse_args()

print(subprocess.run([args.hone, str(args.folder)], check=True, capture_output=True, text=True).stdout, end="")
bert = Tokenizer(WordPiece.from_file(str(args.folder / "bert/vocab.txt"), unk_token="[UNK]"))
bert.normalizer, bert.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
bert.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
roberta = Tokenizer(BPE.from_file(str(args.folder / "roberta/vocab.json"), str(args.folder / "roberta/merges.txt")))
roberta.pre_tokenizer = ByteLevel(add_prefix_space=False)
roberta.add_special_tokens([AddedToken(t, lstrip=t == "<mask>", special=True) for t in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")])

data = (args.folder / "lines.txt").read_bytes()
lines = data.decode(errors="replace").split("\n")[:-1]
for name, tokenizer in (("bert", bert), ("roberta", roberta)):
    best, tokens = 1e9, 0
    for _ in range(2):
        start = time.perf_counter()
        tokens = 0
        for at in range(0, len(lines), 1000):
            tokens += sum(len(e) for e in tokenizer.encode_batch(lines[at : at + 1000], add_special_tokens=False))
        best = min(best, time.perf_counter() - start)
    print(f"{name}, Hugging Face\t{len(data) / best / 1e6:.1f} MB/s\t{tokens} tokens")
