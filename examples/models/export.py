#!/usr/bin/env python3
"""Exports a model of one's own to upl-host, from Python.

    export.py --kind align --classes classes.txt -o DIR

Any pair of an image and a text encoder that meet in one space will do. The four
kinds here are small and have random weights: put your own model into one of them, and
keep what is below it.

    causal    causal_clip.py  CLIP's kind, with CLIP's tokenizer
    align     align.py        convolutions; a text encoder that looks both ways; a tokenizer of whole words
    florence  florence.py     a Swin transformer; a text encoder that looks both ways
    filip     filip.py        token-wise similarity of pictures and texts

The signatures are described in docs/model-contract.md; `upl-host model check DIR`
tells whether a model keeps them.

Needs: tensorflow (pip install tensorflow-cpu). --classes: a file of class names, one
a line, or of folder<TAB>name.
"""

import argparse

import align
import causal_clip
import filip
import florence
from contract import read_names, save, token_lines

KINDS = {"causal": causal_clip, "align": align, "florence": florence, "filip": filip}


def main():
    parser = argparse.ArgumentParser(description="Exports a small dual encoder with random weights to upl-host.")
    parser.add_argument("--kind", choices=KINDS, default="align", help="default: align")
    parser.add_argument("--classes", required=True, help="class names, one a line, or folder<TAB>name")
    parser.add_argument("-o", "--output", required=True, help="the model's folder; must not exist")
    parser.add_argument("--template", action="append", help='default: "a photo of a {}."; may be given more than once')
    parser.add_argument("--context-vectors", type=int, default=16, help="L, of the prompts; default: 16")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = read_names(arguments.classes)
    lines, words = token_lines(names, arguments.template or ["a photo of a {}."], arguments.context_vectors)
    model = KINDS[arguments.kind].make(words, max(len(line["ids"]) for line in lines), arguments.seed)
    save(model, None if model.text_tower else lines, arguments.output, f"python-{arguments.kind}")
    print(f"{arguments.output}: {arguments.kind}, {len(names)} classes")


if __name__ == "__main__":
    main()
