//! Prints what a policy of the probe makes of some data in the host in memory:
//!
//!     native POLICY ROWS BATCH_ROWS

use upl_plugin::testing::{Input, Line, Matrix, Metric};
use upl_plugin::*;

const CLASSES: usize = 4;

/// Probabilities in 64ths, as upl-host's test draws them.
fn draw(rows: usize, state: &mut u64) -> Matrix {
    let mut values = Vec::new();
    for _ in 0..rows {
        let mut left = 64;
        for c in 0..CLASSES {
            *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let n = if c == CLASSES - 1 { left } else { (*state >> 33) % (left + 1) };
            left -= n;
            values.push(n as f32 / 64.0);
        }
    }
    Matrix::new(CLASSES, values)
}

fn print(metrics: &[Metric], log: &[Line]) {
    for m in metrics {
        println!("{} {} {}", m.round, m.name, m.value);
    }
    for l in log {
        println!("{} {} {}", l.round, l.level.0, l.text);
    }
}

fn main() -> Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let (name, rows, batch_rows) = (&args[0], args[1].parse()?, args[2].parse()?);
    let policy = probe::policies().into_iter().find(|p| p.name() == name).expect("a policy of the probe");
    let mut state = 1;
    let m: Vec<_> = (0..3).map(|_| draw(rows, &mut state)).collect();
    let wide = |rows: usize, width: usize| Matrix::new(width, (0..rows * width).map(|i| i as f32).collect());
    let learnt = m[1].clone();
    let input = Input::of_models(m[..2].to_vec())
        .ensemble(m[2].clone())
        .class_names(&["a", "b\"\u{e9}", "c", "d"])
        .model_names(&["one", "two"])
        .logit_scales(&[100.0, 50.5])
        .prior(&[0.25, 0.25, 0.25, 0.25])
        .seed(7)
        .takes(&[EMIT_SOFT, EMIT_CANDIDATES, EMIT_DROP])
        .features(vec![wide(rows, 2), wide(rows, 3)], vec![wide(CLASSES, 2), wide(CLASSES, 3)])
        .learn(move |_| learnt.clone())
        .batch_rows(batch_rows);
    if name == "mix" {
        let got = input.combine(&policy)?;
        print(&got.metrics, &got.log);
        got.probabilities.values.iter().for_each(|p| println!("{}", p));
        return Ok(());
    }
    let got = input.select(&policy)?;
    print(&got.metrics, &got.log);
    got.labels.iter().for_each(|l| println!("{} {} {}", l.row, l.class, l.weight));
    Ok(())
}
