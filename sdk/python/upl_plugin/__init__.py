"""Policies for upl-host in Python: a subclass of ``Selection`` or ``Ensemble``, and
``serve(...)`` at the end of ``plugin.py``. ``testing`` runs them in tests; ``read``
reads what ``upl-host select`` writes."""

from __future__ import annotations

# First of all, before anything can be printed.
from . import _stdout  # isort: skip

import json
import sys

from .abi import (
    ENSEMBLE,
    NO_CLASS,
    NO_ROW,
    QUANTILE_ENTROPY,
    QUANTILE_MARGIN,
    QUANTILE_P,
    Code,
    EmitKind,
    Level,
)
from .abi import FLAG_ALL as ALL
from .abi import FLAG_NO_ENTROPY as NO_ENTROPY
from .abi import ViewKind as View
from .errors import Error, Unusable
from .policy import Ensemble, Factory, Plugin, Policy, Selection
from .reading import CandidateSets, Labels, Mixed, SoftLabels, read
from .rounds import Batch, Round, Setup
from .views import BatchView, ClassMean, ClassMeans, ClassTopK, Gather, Previous, Table

__all__ = [
    "ALL",
    "ENSEMBLE",
    "NO_CLASS",
    "NO_ENTROPY",
    "NO_ROW",
    "QUANTILE_ENTROPY",
    "QUANTILE_MARGIN",
    "QUANTILE_P",
    "Batch",
    "BatchView",
    "CandidateSets",
    "ClassMean",
    "ClassMeans",
    "ClassTopK",
    "Code",
    "EmitKind",
    "Ensemble",
    "Error",
    "Gather",
    "Labels",
    "Level",
    "Mixed",
    "Policy",
    "Previous",
    "Round",
    "Selection",
    "Setup",
    "SoftLabels",
    "Table",
    "Unusable",
    "View",
    "read",
    "serve",
]


def serve(*policies: Factory) -> None:
    """Serves policies, given as classes, to the host that started this process.

    Each run makes its own. Started by hand, it prints what the plugin says of itself:
    the ``policies`` of ``upl-plugin.yaml``, as JSON.
    """
    plugin = Plugin(*policies)
    if _stdout.handshake is None:
        print(
            "This is a plugin: upl-host starts it. What it says of itself:",
            file=sys.stderr,
        )
        print(json.dumps(plugin.manifest(), indent=2, ensure_ascii=False))
        return
    try:
        from . import server  # readers of results need none of what it imports
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: {sys.executable} has no module {error.name}. It is the python3"
            " that is first on the PATH of upl-host: install the plugin's requirements"
            " for it, or put an environment first that has them (PATH=.venv/bin:$PATH)"
        )
    server.serve(plugin, _stdout.handshake)
