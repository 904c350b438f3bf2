#!/usr/bin/env python3
"""Writes src/formats/unicode_tables.cpp: what the tokenizers need to know of every code point.

Hugging Face's tokenizers decide about characters by several libraries of different Unicode versions (its \\p{L} is
newer than its punctuation), so no single version of the standard gives the same tokens. The tables are therefore read
off the library's own behaviour, code point by code point; only combining classes come from Python's unicodedata.

    python -m venv v && v/bin/pip install tokenizers==0.23.3 && v/bin/python scripts/unicode_tables.py
"""
import pathlib
import unicodedata

import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer, Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel

LETTER, NUMBER, SPACE, PUNCT, DROP, STRIP, STARTER, CJK = (1 << i for i in range(8))
HANGUL = range(0xAC00, 0xAC00 + 11172)  # decomposed by arithmetic

clean = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
chinese = BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
accents = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
lowercase, nfd, words, parts = Lowercase(), NFD(), BertPreTokenizer(), ByteLevel(add_prefix_space=False, use_regex=True)


def pieces(text):
    return [span for _, span in parts.pre_tokenize_str(text)]


def flags(c):
    f = 0
    # In "a?1" a letter joins the first, a number the second; in "a?!" another sign joins the second, a space neither.
    if pieces("a" + c + "1") == [(0, 2), (2, 3)]:
        f |= LETTER
    elif c != " " and pieces("a" + c + "1") == [(0, 1), (1, 3)]:
        f |= NUMBER
    elif c == " " or pieces("a" + c + "!") != [(0, 1), (1, 3)]:
        f |= SPACE
    if [t for t, _ in words.pre_tokenize_str("a" + c + "a")] == ["a", c, "a"]:
        f |= PUNCT
    if clean.normalize_str("a" + c + "a") == "aa":
        f |= DROP
    if chinese.normalize_str(c) != c:
        f |= CJK
    if accents.normalize_str("a" + c) == "a":
        f |= STRIP
        if unicodedata.combining(c) == 0:
            f |= STARTER
    return f


def rows(items, width=150):
    line = " "
    for item in items:
        if len(line) + len(item) + 2 > width:
            yield line
            line = " "
        line += " " + item + ","
    yield line


def array(kind, name, items):
    items = list(items)
    return [f"constexpr {kind} {name}[] = {{", *rows(items), "};"]


runs, single, several, lower, order, last = [], [], [], [], [], -1
for point in range(0x110000):
    if 0xD800 <= point < 0xE000:
        continue
    c = chr(point)
    f = flags(c)
    if f != last:
        runs.append(f"{point << 8 | f:#x}")
        last = f
    if point not in HANGUL:
        bare = accents.normalize_str(c)
        if bare != c and len(bare) == 1:
            single.append((point, ord(bare)))
        elif bare not in ("", c):
            assert len(bare) <= 3
            several.append("{%#x, {%s}}" % (point, ", ".join(f"{ord(x):#x}" for x in bare)))
    if not f & STRIP and nfd.normalize_str(c) == c:
        if nfd.normalize_str("\u0345" + c) != "\u0345" + c or nfd.normalize_str(c + "\u0334") != c + "\u0334":
            order.append((point, unicodedata.combining(c)))
            assert order[-1][1]
    small = lowercase.normalize_str(c)
    if small != c:
        if len(small) > 1:
            assert point == 0x130 and small == "i\u0307"  # written out in unicode.cpp
            continue
        delta = ord(small) - point
        # Runs of one step and distance: A-Z, or every second letter.
        if lower and lower[-1][3] == delta and point - lower[-1][1] == (lower[-1][2] or min(2, point - lower[-1][1])):
            lower[-1][2] = point - lower[-1][1]
            lower[-1][1] = point
        else:
            lower.append([point, point, 0, delta])

out = [
    f"// Made by scripts/unicode_tables.py from tokenizers {tokenizers.__version__}; not edited by hand.",
    '#include "formats/unicode_tables.h"',
    "",
    "namespace hone::unicode {",
    "",
    "namespace {",
    "",
    *array("uint32_t", "kRunTable", runs),
    *array("Pair", "kBareTable", ("{%#x, %#x}" % p for p in single)),
    *array("Triple", "kBareSequenceTable", several),
    *array("Range", "kLowerTable", ("{%#x, %#x, %d, %d}" % (a, b, step or 1, d) for a, b, step, d in lower)),
    *array("Pair", "kOrderTable", ("{%#x, %d}" % p for p in order)),
    "",
    "}  // namespace",
    "",
    "const std::span<const uint32_t> kRuns(kRunTable);",
    "const std::span<const Pair> kBare(kBareTable);",
    "const std::span<const Triple> kBareSequence(kBareSequenceTable);",
    "const std::span<const Range> kLower(kLowerTable);",
    "const std::span<const Pair> kOrder(kOrderTable);",
    "",
    "}  // namespace hone::unicode",
    "",
]
pathlib.Path(__file__).parent.parent.joinpath("src/formats/unicode_tables.cpp").write_text("\n".join(out))
print(f"{len(runs)} runs, {len(single)} + {len(several)} without accents, {len(lower)} lower-case ranges, {len(order)} orders, {len(out)} lines")
