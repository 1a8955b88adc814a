//! The policy in a host in memory.

use confident_learning::policy;
use upl_plugin::testing::{Case, Input, Matrix, Selection};
use upl_plugin::*;

fn select(input: Input) -> Selection {
    input.select(&policy()).unwrap()
}

fn rows(got: &Selection) -> Vec<(u64, u32)> {
    got.labels.iter().map(|l| (l.row, l.class)).collect()
}

/// Thresholds: cat 0.625, dog 0.5, hen 0.375.
fn animals() -> Matrix {
    Matrix::from([
        [0.75, 0.125, 0.125],    // a cat
        [0.5, 0.125, 0.375],     // predicted a cat, confidently a hen: off the diagonal
        [0.625, 0.25, 0.125],    // a cat, just
        [0.25, 0.5, 0.25],       // the only dog
        [0.25, 0.375, 0.375],    // predicted a dog, as likely a hen, and that confidently
        [0.125, 0.625, 0.25],    // a dog
        [0.3125, 0.3125, 0.375], // a hen
    ])
}

#[test]
fn keeps_the_diagonal_of_the_confident_joint() {
    let got = select(Input::new(animals()));
    assert_eq!(rows(&got), [(0, 0), (2, 0), (3, 1), (5, 1), (6, 2)]);
    assert!(got.labels.iter().all(|l| l.weight == 1.0));
    assert_eq!(got.rounds, 2);
    let metrics: Vec<_> = got
        .metrics
        .iter()
        .map(|m| (m.name.as_str(), m.value))
        .collect();
    let want = [
        ("threshold_mean", 0.5),
        ("off_diagonal", 2.0),
        ("unconfident", 0.0),
        ("diagonal_0", 2.0),
        ("diagonal_1", 2.0),
        ("diagonal_2", 1.0),
    ];
    assert_eq!(metrics, want);
}

#[test]
fn takes_the_best_of_each_class() {
    let got = select(Input::new(animals()).params(r#"{"k": 1}"#));
    assert_eq!(rows(&got), [(0, 0), (5, 1), (6, 2)]);
    assert_eq!(got.metric("diagonal_0"), Some(2.0)); // counted, if not taken
    let error = Input::new(animals())
        .params(r#"{"k": -1}"#)
        .select(&policy())
        .unwrap_err();
    assert_eq!(error.code, CODE_CONFIG);
}

/// Nobody is predicted as a hen: an image cannot be confidently one.
#[test]
fn a_class_without_images_has_no_threshold() {
    let got = select(Input::new(Matrix::from([
        [0.75, 0.0, 0.25],
        [0.5, 0.0, 0.5],
    ])));
    assert_eq!(rows(&got), [(0, 0)]);
    assert_eq!(
        (got.metric("off_diagonal"), got.metric("unconfident")),
        (Some(0.0), Some(1.0))
    );
    assert_eq!(got.metric("threshold_mean"), Some(0.625));
}

#[test]
fn edges_of_data() {
    let none = select(Input::new(Matrix::new(2, vec![])));
    assert!(none.labels.is_empty() && none.metric("threshold_mean").is_none());
    let one_class = select(Input::new(Matrix::from([[1.0], [1.0], [1.0]])).params(r#"{"k": 2}"#));
    assert_eq!(rows(&one_class), [(0, 0), (1, 0)]);
    let not_a_number = Input::new(Matrix::from([[f32::NAN, 1.0]]))
        .select(&policy())
        .unwrap_err();
    assert_eq!(not_a_number.code, CODE_DATA);
}

/// The case that upl-host's own tests run in the sandbox.
#[test]
fn the_case() {
    let text = include_str!("../testdata/case.json");
    for batch_rows in [1, 7, 256] {
        let case = Case::parse(text).unwrap();
        let got = select(case.input.batch_rows(batch_rows));
        assert_eq!(got.labels, case.expected, "batches of {}", batch_rows);
        assert_eq!(
            (got.metric("off_diagonal"), got.metric("unconfident")),
            (Some(4.0), Some(11.0))
        );
    }
}
