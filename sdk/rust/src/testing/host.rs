use std::cell::{Cell, RefCell};

use super::emission::Emission;
use super::views::{Computed, Data, Scope};
use super::{Combined, Input, Matrix, Selection};
use crate::abi::*;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::json::Value;
use crate::policy::Policy;
use crate::round::Batch;

/// A number of the policy's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// The round in which it was recorded.
    pub round: u32,
    /// Its value.
    pub value: f64,
}

/// A line of the policy's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// The round in which it was written.
    pub round: u32,
    /// What it says.
    pub text: String,
}

/// Where in the order of calls a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Configuring,
    Beginning,
    Observing,
    Ending,
    Combining,
}

/// A view that a policy has opened.
struct OpenView {
    spec: ViewSpec,
    for_round: bool,
    computed: Option<Computed>, // in this round
}

/// The host of one run. The policy holds it too: all but its configuration changes
/// behind its back.
pub(super) struct TestHost {
    config: String,
    dataset: Dataset,
    policy: Policy,
    stage: Cell<Stage>,
    round: Cell<u32>,
    current: Cell<Option<Batch>>,
    random: Cell<u64>,
    broken: RefCell<Option<Error>>, // the first breach; the policy's next return ends the run
    data: RefCell<Data>,
    views: RefCell<Vec<OpenView>>,
    emission: RefCell<Emission>,
    output: RefCell<Vec<f32>>,
    metrics: RefCell<Vec<Metric>>,
    log: RefCell<Vec<Line>>,
}

impl TestHost {
    pub fn new(input: &Input, policy: &Policy) -> Result<TestHost> {
        let models = &input.models;
        let granted = policy.needs.contains(&VIEW_FEATURES);
        let dims: Vec<_> = input.features.iter().filter(|_| granted).map(|f| f.columns).collect();
        let mean = || Matrix::mean(models);
        let ensemble = input.ensemble.clone().filter(|_| policy.kind == KIND_SELECTION).unwrap_or_else(mean);
        let learns = if input.learn.is_some() { RETRAINS } else { 0 };
        Ok(TestHost {
            config: configuration(input, policy, &dims)?,
            dataset: Dataset {
                size: SIZE_DATASET as u32,
                flags: input.takes.iter().map(|&kind| taken(kind)).fold(learns, |a, b| a | b),
                rows: models[0].rows() as u64,
                classes: models[0].columns as u32,
                models: models.len() as u32,
                feature_dim: dims.first().map_or(0, |&d| d as u32),
                batch_rows: input.batch_rows as u32,
                round: 0,
                max_rounds: input.max_rounds,
                seed: input.seed,
                reserved: [0; 2],
            },
            policy: policy.clone(),
            stage: Cell::new(Stage::Configuring),
            round: Cell::new(0),
            current: Cell::new(None),
            random: Cell::new(stream(input.seed, policy.name, 0)),
            broken: RefCell::new(None),
            data: RefCell::new(Data {
                ensemble,
                models: models.clone(),
                features: input.features.clone(),
                text_features: input.text_features.clone(),
                previous: Vec::new(),
            }),
            views: RefCell::new(Vec::new()),
            emission: RefCell::new(Emission::default()),
            output: RefCell::new(Vec::new()),
            metrics: RefCell::new(Vec::new()),
            log: RefCell::new(Vec::new()),
        })
    }

    /// Moves on to a call of the policy's.
    pub fn enter(&self, stage: Stage, batch: Option<Batch>) {
        self.stage.set(stage);
        self.current.set(batch);
    }

    /// The result of a call, unless the policy has broken the contract in it.
    pub fn outcome<T>(&self, result: Result<T>) -> Result<T> {
        match self.broken.take() {
            Some(breach) => Err(breach),
            None => result,
        }
    }

    /// Begins a round.
    pub fn begin(&self, round: u32, rounds: bool) -> Result<()> {
        if round > 0 && !rounds {
            return Err(breach("it asks for another round without having declared that it needs rounds"));
        }
        if round == self.dataset.max_rounds {
            return Err(Error::new(CODE_LIMIT, format!("not done after {} rounds", round)));
        }
        self.round.set(round);
        self.random.set(stream(self.dataset.seed, self.policy.name, round));
        self.emission.replace(Emission::default());
        let mut views = self.views.borrow_mut();
        views.retain(|v| !v.for_round);
        views.iter_mut().for_each(|v| v.computed = None);
        self.enter(Stage::Beginning, None);
        Ok(())
    }

    /// Keeps a round's selection for the next, and what was learnt of it.
    pub fn learn(&self, ensemble: Option<Matrix>) -> Result<()> {
        let mut data = self.data.borrow_mut();
        data.previous = self.emission.borrow().emitted();
        if let Some(ensemble) = ensemble {
            assert_eq!(ensemble.values.len(), data.ensemble.values.len(), "what was learnt is of another data set");
            ensemble.check(1e-2)?;
            data.ensemble = ensemble;
        }
        Ok(())
    }

    /// What the round has emitted, in order.
    pub fn selection(&self) -> Result<Selection> {
        let mut emission = self.emission.borrow_mut();
        emission.sort()?;
        let mut selection = emission.selection();
        selection.metrics = self.metrics.borrow().clone();
        selection.log = self.log.borrow().clone();
        selection.rounds = self.round.get() + 1;
        Ok(selection)
    }

    pub fn check_combined(&self, batch: &Batch) -> Result<()> {
        let rows = self.output.borrow().len() / self.dataset.classes as usize;
        if rows as u64 != batch.numbers().end {
            return Err(breach(format!("it combined {} rows up to {}", rows, batch.numbers().end)));
        }
        Ok(())
    }

    pub fn combined(&self, classes: usize) -> Combined {
        Combined {
            probabilities: Matrix::new(classes, self.output.take()),
            metrics: self.metrics.take(),
            log: self.log.take(),
            rounds: self.round.get() + 1,
        }
    }

    /// Ends the run once the policy returns.
    fn break_off(&self, error: Error) -> Error {
        self.broken.borrow_mut().get_or_insert(error).clone()
    }

    fn emit_combined(&self, records: &[u8]) -> Result<()> {
        let batch = match (self.stage.get(), self.current.get()) {
            (Stage::Combining, Some(batch)) => batch,
            _ => return Err(Error::new(CODE_STATE, "probabilities are emitted in combine")),
        };
        let classes = self.dataset.classes as usize;
        let mut output = self.output.borrow_mut();
        let next = (output.len() / classes) as u64;
        let (head, values) = records.split_at(SIZE_HEAD.min(records.len()));
        let rows = values.len() / 4 / classes;
        let mut want = next.to_le_bytes().to_vec();
        want.extend_from_slice(&(rows as u32).to_le_bytes());
        want.extend_from_slice(&self.dataset.classes.to_le_bytes());
        if head != want || values.len() != rows * classes * 4 || next + rows as u64 > batch.numbers().end {
            return Err(breach("combined probabilities with a wrong head"));
        }
        let values = values.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let made = Matrix::new(classes, values);
        made.check(1e-2).map_err(|e| breach(format!("combined from row {} on: {}", next, e)))?;
        output.extend_from_slice(&made.values);
        Ok(())
    }
}

impl Host for TestHost {
    fn config(&self) -> Result<Vec<u8>> {
        Ok(self.config.clone().into_bytes())
    }

    fn dataset(&self) -> Result<Dataset> {
        Ok(Dataset { round: self.round.get(), ..self.dataset })
    }

    fn open_view(&self, spec: &ViewSpec) -> Result<i32> {
        let stage = self.stage.get();
        if stage != Stage::Configuring && stage != Stage::Beginning {
            return Err(Error::new(CODE_STATE, "views are opened in configure and begin_round only"));
        }
        self.data.borrow().check(spec, &self.policy)?;
        let mut views = self.views.borrow_mut();
        views.push(OpenView { spec: *spec, for_round: stage == Stage::Beginning, computed: None });
        Ok(views.len() as i32 - 1)
    }

    fn read_view(&self, handle: i32, first: i64, n: i32, dst: &mut [u8]) -> Result<usize> {
        let mut views = self.views.borrow_mut();
        let view = usize::try_from(handle).ok().and_then(|at| views.get_mut(at));
        let view = view.ok_or_else(|| Error::new(CODE_RANGE, format!("no view {}", handle)))?;
        let (stage, batch) = (self.stage.get(), self.current.get());
        let computed = view.computed.get_or_insert_with(|| self.data.borrow().compute(&view.spec));
        let (begin, end) = match (Scope::of(&view.spec), batch) {
            (Scope::AnyTime, _) if stage >= Stage::Beginning => (0, computed.records()),
            (Scope::Global, _) if stage == Stage::Ending => (0, computed.records()),
            (Scope::Batch, Some(batch)) => (batch.first, batch.numbers().end),
            _ => return Err(Error::new(CODE_STATE, format!("view {} cannot be read now", view.spec.kind.name()))),
        };
        let range = || Error::new(CODE_RANGE, format!("{} records from {} on, of {} to {}", n, first, begin, end));
        let (mut first, mut n) = match (u64::try_from(first), u64::try_from(n)) {
            (Ok(first), Ok(n)) => (first, n),
            _ => return Err(range()),
        };
        if view.spec.kind == VIEW_PREVIOUS {
            first = first.min(end);
            n = n.min(end - first);
        }
        if first < begin || first.checked_add(n).map_or(true, |last| last > end) {
            return Err(range());
        }
        computed.read(first, n, dst)
    }

    fn emit(&self, kind: EmitKind, records: &[u8]) -> Result<()> {
        if kind == EMIT_COMBINED {
            return self.emit_combined(records).map_err(|e| self.break_off(e));
        }
        let stage = self.stage.get();
        if self.policy.kind != KIND_SELECTION || (stage != Stage::Observing && stage != Stage::Ending) {
            return Err(Error::new(CODE_STATE, "selections emit, in observe and end_round"));
        }
        if kind != EMIT_HARD && self.dataset.flags & taken(kind) == 0 {
            return Err(Error::new(CODE_NOT_SUPPORTED, format!("{} are of no use to this host", kind.name())));
        }
        let mut emission = self.emission.borrow_mut();
        emission.add(kind, records, &self.dataset).map_err(|e| self.break_off(e))
    }

    fn log_enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, level: Level, message: &str) -> Result<()> {
        self.log.borrow_mut().push(Line { level, round: self.round.get(), text: message.to_owned() });
        Ok(())
    }

    fn metric(&self, name: &str, value: f64) -> Result<()> {
        if name.is_empty() || name.len() > 256 || name.contains(char::is_control) || !value.is_finite() {
            return Err(Error::new(CODE_INVALID, format!("metric {:?} is {}", name, value)));
        }
        self.metrics.borrow_mut().push(Metric { name: name.to_owned(), round: self.round.get(), value });
        Ok(())
    }

    /// Fills `dst` by SplitMix64 (Steele et al. 2014).
    fn random(&self, dst: &mut [u8]) -> Result<()> {
        for byte in dst {
            let state = self.random.get().wrapping_add(0x9e3779b97f4a7c15);
            self.random.set(state);
            let z = (state ^ state >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d049bb133111eb);
            *byte = (z >> 56) as u8;
        }
        Ok(())
    }
}

/// What a breach of the contract ends the run with.
pub(super) fn breach(message: impl Into<String>) -> Error {
    Error::new(CODE_INVALID, message).during("breaks the plugin contract")
}

/// The start of a round's random bytes: FNV-1a of all that they are a function of.
fn stream(seed: u64, policy: &str, round: u32) -> u64 {
    let numbers = [seed, u64::from(round)];
    let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).chain(policy.bytes());
    bytes.fold(0xcbf29ce484222325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3))
}

/// The flag of a host that takes records of a kind.
fn taken(kind: EmitKind) -> u32 {
    match kind {
        EMIT_SOFT => TAKES_SOFT,
        EMIT_CANDIDATES => TAKES_CANDIDATES,
        EMIT_DROP => TAKES_DROPS,
        _ => 0,
    }
}

/// The configuration's JSON: the user's parameters, with the schema's defaults of
/// those that are missing.
fn configuration(input: &Input, policy: &Policy, dims: &[usize]) -> Result<String> {
    let schema = Value::parse(policy.parameters).map_err(|e| e.during("the schema of parameters"))?;
    let mut params = match Value::parse(&input.params).map_err(|e| e.during("parameters"))? {
        Value::Object(params) => params,
        _ => return Err(Error::new(CODE_CONFIG, "parameters are not an object")),
    };
    let known = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.as_slice(),
        _ => &[],
    };
    for (name, property) in known {
        if let (Some(default), false) = (property.get("default"), params.iter().any(|(k, _)| k == name)) {
            params.push((name.clone(), default.clone()));
        }
    }
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        if let Some((name, _)) = params.iter().find(|(name, _)| known.iter().all(|(k, _)| k != name)) {
            return Err(Error::unusable(name, "unknown"));
        }
    }
    params.sort_by(|a, b| a.0.cmp(&b.0));
    let texts = |list: &[String]| Value::List(list.iter().cloned().map(Value::Text).collect());
    let numbers = |list: &[f64]| Value::List(list.iter().copied().map(Value::Number).collect());
    let dims: Vec<_> = dims.iter().map(|&d| d as f64).collect();
    let mut dataset = vec![("class_names".to_owned(), texts(&input.class_names))];
    for (key, list) in [("feature_dims", &dims), ("logit_scales", &input.logit_scales)] {
        if !list.is_empty() {
            dataset.push((key.to_owned(), numbers(list)));
        }
    }
    dataset.push(("model_names".to_owned(), texts(&input.model_names)));
    if !input.prior.is_empty() {
        dataset.push(("prior".to_owned(), numbers(&input.prior)));
    }
    let config = Value::Object(vec![
        ("dataset".to_owned(), Value::Object(dataset)),
        ("params".to_owned(), Value::Object(params)),
        ("policy".to_owned(), Value::Text(policy.name.to_owned())),
    ]);
    Ok(config.to_string())
}
