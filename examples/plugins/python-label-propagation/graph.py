"""A graph of images and class texts, and what propagates over it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

QUERIES, KEYS = 1024, 16384  # of a block of similarities: 64 MiB


def normalised(x: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)


def nearest(
    queries: np.ndarray, keys: np.ndarray, k: int, *, itself: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k keys of largest dot product with each query, by blocks.

    Args:
        queries: [n, D].
        keys: [m, D]; the queries themselves where ``itself`` is false, so that a
            query is not its own neighbour.
        k: fewer where there are fewer keys.

    Returns:
        Numbers of queries and of keys, and dot products, each [n * k].
    """
    k = min(k, len(keys) - (not itself))
    froms, tos, similarities = [], [], []
    for first in range(0, len(queries) if k > 0 else 0, QUERIES):
        block = queries[first : first + QUERIES]
        best = np.full((len(block), k), -np.inf, np.float32)
        of = np.zeros((len(block), k), np.int64)
        for start in range(0, len(keys), KEYS):
            similar = block @ keys[start : start + KEYS].T
            if not itself:
                own = np.arange(first, first + len(block)) - start
                here = (own >= 0) & (own < similar.shape[1])
                similar[np.flatnonzero(here), own[here]] = -np.inf
            best, of = _better(best, of, similar, start, k)
        froms.append(np.repeat(np.arange(first, first + len(block)), k))
        tos.append(of.reshape(-1))
        similarities.append(best.reshape(-1))
    nothing = np.empty(0, np.int64)
    return (
        np.concatenate([nothing, *froms]),
        np.concatenate([nothing, *tos]),
        np.concatenate([nothing.astype(np.float32), *similarities]),
    )


def _better(
    best: np.ndarray, of: np.ndarray, similar: np.ndarray, start: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best so far, and those of a block of keys from start on."""
    if similar.shape[1] > k:
        picked = np.argpartition(similar, -k, axis=1)[:, -k:]
    else:
        picked = np.broadcast_to(np.arange(similar.shape[1]), similar.shape)
    best = np.concatenate([best, np.take_along_axis(similar, picked, 1)], axis=1)
    of = np.concatenate([of, start + picked], axis=1)
    order = np.lexsort((of, -best), axis=1)[:, :k]
    return np.take_along_axis(best, order, 1), np.take_along_axis(of, order, 1)


def affinity(
    images: np.ndarray, texts: np.ndarray, neighbours: int, power: float
) -> sparse.csr_array:
    """The normalised affinities of C texts and N images, texts first: [C + N, C + N].

    Each image has an edge to its nearest other images, weighted by similarity s, and
    to its nearest texts, weighted by s^power, which makes up for texts being less
    similar to images than these among themselves. Similarities below 0 are none.
    """
    images, texts = normalised(images), normalised(texts)
    c, n = len(texts), len(images)
    i, j, s = nearest(images, images, neighbours, itself=False)
    a, b, t = nearest(images, texts, neighbours, itself=True)
    weights = np.concatenate([s.clip(0), t.clip(0).astype(float) ** power]).astype(
        float
    )
    froms, tos = np.concatenate([i, a]) + c, np.concatenate([j + c, b])
    directed = sparse.csr_array((weights, (froms, tos)), shape=(c + n, c + n))
    w = sparse.csr_array(directed + directed.T)
    degrees = w.sum(axis=1)
    scale = np.divide(1, np.sqrt(degrees), out=np.zeros(c + n), where=degrees > 0)
    scaling = sparse.diags_array(scale)
    return sparse.csr_array(scaling @ w @ scaling)


def solver(w: sparse.csr_array, alpha: float) -> Callable[[int], np.ndarray]:
    """Solves (I - alpha W) x = e_node for x: what reaches all nodes from one.

    The matrix is symmetric and, with alpha below 1, positive definite: conjugate
    gradients take some ten steps.
    """
    system = sparse.csr_array(sparse.eye_array(w.shape[0]) - alpha * w)

    def solve(node: int) -> np.ndarray:
        one = np.zeros(len(system.indptr) - 1)
        one[node] = 1
        x, failed = cg(system, one, rtol=1e-7)
        if failed:
            raise ArithmeticError(f"class {node}: no solution after {failed} steps")
        return x

    return solve
