use std::ops::{Deref, Range};
use std::rc::Rc;

use crate::abi::*;
use crate::error::Result;
use crate::record::bytes;
use crate::setup::Setup;

/// A range of rows on their way past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its first row.
    pub first: u64,
    /// How many it has.
    pub rows: usize,
}

impl Batch {
    /// The numbers of its rows, to go with what a view has of each:
    /// `for (row, stats) in batch.numbers().zip(view.batch(batch)?)`.
    pub fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.rows as u64
    }
}

/// How many bytes of records go to the host at once.
const EMIT_AT: usize = 24 << 10;

/// One round of a policy: where it emits. It is the [`Setup`] too.
pub struct Round {
    number: u32,
    setup: Rc<Setup>,
    pending: [Vec<u8>; 5], // records on their way to the host, by kind
}

impl Deref for Round {
    type Target = Setup;

    fn deref(&self) -> &Setup {
        &self.setup
    }
}

impl Round {
    pub(crate) fn new(number: u32, setup: &Rc<Setup>) -> Round {
        Round { number, setup: Rc::clone(setup), pending: Default::default() }
    }

    /// Its number, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Gives a hard pseudo label. The order is of no consequence: the host checks
    /// and sorts them.
    pub fn emit(&mut self, label: Label) -> Result<()> {
        self.append(EMIT_HARD, |b| b.extend_from_slice(bytes(&[label])))
    }

    /// Gives a row a distribution: classes, each once, whose probabilities sum to 1
    /// within 1e-3; classes that are not named have 0. Where the host does not take
    /// soft labels ([`Setup::takes`]) it answers [`CODE_NOT_SUPPORTED`].
    pub fn emit_soft(&mut self, row: u64, weight: f32, classes: &[Candidate]) -> Result<()> {
        self.append(EMIT_SOFT, |b| {
            head(b, row, weight, classes.len());
            b.extend_from_slice(bytes(classes));
        })
    }

    /// Gives a row a set of classes, each once, of which one is right. Where the
    /// host does not take them it answers [`CODE_NOT_SUPPORTED`].
    pub fn emit_candidates(&mut self, row: u64, weight: f32, classes: &[u32]) -> Result<()> {
        self.append(EMIT_CANDIDATES, |b| {
            head(b, row, weight, classes.len());
            for class in classes {
                b.extend_from_slice(&class.to_le_bytes());
            }
        })
    }

    /// Says that a row is of no class, or not fit to learn from even without a
    /// label. Where the host has no use for that it answers [`CODE_NOT_SUPPORTED`].
    pub fn drop_row(&mut self, row: u64) -> Result<()> {
        self.append(EMIT_DROP, |b| b.extend_from_slice(&row.to_le_bytes()))
    }

    /// Keeps the records of a kind until they are worth a call.
    fn append(&mut self, kind: EmitKind, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let pending = &mut self.pending[kind.0 as usize];
        write(pending);
        if pending.len() < EMIT_AT {
            return Ok(());
        }
        self.flush(kind)
    }

    fn flush(&mut self, kind: EmitKind) -> Result<()> {
        let pending = &mut self.pending[kind.0 as usize];
        if pending.is_empty() {
            return Ok(());
        }
        let result = self.setup.host.emit(kind, pending);
        pending.clear();
        result.map_err(|e| e.during(format_args!("emitting {}", kind.name())))
    }

    pub(crate) fn flush_all(&mut self) -> Result<()> {
        for kind in [EMIT_HARD, EMIT_SOFT, EMIT_CANDIDATES, EMIT_DROP] {
            self.flush(kind)?;
        }
        Ok(())
    }
}

fn head(b: &mut Vec<u8>, row: u64, weight: f32, classes: usize) {
    b.extend_from_slice(&row.to_le_bytes());
    b.extend_from_slice(&weight.to_le_bytes());
    b.extend_from_slice(&(classes as u32).to_le_bytes());
}

impl Label {
    /// The label of a row, of weight 1.
    pub fn new(row: u64, class: u32) -> Label {
        Label { row, class, weight: 1.0, ..Label::default() }
    }

    /// The same with another weight in training: finite, at least 0.
    pub fn weighted(self, weight: f32) -> Label {
        Label { weight, ..self }
    }
}
