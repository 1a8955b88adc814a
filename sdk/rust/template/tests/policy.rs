//! The policy in a host in memory.

use {{ident}}::policy;

use upl_plugin::testing::{Input, Matrix, Selection};

fn select(input: Input) -> Selection {
    input.select(&policy()).unwrap()
}

/// The rows and classes of the labels.
fn pairs(got: &Selection) -> Vec<(u64, u32)> {
    got.labels.iter().map(|l| (l.row, l.class)).collect()
}

fn images() -> Matrix {
    Matrix::from([
        [0.625, 0.375, 0.0], // ahead by 0.25, and the most confident
        [0.5, 0.125, 0.375], // by 0.125
        [0.5, 0.25, 0.25],   // by 0.25
        [0.25, 0.5, 0.25],   // the only one of its class
    ])
}

#[test]
fn takes_the_largest_margins() {
    let got = select(Input::new(images()).params(r#"{"k": 2}"#));
    assert_eq!(pairs(&got), [(0, 0), (2, 0), (3, 1)]);
    assert_eq!(got.metric("smallest_margin"), Some(0.25));
}

#[test]
fn of_equals_takes_the_earlier() {
    let got = select(Input::new(images()).params(r#"{"k": 1}"#));
    assert_eq!(pairs(&got), [(0, 0), (3, 1)]);
}

#[test]
fn does_not_depend_on_batches() {
    let p = (0..500).map(|i| (i * 37 % 65) as f32 / 64.0); // few values: many ties
    let p = Matrix::new(2, p.flat_map(|p| [p, 1.0 - p]).collect());
    let input = || Input::new(p.clone()).params(r#"{"k": 7}"#);
    let want = select(input().batch_rows(500));
    assert_eq!(want.labels.len(), 14);
    for batch_rows in [1, 7, 256] {
        assert_eq!(select(input().batch_rows(batch_rows)), want);
    }
}

#[test]
fn edges_of_data() {
    let none = Matrix::new(3, vec![]);
    assert!(select(Input::new(none)).is_empty());
    let one_class = Matrix::from([[1.0]]);
    assert_eq!(pairs(&select(Input::new(one_class))), [(0, 0)]);
}
