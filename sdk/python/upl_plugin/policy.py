"""Policies, and what a plugin says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .abi import VIEW_NAMES, Kind, ViewKind
from .rounds import Batch, Round, Setup


class Policy:
    """What selections and ensembles have in common. Made anew for every run."""

    name: ClassVar[str]  #: lower case letters, digits and hyphens
    version: ClassVar[str]  #: semantic version
    summary: ClassVar[str] = ""  #: one line
    kind: ClassVar[Kind]
    #: JSON Schema of the parameters, an object. The host checks them before the policy
    #: runs and fills in each property's ``default``.
    parameters: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
    }
    #: Views that the policy may open; others are denied.
    needs: ClassVar[Iterable[ViewKind]] = ()
    #: Whether it may ask for more than one round.
    rounds: ClassVar[bool] = False

    def configure(self, setup: Setup) -> None:
        """Reads the parameters and opens views, once."""

    def begin_round(self, round: Round) -> None:
        """May open views for this round alone, and skip its batches."""

    def observe(self, batch: Batch) -> None:
        """Sees the next batch of rows; batch views are readable."""

    def end_round(self, round: Round) -> bool | None:
        """Concludes a round: global views are readable; true asks for another.

        What a selection emits in its last round is the result. After a round that
        emitted something the host may learn from that (``Setup.learns``), and the next
        round sees what was learnt; one that emitted nothing is another pass over the
        same data.
        """
        return False


class Selection(Policy):
    """Chooses pseudo labels: emits them in ``observe`` and ``end_round``."""

    kind = Kind.SELECTION


class Ensemble(Policy):
    """Makes one matrix of probabilities of those of several models."""

    kind = Kind.ENSEMBLE

    def combine(self, batch: Batch) -> np.ndarray:
        """The probabilities of the batch's rows: [rows, C], as float32.

        Finite, not negative, each row summing to 1 within 1e-2. Called for all batches
        after the last round.
        """
        raise NotImplementedError


#: Makes a policy: its class, or a function without arguments.
Factory = Callable[[], Policy]


class Plugin:
    """The policies of a plugin, in order."""

    def __init__(self, *factories: Factory) -> None:
        self._factories: dict[str, Factory] = {}
        self._described = []
        for factory in factories:
            if isinstance(factory, Policy):
                kind = type(factory).__name__
                raise TypeError(f"pass {kind}, not {kind}(): each run has its own")
            policy = factory()
            if not isinstance(policy, Policy):
                raise TypeError(f"{policy!r} is neither a Selection nor an Ensemble")
            if policy.name in self._factories:
                raise ValueError(f"two policies are named {policy.name}")
            self._factories[policy.name] = factory
            self._described.append(describe(policy))

    def make(self, name: str) -> Policy:
        """A policy for a run; KeyError where there is none of the name."""
        return self._factories[name]()

    def manifest(self) -> dict[str, Any]:
        """What the plugin says of itself: ``policies`` of ``upl-plugin.yaml``."""
        return {"policies": self._described}


def describe(policy: Policy) -> dict[str, Any]:
    """What the host learns of a policy."""
    for attribute in ("name", "version"):
        if not isinstance(getattr(policy, attribute, None), str):
            raise TypeError(f"{type(policy).__name__} has no {attribute}")
    if not any(overrides(policy, m) for m in ("observe", "end_round", "combine")):
        raise TypeError(f"{policy.name} has neither observe, end_round nor combine")
    return {
        "name": policy.name,
        "version": policy.version,
        "kind": policy.kind.value,
        "summary": policy.summary,
        "needs": {
            "views": [VIEW_NAMES[ViewKind(view)] for view in policy.needs],
            "rounds": policy.rounds,
        },
        "parameters": json.loads(json.dumps(policy.parameters, allow_nan=False)),
    }


def overrides(policy: Policy, method: str) -> bool:
    """Whether a policy has a method of its own."""
    own = getattr(type(policy), method, None)
    return own is not None and own not in (
        getattr(Policy, method, None),
        getattr(Ensemble, method, None),
    )
