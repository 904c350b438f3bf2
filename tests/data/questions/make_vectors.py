#!/usr/bin/env python3
"""Writes vqa_vectors.json: answers normalised, and accuracies, by Python's own re and str, from the published rules.

The rules (spelt as in the public VQA evaluation): a sign of PUNCT that stands beside a space anywhere in the answer, or any
when the answer has digit,digit, is deleted, else made a space; periods by the expression below, whose look-behind is
misspelt and whose fourth argument is a count of 32; lower case; number words; articles; contractions.
"""
import json
import pathlib
import random
import re

PUNCT = list(";/[]\"{}()=+\\_-><@`,?!:")
PERIOD = re.compile(r"(?!<=\d)(\.)(?!\d)")
COMMA = re.compile(r"(\d)(\,)(\d)")
NUMBERS = dict(none="0", zero="0", one="1", two="2", three="3", four="4", five="5", six="6", seven="7", eight="8", nine="9", ten="10")
CONTRACTIONS = {
    "dont": "don't", "isnt": "isn't", "whats": "what's", "couldnt've": "couldn't've", "couldn'tve": "couldn't've", "yall'd've": "y'all'd've",
    "y'alld've": "y'all'd've", "y'all'dve": "y'all'd've", "somebody'd": "somebodyd", "oclock": "o'clock", "'ows'at": "'ow's'at", "hes": "he's",
    "let's": "let's", "theyre": "they're", "wont": "won't",
}


def normalise(text):
    out = text
    for p in PUNCT:
        if (p + " " in text or " " + p in text) or re.search(COMMA, text) is not None:
            out = out.replace(p, "")
        else:
            out = out.replace(p, " ")
    out = PERIOD.sub("", out, int(re.UNICODE))
    words = [NUMBERS.get(w, w) for w in out.lower().split()]
    words = [CONTRACTIONS.get(w, w) for w in words if w not in ("a", "an", "the")]
    return " ".join(words).replace(",", "")


def accuracy(answer, given):
    given = [g.replace("\n", " ").replace("\t", " ").strip() for g in given]
    answer = answer.replace("\n", " ").replace("\t", " ").strip()
    if len(set(given)) > 1:
        given = [normalise(g) for g in given]
        answer = normalise(answer)
    scores = []
    for left_out in range(len(given)):
        others = given[:left_out] + given[left_out + 1 :]
        scores.append(min(1, sum(o == answer for o in others) / 3))
    return sum(scores) / len(scores)


rng = random.Random(1)
parts = ["yes", "No", "2", "two", "Ten", "none", "a", "the", "An", "dog", "Red", "1,000", "3.5", ".", "...", "5.", "u.s.a.", ",", ", ", " ,", "-", " - ", "/", "?", "! ", ":", "10:30", "'s", "don't",
         *CONTRACTIONS, "  ", "\t", "\n", "(", ")", "[x]", "\"", "_", "@home", "Caf\u00c9", "\u0391\u03a9", "\u00a0", "<b>", "{", "}", "\\", "`", "+", "=", ";"]
answers = ["".join(rng.choice(parts) + rng.choice(["", " ", " "]) for _ in range(rng.randint(0, 6))) for _ in range(600)] + ["." * 40, ".x" * 40, "1,2 ? a", "no,yes", "no ,yes"]
pool = ["yes", "no", "yes ", "Yes", "2", "two", "red", "red.", "a red", "the red", "dont", "don't", "10:30"]
votes = [[rng.choice(rng.sample(pool, rng.randint(1, 4))) for _ in range(10)] for _ in range(150)]
vectors = {
    "normalise": [[a, normalise(a)] for a in answers],
    "accuracy": [[g, a, accuracy(a, g)] for g in votes for a in rng.sample(pool, 3)],
}
pathlib.Path(__file__).with_name("vqa_vectors.json").write_text(json.dumps(vectors, indent=0) + "\n")
print({k: len(v) for k, v in vectors.items()})
