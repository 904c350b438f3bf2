#!/usr/bin/env python3
"""Makes the vocabularies in this folder and golden.json, which tests/formats/tokenizer_test.cpp recomputes.

    HONE_WRITE_LINES=/tmp/lines build/release/test_formats --gtest_filter=TokenizerGolden.Lines
    python make_golden.py /tmp/lines            with tokenizers 0.23.3 and transformers 5.23.0; --train makes the vocabularies anew

The file of lines is written by the test: for each line its length (u32, little-endian) and its bytes.
"""
import hashlib
import json
import pathlib
import struct
import sys

from tokenizers import AddedToken, Tokenizer, normalizers
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel
from tokenizers.processors import BertProcessing, RobertaProcessing
from tokenizers.trainers import BpeTrainer, WordPieceTrainer

here = pathlib.Path(__file__).parent
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
# Every code point once, each inside a word.
POINTS = ["a" + chr(c) + "a1" for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def read_lines(path):
    data, at, lines = pathlib.Path(path).read_bytes(), 0, []
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        lines.append(data[at + 4 : at + 4 + n].decode())
        at += 4 + n
    return lines


def train(lines):
    bert = Tokenizer(WordPiece(unk_token="[UNK]"))
    bert.normalizer, bert.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    bert.train_from_iterator(lines, WordPieceTrainer(vocab_size=3000, special_tokens=BERT, limit_alphabet=800, show_progress=False))
    vocab = bert.get_vocab()
    (here / "vocab.txt").write_text("".join(t + "\n" for t in sorted(vocab, key=vocab.get)))
    roberta = Tokenizer(BPE())
    roberta.pre_tokenizer = ByteLevel(add_prefix_space=False)
    roberta.train_from_iterator(lines, BpeTrainer(vocab_size=3000, special_tokens=ROBERTA, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False))
    roberta.model.save(str(here))


def bert(**normaliser):
    t = Tokenizer(WordPiece.from_file(str(here / "vocab.txt"), unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer, t.decoder = BertNormalizer(**normaliser), BertPreTokenizer(), WordPieceDecoder(cleanup=False)
    t.add_special_tokens(BERT)
    t.post_processor = BertProcessing(("[SEP]", t.token_to_id("[SEP]")), ("[CLS]", t.token_to_id("[CLS]")))
    return t


def roberta():
    t = Tokenizer(BPE.from_file(str(here / "vocab.json"), str(here / "merges.txt")))
    t.pre_tokenizer, t.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    t.add_special_tokens([AddedToken(x, lstrip=x == "<mask>", special=True) for x in ROBERTA])
    t.post_processor = RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")), add_prefix_space=False)
    return t


def sums(rows, pack, every=1000):
    """One checksum for each thousand rows."""
    out = []
    for at in range(0, len(rows), every):
        h = hashlib.sha256()
        for row in rows[at : at + every]:
            h.update(pack(row))
        out.append(h.hexdigest())
    return out


def ids(tokenizer, texts):
    rows = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return rows


def pack_ids(row):
    return struct.pack(f"<{len(row) + 1}I", len(row), *row)


def pack_words(row):
    return b"".join(w.encode() + b"\0" for w in row) + b"\n"


def words(normaliser, texts):
    split = BertPreTokenizer()
    return [[w for w, _ in split.pre_tokenize_str(normaliser.normalize_str(t))] for t in texts]


def stretches(texts):
    split = ByteLevel(add_prefix_space=False)
    return [[t[a:b] for _, (a, b) in split.pre_tokenize_str(t)] for t in texts]


lines = read_lines(sys.argv[1])
if "--train" in sys.argv:
    train(lines)
uncased, cased, bpe = bert(), bert(lowercase=False, strip_accents=False), roberta()
cased.save(str(here / "wordpiece_cased.json"), pretty=False)
bpe.save(str(here / "bpe.json"), pretty=False)

try:  # what users call gives the same ids
    from transformers import BertTokenizer, RobertaTokenizer

    theirs = BertTokenizer(str(here / "vocab.txt"))
    mine = ids(uncased, lines)
    assert [theirs.encode(t, add_special_tokens=False) for t in lines] == mine
    # As roberta-base's own tokenizer.json has it: the mask takes the space before it.
    theirs = RobertaTokenizer(str(here / "vocab.json"), str(here / "merges.txt"), mask_token=AddedToken("<mask>", lstrip=True, special=True))
    assert [theirs.encode(t, add_special_tokens=False) for t in lines] == ids(bpe, lines)
    print("transformers agrees")
except ImportError:
    print("transformers is not installed: not compared")

golden = {
    "lines": sums([t.encode() for t in lines], lambda b: struct.pack("<I", len(b)) + b),
    "wordpiece_uncased": sums(ids(uncased, lines), pack_ids),
    "wordpiece_cased": sums(ids(cased, lines), pack_ids),
    "bpe": sums(ids(bpe, lines), pack_ids),
    "words_uncased": sums(words(BertNormalizer(), lines), pack_words),
    "words_accents_only": sums(words(BertNormalizer(lowercase=False, strip_accents=True), lines), pack_words),
    "words_as_they_are": sums(words(BertNormalizer(clean_text=False, handle_chinese_chars=False, lowercase=True, strip_accents=False), lines), pack_words),
    "words_of_points": sums(words(BertNormalizer(), POINTS), pack_words, 200000),
    "stretches": sums(stretches(lines), pack_words),
    "stretches_of_points": sums(stretches(POINTS), pack_words, 200000),
    "decoded_wordpiece": sums([uncased.decode(r).encode() for r in ids(uncased, lines[:2000])], lambda b: b + b"\n"),
    "decoded_bpe": sums([bpe.decode(r).encode() for r in ids(bpe, lines[:2000])], lambda b: b + b"\n"),
}
(here / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
print({k: len(v) for k, v in golden.items()})
print(sum(len(r) for r in ids(uncased, lines)), "WordPiece tokens,", sum(r.count(uncased.token_to_id("[UNK]")) for r in ids(uncased, lines)), "unknown;", sum(len(r) for r in ids(bpe, lines)), "BPE tokens")
