"""A step of prompt learning in PyTorch, as CoOp and UPL compute it."""

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F  # noqa: N812

from compare import models

CONTEXT_LENGTH, BATCH, SCALE, SEED = 16, 32, 100.0, 1


class PromptLearner(torch.nn.Module):
    """The context, and the class names behind it, through the frozen text tower.

    Prompts are padded to the tower's context length, or cut to the longest.
    """

    def __init__(self, model: Any, class_names: list[str], truncated: bool) -> None:
        super().__init__()
        self.model = model
        tokens = open_clip.tokenize(["X " * CONTEXT_LENGTH + name + "." for name in class_names])
        self.ends = tokens.argmax(1)
        self.length = int(self.ends.max()) + 1 if truncated else tokens.shape[1]
        self.tokens = tokens[:, : self.length]
        embedded = model.token_embedding(self.tokens).detach()
        self.prefix, self.suffix = embedded[:, :1], embedded[:, 1 + CONTEXT_LENGTH :]
        generator = torch.Generator().manual_seed(SEED)
        self.context = torch.nn.Parameter(0.02 * torch.randn(CONTEXT_LENGTH, embedded.shape[2], generator=generator))

    def forward(self) -> torch.Tensor:
        """The classes' features [C, D], of length 1."""
        classes = len(self.tokens)
        x = torch.cat([self.prefix, self.context.expand(classes, -1, -1), self.suffix], 1)
        x = x + self.model.positional_embedding[: self.length]
        x = self.model.transformer(x, attn_mask=self.model.attn_mask[: self.length, : self.length])
        x = self.model.ln_final(x)
        return F.normalize(x[torch.arange(classes), self.ends] @ self.model.text_projection, dim=-1)


class PromptStep:
    """Forward and backward of one batch, whose pictures' features are at hand."""

    def __init__(self, folder: Path, class_names: list[str], threads: int, truncated: bool) -> None:
        torch.set_num_threads(threads)
        model = models.load(folder)
        self.learner = PromptLearner(model, class_names, truncated)
        generator = torch.Generator().manual_seed(SEED + 1)
        width = model.text_projection.shape[1]
        self.features = F.normalize(torch.randn(BATCH, width, generator=generator), dim=-1)
        self.labels = torch.randint(len(class_names), (BATCH,), generator=generator)

        self.run()  # what is made at first use is made

    def run(self) -> float:
        """Computes the loss, and its gradient into the context."""
        self.learner.context.grad = None
        loss = F.cross_entropy(SCALE * self.features @ self.learner().T, self.labels)
        loss.backward()
        return loss.item()

    def write_reference(self, file: Path) -> None:
        """Writes values for `upl-host model check --reference`."""
        loss = self.run()
        with torch.no_grad():
            features = self.learner()
        gradient = self.learner.context.grad
        assert gradient is not None
        np.savez(
            file,
            prompt_tokens=self.learner.tokens.numpy().astype(np.int32),
            context=self.learner.context.detach().numpy(),
            prompt_features=features.numpy(),
            pool=self.features.numpy(),
            pool_labels=self.labels.numpy().astype(np.int32),
            loss=np.float32(loss),
            gradient=gradient.numpy(),
        )
