"""upl-host beside PyTorch, ONNX Runtime and numpy: the same work, on the same threads, in one run."""
