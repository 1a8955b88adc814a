"""A run of UPL the reference's way: no features kept, pictures encoded anew in each step."""

import time
from itertools import islice
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F  # noqa: N812
from torchvision import transforms

from compare import models
from compare.torch_encode import Files, loader
from compare.torch_prompt import PromptLearner

PER_CLASS, BATCH = 16, 32
RATE, MOMENTUM, WEIGHT_DECAY = 0.002, 0.9, 5e-4


class Labelled(Files):
    """Pictures with their pseudo labels, preprocessed by chance."""

    def __init__(self, files: list[Path], labels: list[int], transform: Any) -> None:
        super().__init__(files, transform)
        self.labels = labels

    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(index), self.labels[index]


class Upl:
    """The stages of a run, each timed."""

    def __init__(
        self,
        folder: Path,
        files: list[Path],
        class_names: list[str],
        workers: int,
        threads: int,
    ) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.model, self.files, self.class_names, self.workers = (
            models.load(folder),
            files,
            class_names,
            workers,
        )
        self.test_transform = models.transform(folder)
        normalize = self.test_transform.transforms[-1]
        size = self.model.visual.image_size
        self.train_transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(
                    size,
                    (0.08, 1.0),
                    interpolation=transforms.InterpolationMode.BICUBIC,
                ),
                transforms.RandomHorizontalFlip(),
                lambda image: image.convert("RGB"),
                transforms.ToTensor(),
                normalize,
            ]
        )
        self.scale = self.model.logit_scale.exp().item()
        self.learner = PromptLearner(self.model, class_names, truncated=False)
        self.labelled = Labelled([], [], self.train_transform)

    @torch.inference_mode()
    def classify(self, class_features: torch.Tensor) -> torch.Tensor:
        """Probabilities of all pictures, which are encoded."""
        pictures = loader(Files(self.files, self.test_transform), BATCH, self.workers)
        features = [F.normalize(self.model.encode_image(pixels), dim=-1) for pixels in pictures]
        return (self.scale * torch.cat(features) @ class_features.T).softmax(1)

    def zero_shot(self) -> tuple[float, dict[str, int]]:
        """Chooses the pseudo labels; seconds, and by file name what was chosen."""
        start = time.perf_counter()
        with torch.inference_mode():
            texts = open_clip.tokenize([f"a photo of a {name}." for name in self.class_names])
            class_features = F.normalize(self.model.encode_text(texts), dim=-1)
        confidence, predicted = self.classify(class_features).max(1)
        chosen: list[int] = []
        for c in range(len(self.class_names)):
            members = (predicted == c).nonzero().flatten()
            chosen += members[confidence[members].argsort(descending=True)][:PER_CLASS].tolist()
        labels = predicted[chosen].tolist()
        self.labelled = Labelled([self.files[i] for i in chosen], labels, self.train_transform)
        seconds = time.perf_counter() - start
        return seconds, {self.files[i].name: label for i, label in zip(chosen, labels)}

    def train(self, steps: int) -> tuple[int, float]:
        """Trains for some steps; the pictures of a batch, and seconds of all steps."""
        optimizer = torch.optim.SGD([self.learner.context], RATE, MOMENTUM, weight_decay=WEIGHT_DECAY)
        self.learner().sum().backward()  # not timed: what is made at first use is made
        batch = min(BATCH, len(self.labelled))
        done, seconds = 0, 0.0
        while done < steps:
            start = time.perf_counter()
            pictures = loader(self.labelled, batch, self.workers, shuffle=True, drop_last=True)
            for pixels, labels in islice(pictures, steps - done):
                features = F.normalize(self.model.encode_image(pixels), dim=-1)
                loss = F.cross_entropy(self.scale * features @ self.learner().T, labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                done += 1
            seconds += time.perf_counter() - start
        return batch, seconds

    def test(self) -> float:
        """Classifies all pictures by the prompt; seconds."""
        start = time.perf_counter()
        with torch.no_grad():
            class_features = self.learner()
        self.classify(class_features)
        return time.perf_counter() - start
