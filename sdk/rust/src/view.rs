use std::mem::size_of_val;
use std::rc::Rc;
use std::slice::ChunksExact;

use crate::abi::*;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::record::{bytes_mut, Record};
use crate::round::Batch;
use crate::setup::Setup;

/// Whose probabilities a view is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The ensemble's; in an ensemble policy, which has yet to make them, the
    /// arithmetic mean over models.
    Ensemble,
    /// A model's, by number from 0.
    Model(usize),
}

/// A statistic of a row, of which quantiles are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The largest probability.
    P,
    /// The margin of the first class.
    Margin,
    /// The entropy, in nats.
    Entropy,
}

/// Opens views, in `configure` for the run or in `begin_round` for that round.
///
/// *Batch* views are readable in `observe` and `combine`, for the batch's rows;
/// *global* ones in `end_round`; those *at any time* from `begin_round` on. A view
/// that is not among the policy's needs is denied. C classes, M models, D values
/// of a feature; of equal probabilities the lower class is the first.
#[derive(Clone, Copy)]
pub struct Views<'a> {
    setup: &'a Setup,
    temperature: f32,
}

impl<'a> Views<'a> {
    pub(crate) fn new(setup: &'a Setup, temperature: f32) -> Views<'a> {
        Views { setup, temperature }
    }

    fn open<T: Record>(&self, spec: ViewSpec, width: usize) -> Result<View<T>> {
        let spec = ViewSpec { size: SIZE_VIEW_SPEC as u32, temperature: self.temperature, ..spec };
        let host = &self.setup.host;
        let handle =
            host.open_view(&spec).map_err(|e| e.during(format_args!("opening the view {}", spec.kind.name())))?;
        Ok(View { host: Rc::clone(host), handle, width, buffer: Vec::new() })
    }

    /// Batch: the probabilities themselves, C a row. A policy that loops over them
    /// takes a nanosecond for each: mind the views that do it natively.
    pub fn rows(&self, source: Source) -> Result<View<f32>> {
        self.open(spec(VIEW_ROWS, source), self.setup.classes)
    }

    /// Batch: the m most probable classes, m a row; 1 <= m <= C.
    pub fn top_m(&self, source: Source, m: usize) -> Result<View<Candidate>> {
        self.open(ViewSpec { m: count(m)?, ..spec(VIEW_TOP_M, source) }, m)
    }

    /// Batch: class, probability, margin and entropy, one a row.
    pub fn stats(&self, source: Source) -> Result<View<Stats>> {
        self.open(spec(VIEW_STATS, source), 1)
    }

    /// Batch: the same with an entropy of 0, which saves the host a logarithm for
    /// each probability.
    pub fn stats_without_entropy(&self, source: Source) -> Result<View<Stats>> {
        self.open(ViewSpec { flags: FLAG_NO_ENTROPY, ..spec(VIEW_STATS, source) }, 1)
    }

    /// Batch: each model's most probable class, M a row.
    pub fn agree(&self) -> Result<View<Candidate>> {
        self.open(spec(VIEW_AGREE, Source::Ensemble), self.setup.models)
    }

    /// Batch: the probability of one class, one a row.
    pub fn column(&self, source: Source, class: usize) -> Result<View<f32>> {
        self.open(ViewSpec { class: count(class)?, ..spec(VIEW_COLUMN, source) }, 1)
    }

    /// At any time: rows by number, C probabilities each, in any order. What a
    /// round may read has a limit, and the time counts as the policy's.
    pub fn gather(&self, source: Source) -> Result<View<f32>> {
        self.open(spec(VIEW_GATHER, source), self.setup.classes)
    }

    /// Global: for each class, the m first of the rows predicted as it; m >= 1.
    pub fn class_top_k(&self, source: Source, m: usize) -> Result<ClassTopK> {
        let spec = ViewSpec { m: count(m)?, ..spec(VIEW_CLASS_TOP_K, source) };
        Ok(ClassTopK { view: self.open(spec, 1)?, m })
    }

    /// Global: for each class, the m first of all rows; m >= 1.
    pub fn class_top_k_of_all(&self, source: Source, m: usize) -> Result<ClassTopK> {
        let spec = ViewSpec { m: count(m)?, flags: FLAG_ALL, ..spec(VIEW_CLASS_TOP_K, source) };
        Ok(ClassTopK { view: self.open(spec, 1)?, m })
    }

    /// Global: for each class, of the rows predicted as it, how many, and the sums
    /// of their probabilities.
    pub fn class_mean(&self, source: Source) -> Result<ClassMean> {
        Ok(ClassMean(self.open(spec(VIEW_CLASS_MEAN, source), 1 + self.setup.classes)?))
    }

    /// Global: the same of all rows, in one record, [`ClassMean::record`] 0.
    pub fn class_mean_of_all(&self, source: Source) -> Result<ClassMean> {
        let spec = ViewSpec { flags: FLAG_ALL, ..spec(VIEW_CLASS_MEAN, source) };
        Ok(ClassMean(self.open(spec, 1 + self.setup.classes)?))
    }

    /// Global: the quantiles 0/m, 1/m … m/m of a statistic of the rows, m + 1
    /// records, linear between order statistics. Without rows they are NaN.
    pub fn quantile(&self, source: Source, statistic: Statistic, m: usize) -> Result<View<f64>> {
        let class = match statistic {
            Statistic::P => QUANTILE_P,
            Statistic::Margin => QUANTILE_MARGIN,
            Statistic::Entropy => QUANTILE_ENTROPY,
        };
        self.open(ViewSpec { m: count(m)?, class, ..spec(VIEW_QUANTILE, source) }, 1)
    }

    /// Global: the same of the probabilities of one class.
    pub fn column_quantile(&self, source: Source, class: usize, m: usize) -> Result<View<f64>> {
        let spec = spec(VIEW_QUANTILE, source);
        self.open(ViewSpec { m: count(m)?, class: count(class)?, flags: FLAG_COLUMN, ..spec }, 1)
    }

    /// Global: those of every class, a record of m + 1 for each. The host keeps all
    /// probabilities of the source for it, which its limit on views bounds.
    pub fn column_quantiles(&self, source: Source, m: usize) -> Result<View<f64>> {
        let flags = FLAG_COLUMN | FLAG_ALL;
        self.open(ViewSpec { m: count(m)?, flags, ..spec(VIEW_QUANTILE, source) }, m.saturating_add(1))
    }

    /// At any time: the last selection.
    pub fn previous(&self) -> Result<Previous> {
        Ok(Previous(self.open(spec(VIEW_PREVIOUS, Source::Ensemble), 1)?))
    }

    /// Batch: the image features of a model, D a row. Denied where the operator has
    /// not granted features.
    pub fn features(&self, model: usize) -> Result<View<f32>> {
        self.open(spec(VIEW_FEATURES, Source::Model(model)), self.feature_dim(model))
    }

    /// At any time: the features of the C classes' texts, likewise.
    pub fn text_features(&self, model: usize) -> Result<View<f32>> {
        let spec = ViewSpec { flags: FLAG_TEXT, ..spec(VIEW_FEATURES, Source::Model(model)) };
        self.open(spec, self.feature_dim(model))
    }

    fn feature_dim(&self, model: usize) -> usize {
        self.setup.feature_dims.get(model).copied().unwrap_or(1)
    }
}

fn spec(kind: ViewKind, source: Source) -> ViewSpec {
    let model = match source {
        Source::Ensemble => ENSEMBLE,
        Source::Model(number) => i32::try_from(number).unwrap_or(i32::MAX), // out of range there
    };
    ViewSpec { kind, model, ..ViewSpec::default() }
}

fn count(n: usize) -> Result<u32> {
    u32::try_from(n).map_err(|_| Error::new(CODE_RANGE, format!("{} is too large for a view", n)))
}

/// An open view whose records are of type `T`, [`width`](View::width) of them to
/// each row, class or model.
pub struct View<T: Record> {
    host: Rc<dyn Host>,
    handle: i32,
    width: usize,
    buffer: Vec<T>,
}

impl<T: Record> View<T> {
    /// How many `T` a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The records of `n` rows (classes, quantiles) from `first` on: n times the
    /// width. They are read anew at each call, into the same memory.
    pub fn read(&mut self, first: u64, n: usize) -> Result<&[T]> {
        let len = n.checked_mul(self.width).ok_or_else(|| Error::new(CODE_RANGE, "more records than memory"))?;
        if self.buffer.len() < len {
            self.buffer.resize(len, T::default());
        }
        let records = &mut self.buffer[..len];
        let size = read(&*self.host, self.handle, first, n, records)?;
        check_size(size, records)?;
        Ok(records)
    }

    /// Reads the records of as many rows as `dst` has room for.
    pub fn read_into(&self, first: u64, dst: &mut [T]) -> Result<()> {
        if dst.len() % self.width != 0 {
            return Err(Error::new(CODE_INVALID, format!("{} records are no rows of {}", dst.len(), self.width)));
        }
        let size = read(&*self.host, self.handle, first, dst.len() / self.width, dst)?;
        check_size(size, dst)
    }

    /// The records of a batch's rows.
    pub fn batch(&mut self, batch: &Batch) -> Result<&[T]> {
        self.read(batch.first, batch.rows)
    }

    /// The same as one slice for each row.
    pub fn batch_rows(&mut self, batch: &Batch) -> Result<ChunksExact<'_, T>> {
        let width = self.width;
        Ok(self.batch(batch)?.chunks_exact(width))
    }

    /// The records of one row.
    pub fn row(&mut self, row: u64) -> Result<&[T]> {
        self.read(row, 1)
    }
}

fn read<T: Record>(host: &dyn Host, handle: i32, first: u64, n: usize, dst: &mut [T]) -> Result<usize> {
    let (first, n) = match (i64::try_from(first), i32::try_from(n)) {
        (Ok(first), Ok(n)) => (first, n),
        _ => return Err(Error::new(CODE_RANGE, format!("reading {} records from {} on", n, first))),
    };
    host.read_view(handle, first, n, bytes_mut(dst)).map_err(|e| e.during("reading a view"))
}

fn check_size<T>(size: usize, records: &[T]) -> Result<()> {
    let want = size_of_val(records);
    if size == want {
        return Ok(());
    }
    Err(Error::new(CODE_INTERNAL, format!("the host has {} bytes of records, the view {}", size, want)))
}

/// An open view of the first rows of each class.
pub struct ClassTopK {
    view: View<Ranked>,
    m: usize,
}

impl ClassTopK {
    /// The first rows of a class, m or fewer, in order: p descending, margin
    /// descending, row ascending.
    pub fn class(&mut self, class: usize) -> Result<Vec<Ranked>> {
        const STEP: usize = 256; // m may be far more than a class has
        let first = class as u64 * self.m as u64;
        let mut out = Vec::new();
        while out.len() < self.m {
            let n = STEP.min(self.m - out.len());
            let records = self.view.read(first + out.len() as u64, n)?;
            let filled = records.iter().take_while(|r| r.row != NO_ROW).count();
            out.extend_from_slice(&records[..filled]);
            if filled < n {
                break;
            }
        }
        Ok(out)
    }
}

/// An open view of counts and sums.
pub struct ClassMean(View<f64>);

/// How many rows there are, and the sums of their probabilities, C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean<'a> {
    /// How many rows.
    pub count: f64,
    /// The sums of their probabilities, by class.
    pub sums: &'a [f64],
}

impl ClassMean {
    /// A class's record; 0 of a view of all rows.
    pub fn record(&mut self, class: usize) -> Result<Mean<'_>> {
        let record = self.0.read(class as u64, 1)?;
        Ok(Mean { count: record[0], sums: &record[1..] })
    }
}

/// An open view of what the last round before this one that emitted anything has
/// emitted: nothing in the first.
pub struct Previous(View<Emitted>);

impl Previous {
    /// The records from `first` on, `n` or fewer; none at their end.
    pub fn read(&mut self, first: u64, n: usize) -> Result<&[Emitted]> {
        let view = &mut self.0;
        if view.buffer.len() < n {
            view.buffer.resize(n, Emitted::default());
        }
        let size = read(&*view.host, view.handle, first, n, &mut view.buffer[..n])?;
        view.buffer.get(..size / SIZE_EMITTED).ok_or_else(|| Error::new(CODE_INTERNAL, "more records than asked for"))
    }
}
