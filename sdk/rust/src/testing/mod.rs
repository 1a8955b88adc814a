//! A host in memory, for a policy's own tests: they run natively, in milliseconds.
//!
//! It has every view and every check of what is emitted, and none of the limits on
//! time, memory and output. Views at a temperature may differ from upl-host's in
//! the last bit, and [`Setup::random`](crate::Setup::random) gives other bytes.
//!
//! ```
//! # use upl_plugin::*;
//! # struct Nothing;
//! # impl Selection for Nothing {
//! #     fn configure(_: &Setup) -> Result<Self> { Ok(Nothing) }
//! #     fn end_round(&mut self, _: &mut Round) -> Result<Next> { Ok(Next::Done) }
//! # }
//! # fn policy() -> Policy { Policy::selection::<Nothing>("nothing").parameters(r#"{"properties": {"k": {}}}"#) }
//! use upl_plugin::testing::{Input, Matrix};
//!
//! let p = Matrix::from([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]);
//! let got = Input::new(p).params(r#"{"k": 1}"#).batch_rows(1).select(&policy()).unwrap();
//! assert!(got.labels.is_empty());
//! ```

mod case;
mod emission;
mod host;
mod views;

use std::rc::Rc;

use crate::abi::{EmitKind, Label, CODE_DATA, CODE_INVALID, KIND_ENSEMBLE, KIND_SELECTION};
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::policy::{Batches, Next, Policy};
use crate::round::Batch;

pub use case::Case;
pub use emission::{CandidateSet, SoftLabel};
pub use host::{Line, Metric};
use host::{Stage, TestHost};

/// A matrix: probabilities, or features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Elements of a row.
    pub columns: usize,
    /// The rows, one after another.
    pub values: Vec<f32>,
}

impl Matrix {
    /// A matrix of rows of `columns` values each.
    pub fn new(columns: usize, values: Vec<f32>) -> Matrix {
        assert!(columns > 0 && values.len() % columns == 0, "{} values in rows of {}", values.len(), columns);
        Matrix { columns, values }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// A row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.columns..][..self.columns]
    }

    /// Finds what upl-host would not take for probabilities.
    fn check(&self, tolerance: f64) -> Result<()> {
        for (row, p) in self.values.chunks_exact(self.columns).enumerate() {
            let sum: f64 = p.iter().map(|&p| f64::from(p)).sum();
            if p.iter().any(|&p| !(p >= 0.0 && p.is_finite())) || (sum - 1.0).abs() > tolerance {
                return Err(Error::new(CODE_DATA, format!("row {} is not of probabilities: {:?}", row, p)));
            }
        }
        Ok(())
    }

    /// The mean of matrices, in float64, in their order.
    fn mean(of: &[Matrix]) -> Matrix {
        let mean = |i| of.iter().map(|m| f64::from(m.values[i])).sum::<f64>() / of.len() as f64;
        Matrix { columns: of[0].columns, values: (0..of[0].values.len()).map(|i| mean(i) as f32).collect() }
    }
}

impl<const C: usize, const N: usize> From<[[f32; C]; N]> for Matrix {
    fn from(rows: [[f32; C]; N]) -> Matrix {
        Matrix::new(C, rows.concat())
    }
}

type Learn = Box<dyn Fn(&Selection) -> Matrix>;

/// All that a policy may know.
pub struct Input {
    ensemble: Option<Matrix>,
    models: Vec<Matrix>,
    class_names: Vec<String>,
    model_names: Vec<String>,
    logit_scales: Vec<f64>,
    prior: Vec<f64>,
    features: Vec<Matrix>,
    text_features: Vec<Matrix>,
    params: String,
    seed: u64,
    batch_rows: usize,
    max_rounds: u32,
    takes: Vec<EmitKind>,
    learn: Option<Learn>,
}

impl Input {
    /// One model's probabilities, which are the ensemble's too: N x C.
    pub fn new(probabilities: Matrix) -> Input {
        Input::of_models(vec![probabilities])
    }

    /// Several models' probabilities. A selection chooses from their mean, unless
    /// [`Input::ensemble`] is given.
    pub fn of_models(models: Vec<Matrix>) -> Input {
        let classes = models.first().expect("at least one model").columns;
        let fits = |m: &Matrix| m.columns == classes && m.values.len() == models[0].values.len();
        assert!(models.iter().all(fits), "matrices of different sizes");
        Input {
            ensemble: None,
            class_names: (0..classes).map(|c| format!("class {}", c)).collect(),
            model_names: vec![String::new(); models.len()],
            models,
            logit_scales: Vec::new(),
            prior: Vec::new(),
            features: Vec::new(),
            text_features: Vec::new(),
            params: "{}".to_owned(),
            seed: 0,
            batch_rows: 256,
            max_rounds: 100,
            takes: Vec::new(),
            learn: None,
        }
    }

    /// What a selection chooses from.
    pub fn ensemble(self, probabilities: Matrix) -> Input {
        let model = &self.models[0];
        let fits = probabilities.columns == model.columns && probabilities.values.len() == model.values.len();
        assert!(fits, "an ensemble of another size than its models");
        Input { ensemble: Some(probabilities), ..self }
    }

    /// The user's parameters, a JSON object.
    pub fn params(self, json: &str) -> Input {
        Input { params: json.to_owned(), ..self }
    }

    /// The names of the C classes.
    pub fn class_names(self, names: &[&str]) -> Input {
        assert_eq!(names.len(), self.models[0].columns, "names of classes");
        Input { class_names: names.iter().map(|&n| n.to_owned()).collect(), ..self }
    }

    /// The names of the M models.
    pub fn model_names(self, names: &[&str]) -> Input {
        assert_eq!(names.len(), self.models.len(), "names of models");
        Input { model_names: names.iter().map(|&n| n.to_owned()).collect(), ..self }
    }

    /// 1/tau of the M models.
    pub fn logit_scales(self, scales: &[f64]) -> Input {
        assert_eq!(scales.len(), self.models.len(), "logit scales");
        Input { logit_scales: scales.to_vec(), ..self }
    }

    /// The prior of the C classes.
    pub fn prior(self, prior: &[f64]) -> Input {
        assert_eq!(prior.len(), self.models[0].columns, "the prior of classes");
        Input { prior: prior.to_vec(), ..self }
    }

    /// Grants features: of each model, of the images (N x D) and of the classes'
    /// texts (C x D).
    pub fn features(self, images: Vec<Matrix>, texts: Vec<Matrix>) -> Input {
        let (rows, classes) = (self.models[0].rows(), self.models[0].columns);
        assert!(images.len() == self.models.len() && texts.len() == self.models.len(), "features of each model");
        for (image, text) in images.iter().zip(&texts) {
            assert!(image.rows() == rows && text.rows() == classes && image.columns == text.columns, "features' sizes");
        }
        Input { features: images, text_features: texts, ..self }
    }

    /// The run's seed; 0 unless given.
    pub fn seed(self, seed: u64) -> Input {
        Input { seed, ..self }
    }

    /// Rows of a batch; 256 unless given.
    pub fn batch_rows(self, rows: usize) -> Input {
        assert!(rows > 0, "rows of a batch");
        Input { batch_rows: rows, ..self }
    }

    /// How many rounds there may be; 100 unless given.
    pub fn max_rounds(self, rounds: u32) -> Input {
        Input { max_rounds: rounds, ..self }
    }

    /// The kinds of records that the host takes beside hard labels.
    pub fn takes(self, kinds: &[EmitKind]) -> Input {
        Input { takes: kinds.to_vec(), ..self }
    }

    /// Learns from each round's selection before the next: gives the ensemble's
    /// probabilities that it sees.
    pub fn learn(self, learn: impl Fn(&Selection) -> Matrix + 'static) -> Input {
        Input { learn: Some(Box::new(learn)), ..self }
    }

    /// Runs a selection. Errors are the policy's own, or say how it breaks the
    /// contract.
    pub fn select(&self, policy: &Policy) -> Result<Selection> {
        let (host, _) = self.run(policy, KIND_SELECTION)?;
        host.selection()
    }

    /// Runs an ensemble, likewise.
    pub fn combine(&self, policy: &Policy) -> Result<Combined> {
        let (host, mut guest) = self.run(policy, KIND_ENSEMBLE)?;
        for batch in self.batches() {
            host.enter(Stage::Combining, Some(batch));
            host.outcome(guest.combine(&batch))?;
            host.check_combined(&batch)?;
        }
        Ok(host.combined(self.models[0].columns))
    }

    fn run(&self, policy: &Policy, kind: &str) -> Result<(Rc<TestHost>, Guest)> {
        if policy.kind != kind {
            return Err(Error::new(CODE_INVALID, format!("policy {} is of kind {}", policy.name, policy.kind)));
        }
        self.models.iter().chain(&self.ensemble).try_for_each(|m| m.check(1e-2))?;
        let host = Rc::new(TestHost::new(self, policy)?);
        host.enter(Stage::Configuring, None);
        let configured = Guest::configure(Rc::clone(&host) as _, std::slice::from_ref(policy));
        let mut guest = host.outcome(configured)?;
        for round in 0.. {
            host.begin(round, policy.rounds)?;
            if host.outcome(guest.begin_round(round))? == Batches::Show {
                for batch in self.batches() {
                    host.enter(Stage::Observing, Some(batch));
                    host.outcome(guest.observe(&batch))?;
                }
            }
            host.enter(Stage::Ending, None);
            let next = host.outcome(guest.end_round())?;
            let selection = host.selection()?;
            if next == Next::Done {
                break;
            }
            if !selection.is_empty() {
                host.learn(self.learn.as_ref().map(|learn| learn(&selection)))?;
            }
        }
        Ok((host, guest))
    }

    fn batches(&self) -> impl Iterator<Item = Batch> {
        let (rows, most) = (self.models[0].rows(), self.batch_rows);
        (0..rows).step_by(most).map(move |first| Batch { first: first as u64, rows: most.min(rows - first) })
    }
}

/// What a selection has emitted in its last round: each list by row, and what it
/// said in all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Hard labels; of a row by class.
    pub labels: Vec<Label>,
    /// Soft labels.
    pub soft: Vec<SoftLabel>,
    /// Candidate sets.
    pub candidates: Vec<CandidateSet>,
    /// Rows of no class.
    pub drops: Vec<u64>,
    /// Its metrics, in order.
    pub metrics: Vec<Metric>,
    /// Its log, in order.
    pub log: Vec<Line>,
    /// How many rounds it took.
    pub rounds: u32,
}

impl Selection {
    /// Whether nothing was selected.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.soft.is_empty() && self.candidates.is_empty() && self.drops.is_empty()
    }

    /// The last value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().rev().find(|m| m.name == name).map(|m| m.value)
    }
}

/// What an ensemble has made.
#[derive(Clone, Debug, PartialEq)]
pub struct Combined {
    /// Its probabilities, N x C.
    pub probabilities: Matrix,
    /// Its metrics, in order.
    pub metrics: Vec<Metric>,
    /// Its log, in order.
    pub log: Vec<Line>,
    /// How many rounds it took.
    pub rounds: u32,
}
