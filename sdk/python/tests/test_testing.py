"""The views and checks of the host that authors test with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import upl_plugin as upl
from upl_plugin import abi, testing

P = np.array(
    [
        [0.5, 0.25, 0.25],
        [0.5, 0.25, 0.25],
        [0.125, 0.75, 0.125],
        [0.375, 0.375, 0.25],
        [0.25, 0.5, 0.25],
    ]
)


def policy(
    configure: Callable[[Any], Any] = lambda setup: None,
    *,
    end_round: Callable[[Any, Any], Any] = lambda opened, round: None,
    observe: Callable[[Any, Any], Any] | None = None,
    **attributes: Any,
) -> type[upl.Selection]:
    """A selection of a few functions; those after configure get what it gives."""

    def _configure(self: Any, setup: upl.Setup) -> None:
        self.opened = configure(setup)

    body: dict[str, Any] = {
        "name": "made",
        "version": "1.0.0",
        "needs": tuple(upl.View),
        "configure": _configure,
        "end_round": lambda self, round: end_round(self.opened, round),
        **attributes,
    }
    if observe:
        body["observe"] = lambda self, batch: observe(self.opened, batch)
    return type("Made", (upl.Selection,), body)


def seen(configure: Callable[[upl.Setup], Any], p: Any = P, **data: Any) -> np.ndarray:
    """All that a batch view shows, in batches of two."""
    batches: list[np.ndarray] = []
    made = policy(configure, observe=lambda v, b: batches.append(v.batch(b).copy()))
    testing.select(made, [p], batch_rows=2, **data)
    return np.concatenate(batches)


def told(
    configure: Callable[[upl.Setup], Any], p: Any = P, method: str = "read", **data: Any
) -> Any:
    """What a global view reads."""
    out: list[Any] = []
    made = policy(configure, end_round=lambda v, _: out.append(getattr(v, method)()))
    testing.select(made, [p], **data)
    return out[0]


def test_rows() -> None:
    assert np.array_equal(seen(lambda s: s.open_rows()), P.astype(np.float32))


def test_temperature_sharpens() -> None:
    squared = P**2 / (P**2).sum(1, keepdims=True)
    got = seen(lambda s: s.open_rows(temperature=0.5))
    assert np.abs(got - squared).max() < 1e-7


def test_top_m_takes_the_lower_class_of_equals() -> None:
    top = seen(lambda s: s.open_top_m(2))
    assert top["class"].tolist() == [[0, 1], [0, 1], [1, 0], [0, 1], [1, 0]]
    assert top["p"][2].tolist() == [0.75, 0.125]


def test_stats() -> None:
    stats = seen(lambda s: s.open_stats())
    assert stats["class"].tolist() == [0, 0, 1, 0, 1]
    assert stats["margin"].tolist() == [0.25, 0.25, 0.625, 0, 0.25]
    assert stats["entropy"] == pytest.approx(-(P * np.log(P)).sum(1), abs=1e-6)
    bare = seen(lambda s: s.open_stats(flags=upl.NO_ENTROPY))
    assert bare["entropy"].tolist() == [0] * 5


def test_one_class_leads_by_itself() -> None:
    assert seen(lambda s: s.open_stats(), np.ones((2, 1)))["margin"].tolist() == [1, 1]


def test_agree() -> None:
    batches: list[np.ndarray] = []
    made = policy(
        lambda s: s.open_agree(), observe=lambda v, b: batches.append(v.batch(b).copy())
    )
    testing.select(made, [P, P[::-1]])
    assert batches[0]["class"][0].tolist() == [0, 1]


def test_column() -> None:
    assert seen(lambda s: s.open_column(1)).tolist() == P[:, 1].tolist()


def test_class_top_k_goes_by_p_margin_row() -> None:
    rows, classes, p = told(lambda s: s.open_class_top_k(2), method="entries")
    assert rows.tolist() == [0, 1, 2, 4]
    assert classes.tolist() == [0, 0, 1, 1]
    assert p.tolist() == [0.5, 0.5, 0.75, 0.5]
    padded = told(lambda s: s.open_class_top_k(2))
    assert padded["row"][2].tolist() == [upl.NO_ROW] * 2


def test_class_top_k_of_all_rows() -> None:
    rows, classes, _ = told(
        lambda s: s.open_class_top_k(3, flags=upl.ALL), method="entries"
    )
    # Of class 2 all but row 2 have 0.25: the smaller lag is ahead, then the row.
    assert rows[classes == 2].tolist() == [3, 0, 1]


def test_class_mean() -> None:
    counts, sums = told(lambda s: s.open_class_mean())
    assert counts.tolist() == [3, 2, 0]
    assert sums[0].tolist() == P[[0, 1, 3]].sum(0).tolist()
    counts, sums = told(lambda s: s.open_class_mean(flags=upl.ALL))
    assert (counts.tolist(), sums.tolist()) == ([5], [P.sum(0).tolist()])


def test_quantiles() -> None:
    best = told(lambda s: s.open_quantile(2))
    assert best.tolist() == [0.375, 0.5, 0.75]
    margins = told(lambda s: s.open_quantile(8, statistic=upl.QUANTILE_MARGIN))
    assert (
        margins.tolist()
        == np.quantile([0.25, 0.25, 0.625, 0, 0.25], np.arange(9) / 8).tolist()
    )
    column = told(lambda s: s.open_column_quantile(1, 4))
    assert column.tolist() == [0.25, 0.25, 0.375, 0.5, 0.75]
    columns = told(lambda s: s.open_column_quantiles(4))
    assert columns.shape == (3, 5)
    assert columns[1].tolist() == column.tolist()
    assert np.isnan(told(lambda s: s.open_quantile(2), np.empty((0, 3)))).all()


def test_gather_keeps_the_order_asked_for() -> None:
    out: list[np.ndarray] = []
    made = policy(
        lambda s: s.open_gather(),
        end_round=lambda v, _: out.extend([v.read([4, 0, 1, 0]), v.read([])]),
    )
    testing.select(made, [P])
    assert out[0].tolist() == P[[4, 0, 1, 0]].tolist()
    assert out[1].shape == (0, 3)


def test_features() -> None:
    images, texts = np.arange(10.0).reshape(5, 2), np.arange(6.0).reshape(3, 2)
    data = {"features": [images], "text_features": [texts]}
    assert seen(lambda s: s.open_features(), **data).tolist() == images.tolist()
    assert told(lambda s: s.open_text_features(), **data).tolist() == texts.tolist()


def test_rounds_learn_from_what_was_emitted() -> None:
    previous: list[np.ndarray] = []

    def end_round(view: upl.Previous, round: upl.Round) -> bool:
        previous.append(view.read())
        if round.number == 0:
            round.emit_soft([3], 0.5, [[0.25, 0, 0.75]])
            round.drop([0])
        return round.number < 2

    def learn(result: testing.Result) -> list[np.ndarray]:
        assert result.soft.soft.tolist() == [[0.25, 0, 0.75]]
        return [P[::-1]]

    made = policy(lambda s: s.open_previous(), end_round=end_round, rounds=True)
    result = testing.select(made, [P], learn=learn)
    assert result.rounds == 3
    assert len(previous[0]) == 0
    want = [(0, upl.NO_CLASS, 0, 4, 0), (3, 0, 0.5, 2, 0.25), (3, 2, 0.5, 2, 0.75)]
    assert previous[1].tolist() == previous[2].tolist() == want


def test_views_of_a_round_end_with_it() -> None:
    handles: list[int] = []

    def begin_round(self: Any, round: upl.Round) -> None:
        handles.append(round.open_column(0)._handle)

    made = policy(
        begin_round=begin_round, end_round=lambda _, r: r.number < 2, rounds=True
    )
    testing.select(made, [P])
    assert handles == [0, 0, 0]


def test_skipped_batches() -> None:
    made = policy(
        begin_round=lambda self, round: round.skip_batches(),
        observe=lambda *_: pytest.fail("shown"),
    )
    assert testing.select(made, [P]).rounds == 1


def test_random_is_of_seed_and_round() -> None:
    def draw(seed: int) -> list[float]:
        drawn: list[float] = []

        def end_round(_: Any, round: upl.Round) -> bool:
            drawn.append(round.generator().random())
            return round.number == 0

        testing.select(policy(end_round=end_round, rounds=True), [P], seed=seed)
        return drawn

    assert draw(1) == draw(1)
    assert len({*draw(1), *draw(2)}) == 4


def test_setup() -> None:
    setups: list[upl.Setup] = []
    schema = {"properties": {"k": {"default": 3}, "t": {"default": 0.5}, "any": True}}
    testing.select(
        policy(setups.append, parameters=schema),
        [P, P],
        params={"t": 1},
        takes=[upl.EmitKind.SOFT],
        class_names=["cat", "dog", "hen"],
        logit_scales=[100, 10],
        prior=[0.5, 0.25, 0.25],
        seed=7,
    )
    (setup,) = setups
    assert setup.params == {"k": 3, "t": 1}
    assert (setup.rows, setup.classes, setup.models, setup.seed) == (5, 3, 2, 7)
    assert setup.class_names == ["cat", "dog", "hen"]
    assert setup.model_names == ["", ""]
    assert (setup.logit_scales, setup.prior) == ([100, 10], [0.5, 0.25, 0.25])
    assert [kind for kind in upl.EmitKind if setup.takes(kind)] == [
        upl.EmitKind.HARD,
        upl.EmitKind.SOFT,
    ]
    assert not setup.learns


@pytest.mark.parametrize(
    ("emit", "complaint"),
    [
        (lambda r: r.emit([5], [0]), "row 5: there are 5 rows"),
        (lambda r: r.emit([0], [3]), "row 0: class 3 of 3"),
        (lambda r: r.emit([0], [0], [-1]), "weight -1"),
        (lambda r: r.emit([0], [0], [np.nan]), "weight nan"),
        (lambda r: r.emit([0, 0], [1, 1]), "it has class 1 twice"),
        (
            lambda r: (r.emit([0], [0]), r.drop([0])),
            "row 0: it is among the hard labels",
        ),
        (lambda r: r.drop([1, 1]), "row 1: it is among the dropped rows"),
        (lambda r: r.emit_soft([0], 1, [[0.5, 0.25, 0]]), "probabilities sum to 0.75"),
        (lambda r: r.emit_soft([0], 1, [[1.5, -0.5, 0]]), "a probability is none"),
        (lambda r: r.emit_candidates([0], 1, [0, 2], [1, 1]), "no class, or one twice"),
        (lambda r: (r.emit([0], [0]), True)[1], "has not declared rounds"),
    ],
)
def test_what_the_host_would_refuse(
    emit: Callable[[upl.Round], Any], complaint: str
) -> None:
    made = policy(end_round=lambda _, round: emit(round) is True)
    with pytest.raises(testing.ContractError, match=complaint):
        testing.select(made, [P])


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda s: s.open_rows(model=1), upl.Code.RANGE),
        (lambda s: s.open_top_m(4), upl.Code.RANGE),
        (lambda s: s.open_stats(flags=upl.ALL), upl.Code.INVALID),
        (lambda s: s.open_features(), upl.Code.DENIED),
        (lambda s: s.open_gather().read([0]), upl.Code.STATE),
        (lambda s: s.metric("x", np.inf), upl.Code.INVALID),
    ],
)
def test_refusals(act: Callable[[upl.Setup], Any], code: upl.Code) -> None:
    with pytest.raises(upl.Error) as caught:
        testing.select(policy(act), [P])
    assert caught.value.code == code


def test_kinds_that_are_not_taken() -> None:
    made = policy(end_round=lambda _, round: round.drop([0]))
    with pytest.raises(upl.Error) as caught:
        testing.select(made, [P], takes=[])
    assert caught.value.code == upl.Code.NOT_SUPPORTED


def test_combined_rows_sum_to_one() -> None:
    class Half(upl.Ensemble):
        name, version = "half", "1.0.0"

        def combine(self, batch: upl.Batch) -> np.ndarray:
            return np.full((batch.rows, 3), 0.25)

    with pytest.raises(testing.ContractError, match="no probabilities"):
        testing.combine(Half, [P])


def test_combined_shape() -> None:
    class Flat(upl.Ensemble):
        name, version = "flat", "1.0.0"

        def combine(self, batch: upl.Batch) -> np.ndarray:
            return np.ones(batch.rows)

    with pytest.raises(ValueError, match="combine gave 5, not 5 x 3"):
        testing.combine(Flat, [P])


def test_abi_sizes() -> None:
    sizes = {
        abi.ViewSpec: abi.SIZE_VIEW_SPEC,
        abi.Dataset: abi.SIZE_DATASET,
        abi.Stats: abi.SIZE_STATS,
        abi.Label: abi.SIZE_LABEL,
        abi.Emitted: abi.SIZE_EMITTED,
    }
    assert all(dtype.itemsize == size for dtype, size in sizes.items())
