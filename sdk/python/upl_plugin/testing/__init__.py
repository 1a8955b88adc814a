"""Runs a policy in its author's tests, in this process, without upl-host.

The views are those of the contract, computed by numpy, and what is emitted is held
to the contract as the host holds it. What is missing: limits, the check of parameters
against their schema, and the host's own random bytes (there are others in their place).
``upl-host plugin test`` has all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..abi import EmitKind
from ..guest import Guest
from ..policy import Ensemble, Factory, Selection, describe
from .data import Data
from .emission import ContractError
from .session import Line, Metric, Result, Session

__all__ = [
    "ContractError",
    "Data",
    "Line",
    "Metric",
    "Result",
    "Session",
    "combine",
    "select",
]

_ALL = (EmitKind.SOFT, EmitKind.CANDIDATES, EmitKind.DROP)


def select(
    policy: Factory,
    probabilities: Sequence[ArrayLike],
    *,
    params: Mapping[str, Any] | None = None,
    takes: Collection[EmitKind] = _ALL,
    learn: Callable[[Result], Sequence[ArrayLike]] | None = None,
    **data: Any,
) -> Result:
    """Runs a selection.

    Args:
        policy: its class, or a function that makes it.
        probabilities: of each model, [N, C]; rows sum to 1.
        params: of the policy; defaults of its schema are filled in.
        takes: the kinds of records that it may emit beside hard labels.
        learn: given a round's result, the models' probabilities of the next one.
        data: more of ``Data``: ensemble, class_names, features, batch_rows …

    Raises:
        ContractError: what it emitted cannot be.
        Exception: whatever the policy raises.
    """
    made = policy()
    if not isinstance(made, Selection):
        raise TypeError(f"{made.name} is no Selection")
    session = Session(describe(made), Data(probabilities, **data), params, takes, learn)
    session.rounds(_guest(policy, session))
    return session.result()


def combine(
    policy: Factory,
    probabilities: Sequence[ArrayLike],
    *,
    params: Mapping[str, Any] | None = None,
    **data: Any,
) -> tuple[np.ndarray, Result]:
    """Runs an ensemble, as ``select``; gives float32 [N, C], and metrics and log."""
    made = policy()
    if not isinstance(made, Ensemble):
        raise TypeError(f"{made.name} is no Ensemble")
    session = Session(describe(made), Data(probabilities, **data), params)
    guest = _guest(policy, session)
    session.rounds(guest)
    return session.combine(guest), session.result()


def _guest(policy: Factory, session: Session) -> Guest:
    return Guest(policy, session, session.config(), session.dataset())
