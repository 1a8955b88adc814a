"""CLIPs of true size with random weights: the same ones for every side."""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import load_file, save_file

SEED = 1

# Small ones, for trying the comparison out.
SMALL_TEXT = {
    "context_length": 77,
    "vocab_size": 49408,
    "width": 64,
    "heads": 2,
    "layers": 2,
}
SMALL: dict[str, dict[str, Any]] = {
    "RN50": {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": 64,
            "layers": [1, 1, 1, 1],
            "width": 16,
            "patch_size": None,
        },
        "text_cfg": SMALL_TEXT,
    },
    "ViT-B-32": {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": 64,
            "layers": 2,
            "width": 64,
            "head_width": 32,
            "patch_size": 16,
        },
        "text_cfg": SMALL_TEXT,
    },
}

WEIGHTS, CONFIG = "open_clip_model.safetensors", "open_clip_config.json"


class Writer:
    """Makes models in a process of its own."""

    def write(self, folder: Path, name: str, small: bool) -> None:
        """Writes a model of an architecture of open_clip's, with OpenAI's activation."""
        config = {
            **(SMALL[name] if small else open_clip.get_model_config(name)),
            "quick_gelu": True,
        }
        torch.manual_seed(SEED)
        save(open_clip.CLIP(**config), config, folder)

    def write_centred(self, folder: Path, source: Path, pictures: list[Path], texts: list[str]) -> None:
        """Writes a model whose features are zero in the mean over pictures, and over texts.

        The features of random weights are all nearly the same. Shifted by two biases
        they differ, so that each class is some pictures' most probable one.
        """
        from PIL import Image

        model = load(source)
        decode = transform(source)
        with torch.inference_mode():
            pixels = torch.stack([decode(Image.open(file)) for file in pictures])
            model.visual.attnpool.c_proj.bias -= model.encode_image(pixels).mean(0)
            tokens = open_clip.tokenize(texts)
            ends: list[torch.Tensor] = []
            model.ln_final.register_forward_hook(lambda _module, _inputs, x: ends.append(x))
            model.encode_text(tokens)
            model.ln_final.bias -= ends[0][torch.arange(len(texts)), tokens.argmax(1)].mean(0)
        save(model, json.loads((source / CONFIG).read_text())["model_cfg"], folder)


def save(model: Any, config: dict[str, Any], folder: Path) -> None:
    """Writes a model as open_clip does."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()},
        folder / WEIGHTS,
    )
    preprocess = {
        "mean": open_clip.OPENAI_DATASET_MEAN,
        "std": open_clip.OPENAI_DATASET_STD,
    }
    (folder / CONFIG).write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=1))


def load(folder: Path) -> Any:
    """The model, frozen, as a user of open_clip has it."""
    model = open_clip.CLIP(**json.loads((folder / CONFIG).read_text())["model_cfg"])
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval().requires_grad_(False)


def transform(folder: Path) -> Any:
    """open_clip's evaluation transform for the model."""
    config = json.loads((folder / CONFIG).read_text())
    size = config["model_cfg"]["vision_cfg"]["image_size"]
    return open_clip.image_transform(size, is_train=False, **config["preprocess_cfg"])
