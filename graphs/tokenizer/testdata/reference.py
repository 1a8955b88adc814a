"""Writes texts and what open_clip's SimpleTokenizer makes of them, one JSON a line.

    pip install ftfy==6.3.1 regex && pip install --no-deps open_clip_torch==3.3.0
    python reference.py 45 > reference.jsonl

The number is how many texts each kind of mishap contributes; the seed is fixed.
open_clip needs PyTorch to be imported, its tokenizer does not: it is loaded alone.
"""

import html.entities
import importlib.util
import json
import random
import sys
import types
import unicodedata

for name in ("torch", "numpy"):
    stub = types.ModuleType(name)
    stub.Tensor = stub.LongTensor = stub.ndarray = object
    sys.modules[name] = stub
path = importlib.util.find_spec("open_clip").submodule_search_locations[0]
spec = importlib.util.spec_from_file_location("tokenizer", path + "/tokenizer.py")
tokenizer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tokenizer)
CLIP = tokenizer.SimpleTokenizer()

COUNT = int(sys.argv[1])
RANDOM = random.Random(20220709)

PHRASES = [
    "a photo of a {}", "it's a dog's life", "L’été à la plage", "Ça va, garçon ?", "naïve façade",
    "“curly” ‘quotes’ — and… dashes", "größer, Straße, ÄÖÜ", "¿Dónde está el niño?", "à quel point",
    "às vezes àquela", "Привет, мир!", "Ελληνικά ΟΔΥΣΣΕΥΣ λόγος", "日本語のテキスト", "한국어 문장",
    "العربية", "עברית", "हिन्दी", "ไทย", "Tiếng Việt", "Łódź, Kraków", "çağrı İstanbul ığdır",
    "😀👩‍👩‍👧 🇰🇷", "½ ² Ⅷ ① ٣ 1,000", "© ® ™ € £ ¥", "100 °C ± 5 µm × 2", "C++ & C# <b>bold</b>",
    "<end_of_text> <START_OF_TEXT>", "they'll we're I'd can't I'm you've", "'Twas the '90s", "snake_case-kebab",
    "ﬁne ﬂuﬃest ﬆ", "ＬＯＵＤ　ＮＯＩＳＥＳ ｱｲｳ", "e\u0301te\u0301 a\u0323\u0302", "œuvre Œdipe", "Ørsted Åse",
    "\u200bzero\u200d width", "\ufeffbom", "tab\tline\nnew\r\nret\rsep\u2028", "x\x00y\x07z\x1b[31mred\x1b[0m",
    "non\xa0breaking", "¡Â! Ã la mode", "ŠŽœž", "ÁÉÍÓÚ", "ďťňš Žluťoučký kůň", "ſt 'ſ it'ſ", "\u212a 5\u212a",
]
CODECS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac_roman", "cp437"]
BLOCKS = [
    (0x00, 0x7F), (0x80, 0xFF), (0x100, 0x24F), (0x250, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF),
    (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xF900, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF),
]


def phrase():
    return " ".join(RANDOM.sample(PHRASES, RANDOM.randint(1, 2)))


def assigned(low, high):
    while True:
        char = chr(RANDOM.randint(low, high))
        if unicodedata.category(char) not in ("Cn", "Cs", "Co"):
            return char


def sloppy(text, codec):
    """Text as bytes in UTF-8, read in another encoding that gives every byte a meaning."""
    return "".join(
        bytes([b]).decode(codec, "replace").replace("\ufffd", RANDOM.choice(["\ufffd", chr(b)])) for b in text.encode()
    )


def mojibake():
    text = phrase()
    for _ in range(RANDOM.choice([1, 1, 1, 2, 3])):
        text = sloppy(text, RANDOM.choice(CODECS[:2] + CODECS))
    return text


def damaged():
    chars = list(mojibake())
    for _ in range(RANDOM.randint(1, 3)):
        chars[RANDOM.randrange(len(chars))] = RANDOM.choice([" ", "?", "\ufffd", "", "\n", "\x1a", "\xa0"])
    return "".join(chars)


def embedded():
    return phrase() + " " + mojibake() + " " + phrase()


def cesu():
    pieces = RANDOM.choice(["😀 smile", "日 😀", "𝒥ohn"])
    raw = b""
    for char in pieces:
        code = ord(char)
        if code > 0xFFFF:
            for half in (0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)):
                raw += chr(half).encode("utf-8", "surrogatepass")
        else:
            raw += char.encode()
    raw += RANDOM.choice([b"", b"\xc0\x80", b"\xc0\n", b"\xed", b"\n"])
    return "Ã© " * RANDOM.randint(0, 1) + raw.decode(RANDOM.choice(["latin-1", "latin-1", "cp437"]))


def entity():
    name = RANDOM.choice(list(html.entities.html5))
    name = RANDOM.choice([name, name, name.upper(), name.rstrip(";"), name.lower(), name[:-2]])
    number = RANDOM.choice([RANDOM.randint(0, 0xFF), RANDOM.randint(0, 0x2FFF), RANDOM.randint(0, 0x120000)])
    reference = RANDOM.choice([f"&{name}", f"&#{number}", f"&#{number};", f"&#x{number:x};", f"&amp;{name}", f"&AMP;#{number};"])
    return RANDOM.choice(["", "x", "<b> "]) + reference + RANDOM.choice(["", " y", ";", "z;"]) + RANDOM.choice(["", "\n&eacute;"])


def blocks():
    low, high = RANDOM.choice(BLOCKS)
    return "".join(assigned(low, high) for _ in range(RANDOM.randint(1, 12)))


def mixed():
    return "".join(assigned(*RANDOM.choice(BLOCKS)) for _ in range(RANDOM.randint(1, 12)))


def rubbish():
    """Characters of mojibake at random: what the heuristic must tell apart."""
    chars = [bytes([b]).decode(codec, "replace") for b in range(0x80, 0x100) for codec in CODECS] + list("  ?aZ.\n'")
    return "".join(RANDOM.choice(chars) for _ in range(RANDOM.randint(1, 8)))


def marks():
    count = RANDOM.choice([1, 2, 3, 40])
    return RANDOM.choice("aeoAÖ가") + "".join(assigned(0x300, 0x36F) for _ in range(count)) + RANDOM.choice(["", "b"])


def words():
    letters = "etaoinshrdlu" * 2 + "'_-.,!0123456789 " + "ABC"
    return "".join(RANDOM.choice(letters) for _ in range(RANDOM.choice([5, 20, 60])))


def plain():
    return RANDOM.choice(PHRASES).format(phrase())


KINDS = [plain, mojibake, damaged, embedded, cesu, entity, blocks, mixed, rubbish, marks, words]
seen = set()
for kind in KINDS:
    for text in PHRASES * (kind is plain) + [kind() for _ in range(COUNT)]:
        # What JSON and Go's strings cannot hold: halves of surrogate pairs.
        if text in seen or any(0xD800 <= ord(char) < 0xE000 for char in text):
            continue
        seen.add(text)
        clean = CLIP.clean_fn(text)
        # The regex module knows a later Unicode than Python and Go: what it alone
        # takes for letters is left out.
        if any(unicodedata.category(char) == "Cn" for char in clean):
            continue
        case = {"kind": kind.__name__, "text": text, "clean": clean, "ids": CLIP.encode(text)}
        print(json.dumps(case, ensure_ascii=True))
