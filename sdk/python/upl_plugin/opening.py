"""The methods that open views."""

from __future__ import annotations

import numpy as np

from .abi import (
    ENSEMBLE,
    FLAG_ALL,
    FLAG_COLUMN,
    FLAG_TEXT,
    QUANTILE_P,
    SIZE_VIEW_SPEC,
    VIEW_NAMES,
    Candidate,
    Stats,
    ViewKind,
    ViewSpec,
)
from .errors import doing
from .host import Host
from .views import BatchView, ClassMean, ClassTopK, Gather, Previous, Table


class Opening:
    """Opens the views that the policy names in ``needs``; others are denied.

    Views opened in ``configure`` are there in every round, computed anew; those of
    ``begin_round`` in that round alone. ``model`` is 0 to M-1, or ENSEMBLE. Above 0,
    ``temperature`` puts softmax(log p / temperature) in the place of p.
    """

    _host: Host
    _classes: int
    _models: int
    _feature_dims: list[int]

    def open_rows(self, *, model: int = ENSEMBLE, temperature: float = 0) -> BatchView:
        """The probabilities themselves: float32 [rows, C]."""
        handle = self._open(ViewKind.ROWS, model, temperature=temperature)
        return BatchView(self._host, handle, "rows", np.float32, self._classes)

    def open_top_m(
        self, m: int, *, model: int = ENSEMBLE, temperature: float = 0
    ) -> BatchView:
        """The m most probable classes: Candidate [rows, m]; 1 <= m <= C."""
        handle = self._open(ViewKind.TOP_M, model, m=m, temperature=temperature)
        return BatchView(self._host, handle, "top_m", Candidate, m)

    def open_stats(
        self, *, model: int = ENSEMBLE, flags: int = 0, temperature: float = 0
    ) -> BatchView:
        """First class, its probability, margin and entropy: Stats [rows].

        With ``flags=NO_ENTROPY`` the entropy is 0, which is faster.
        """
        handle = self._open(ViewKind.STATS, model, flags, temperature=temperature)
        return BatchView(self._host, handle, "stats", Stats)

    def open_agree(self) -> BatchView:
        """Each model's first class: Candidate [rows, M]."""
        handle = self._open(ViewKind.AGREE, ENSEMBLE)
        return BatchView(self._host, handle, "agree", Candidate, self._models)

    def open_column(
        self, class_: int, *, model: int = ENSEMBLE, temperature: float = 0
    ) -> BatchView:
        """The probability of one class: float32 [rows]."""
        handle = self._open(
            ViewKind.COLUMN, model, class_=class_, temperature=temperature
        )
        return BatchView(self._host, handle, "column", np.float32)

    def open_gather(self, *, model: int = ENSEMBLE, temperature: float = 0) -> Gather:
        """Rows by number; the time counts as the policy's."""
        handle = self._open(ViewKind.GATHER, model, temperature=temperature)
        return Gather(self._host, handle, "gather", np.float32, self._classes)

    def open_class_top_k(
        self,
        m: int,
        *,
        model: int = ENSEMBLE,
        flags: int = 0,
        temperature: float = 0,
    ) -> ClassTopK:
        """The m first rows of each class: of those predicted as it, or with
        ``flags=ALL`` of all."""
        handle = self._open(
            ViewKind.CLASS_TOP_K, model, flags, m=m, temperature=temperature
        )
        return ClassTopK(self._host, handle, self._classes, m)

    def open_class_mean(
        self, *, model: int = ENSEMBLE, flags: int = 0, temperature: float = 0
    ) -> ClassMean:
        """Counts and sums of the rows predicted as each class, or with
        ``flags=ALL`` of all rows."""
        handle = self._open(ViewKind.CLASS_MEAN, model, flags, temperature=temperature)
        records = 1 if flags & FLAG_ALL else self._classes
        return ClassMean(self._host, handle, records, self._classes)

    def open_quantile(
        self,
        m: int,
        *,
        statistic: int = QUANTILE_P,
        model: int = ENSEMBLE,
        temperature: float = 0,
    ) -> Table:
        """The quantiles 0/m … m/m of a statistic of the rows: float64 [m + 1].

        The statistic is QUANTILE_P, QUANTILE_MARGIN or QUANTILE_ENTROPY. Quantiles
        are linear between order statistics, NaN without rows.
        """
        handle = self._open(
            ViewKind.QUANTILE, model, m=m, class_=statistic, temperature=temperature
        )
        return Table(self._host, handle, "quantile", np.float64, m + 1)

    def open_column_quantile(
        self, class_: int, m: int, *, model: int = ENSEMBLE, temperature: float = 0
    ) -> Table:
        """The quantiles of the probabilities of one class: float64 [m + 1]."""
        handle = self._open(
            ViewKind.QUANTILE,
            model,
            FLAG_COLUMN,
            m=m,
            class_=class_,
            temperature=temperature,
        )
        return Table(self._host, handle, "quantile", np.float64, m + 1)

    def open_column_quantiles(
        self, m: int, *, model: int = ENSEMBLE, temperature: float = 0
    ) -> Table:
        """The quantiles of every class: float64 [C, m + 1].

        The host keeps all probabilities for it, which its limit on views bounds.
        """
        flags = FLAG_COLUMN | FLAG_ALL
        handle = self._open(
            ViewKind.QUANTILE, model, flags, m=m, temperature=temperature
        )
        return Table(self._host, handle, "quantile", np.float64, self._classes, m + 1)

    def open_previous(self) -> Previous:
        """The last selection."""
        return Previous(self._host, self._open(ViewKind.PREVIOUS, ENSEMBLE))

    def open_features(self, *, model: int = 0) -> BatchView:
        """Image features of a model, where they are granted: float32 [rows, D]."""
        handle = self._open(ViewKind.FEATURES, model)
        width = self._feature_dims[model]
        return BatchView(self._host, handle, "features", np.float32, width)

    def open_text_features(self, *, model: int = 0) -> Table:
        """Features of the classes' texts, likewise: float32 [C, D], from
        ``begin_round`` on."""
        handle = self._open(ViewKind.FEATURES, model, FLAG_TEXT)
        shape = self._classes, self._feature_dims[model]
        return Table(self._host, handle, "features", np.float32, *shape)

    def _open(
        self,
        kind: ViewKind,
        model: int,
        flags: int = 0,
        *,
        m: int = 0,
        class_: int = 0,
        temperature: float = 0,
    ) -> int:
        spec = np.zeros((), ViewSpec)
        spec["size"], spec["kind"], spec["flags"] = SIZE_VIEW_SPEC, kind, flags
        spec["model"], spec["m"], spec["class"] = model, m, class_
        spec["temperature"] = temperature
        with doing(f"opening view {VIEW_NAMES[kind]}"):
            return self._host.open_view(spec.tobytes())
