use std::fmt::Write;

use crate::abi::{ViewKind, KIND_ENSEMBLE, KIND_SELECTION};
use crate::error::Result;
use crate::json::Quoted;
use crate::round::{Batch, Round};
use crate::setup::Setup;

/// Whether a round's batches are shown to `observe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// They are.
    Show,
    /// They are not. Where no global view is open either, the host does not even
    /// read the data.
    Skip,
}

/// What comes after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the last round's selection is the result.
    Done,
    /// Another round; the policy has declared [`Policy::rounds`]. After a round
    /// that emitted, the host learns from its selection, where it does that, and
    /// the next round sees what it learnt; after one that emitted nothing it is
    /// another pass over the same.
    Round,
}

/// Chooses pseudo labels. One is made for every run.
pub trait Selection: Sized {
    /// Reads the parameters and opens views.
    fn configure(setup: &Setup) -> Result<Self>;

    /// Prepares a round; may open views for it alone.
    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        let _ = round;
        Ok(Batches::Show)
    }

    /// Sees the next batch: batch views are readable. May emit.
    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        let _ = (batch, round);
        Ok(())
    }

    /// Concludes a round: global views are readable. May emit.
    fn end_round(&mut self, round: &mut Round) -> Result<Next>;
}

/// Makes one matrix of probabilities of those of several models. One is made for
/// every run. The rounds, if it needs any, come before the first
/// [`combine`](Ensemble::combine).
pub trait Ensemble: Sized {
    /// Reads the parameters and opens views.
    fn configure(setup: &Setup) -> Result<Self>;

    /// Prepares a round; may open views for it alone. Asks for no batches unless it
    /// is overridden: most ensembles look at each row in `combine` alone.
    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        let _ = round;
        Ok(Batches::Skip)
    }

    /// Sees the next batch, if the round shows any: batch views are readable.
    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        let _ = (batch, round);
        Ok(())
    }

    /// Concludes a round: global views are readable.
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        let _ = round;
        Ok(Next::Done)
    }

    /// Fills `output` with the probabilities of a batch, C of each row: finite, not
    /// negative, summing to 1 within 1e-2. Batch views are readable. `round` is the
    /// last one, for its log and metrics.
    fn combine(&mut self, batch: &Batch, round: &mut Round, output: &mut [f32]) -> Result<()>;
}

/// A policy in a run, of either kind.
pub(crate) trait Running {
    fn begin_round(&mut self, round: &mut Round) -> Result<Batches>;
    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()>;
    fn end_round(&mut self, round: &mut Round) -> Result<Next>;
    /// `None` of a selection.
    fn combine(&mut self, batch: &Batch, round: &mut Round, output: &mut [f32]) -> Option<Result<()>>;
}

struct RunningSelection<S>(S);

impl<S: Selection> Running for RunningSelection<S> {
    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        self.0.begin_round(round)
    }
    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        self.0.observe(batch, round)
    }
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        self.0.end_round(round)
    }
    fn combine(&mut self, _: &Batch, _: &mut Round, _: &mut [f32]) -> Option<Result<()>> {
        None
    }
}

struct RunningEnsemble<E>(E);

impl<E: Ensemble> Running for RunningEnsemble<E> {
    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        self.0.begin_round(round)
    }
    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        self.0.observe(batch, round)
    }
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        self.0.end_round(round)
    }
    fn combine(&mut self, batch: &Batch, round: &mut Round, output: &mut [f32]) -> Option<Result<()>> {
        Some(self.0.combine(batch, round, output))
    }
}

type Configure = fn(&Setup) -> Result<Box<dyn Running>>;

/// Declares a policy: what a plugin lists in [`export!`](crate::export).
///
/// ```
/// # use upl_plugin::*;
/// # struct Decided;
/// # impl Selection for Decided {
/// #     fn configure(_: &Setup) -> Result<Self> { Ok(Decided) }
/// #     fn end_round(&mut self, _: &mut Round) -> Result<Next> { Ok(Next::Done) }
/// # }
/// pub fn policy() -> Policy {
///     Policy::selection::<Decided>("decided")
///         .version("1.0.0")
///         .summary("every image whose first class leads by a margin")
///         .needs(&[VIEW_STATS])
///         .parameters(r#"{"type": "object", "additionalProperties": false,
///             "properties": {"lead": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}}}"#)
/// }
/// ```
#[derive(Clone)]
pub struct Policy {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) parameters: &'static str,
    pub(crate) needs: Vec<ViewKind>,
    pub(crate) rounds: bool,
    pub(crate) configure: Configure,
}

impl Policy {
    /// A policy that chooses pseudo labels. Its name is of lower case letters,
    /// digits and hyphens.
    pub fn selection<S: Selection + 'static>(name: &'static str) -> Policy {
        Policy::new(name, KIND_SELECTION, |setup| Ok(Box::new(RunningSelection(S::configure(setup)?))))
    }

    /// A policy that makes one matrix of probabilities of several.
    pub fn ensemble<E: Ensemble + 'static>(name: &'static str) -> Policy {
        Policy::new(name, KIND_ENSEMBLE, |setup| Ok(Box::new(RunningEnsemble(E::configure(setup)?))))
    }

    fn new(name: &'static str, kind: &'static str, configure: Configure) -> Policy {
        Policy {
            name,
            version: "0.1.0",
            kind,
            summary: "",
            parameters: r#"{"type":"object","additionalProperties":false}"#,
            needs: Vec::new(),
            rounds: false,
            configure,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Its semantic version; 0.1.0 unless given.
    pub fn version(self, version: &'static str) -> Policy {
        Policy { version, ..self }
    }

    /// What it does, in one line.
    pub fn summary(self, summary: &'static str) -> Policy {
        Policy { summary, ..self }
    }

    /// The views that it may open; others are denied.
    pub fn needs(self, views: &[ViewKind]) -> Policy {
        Policy { needs: views.to_vec(), ..self }
    }

    /// The JSON Schema of its parameters: an object. The host checks them before
    /// the policy runs and fills in each property's "default", so that `configure`
    /// finds every parameter that has one. Without a schema there are none.
    pub fn parameters(self, schema: &'static str) -> Policy {
        Policy { parameters: schema, ..self }
    }

    /// Says that the policy may ask for more than one round.
    pub fn rounds(self) -> Policy {
        Policy { rounds: true, ..self }
    }

    fn describe(&self, out: &mut String) -> std::fmt::Result {
        write!(out, r#"{{"name":{},"version":{}"#, Quoted(self.name), Quoted(self.version))?;
        write!(out, r#","kind":{},"summary":{}"#, Quoted(self.kind), Quoted(self.summary))?;
        let views: Vec<_> = self.needs.iter().map(|view| Quoted(view.name()).to_string()).collect();
        write!(out, r#","needs":{{"views":[{}],"rounds":{}}}"#, views.join(","), self.rounds)?;
        write!(out, r#","parameters":{}}}"#, self.parameters)
    }
}

/// What a plugin with these policies says of itself: JSON, which is also the part
/// of `upl-plugin.yaml` that has to agree (JSON is YAML).
pub fn describe(policies: &[Policy]) -> String {
    let mut out = String::from(r#"{"policies":["#);
    for (i, policy) in policies.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        policy.describe(&mut out).expect("a String takes all");
    }
    out + "]}"
}
