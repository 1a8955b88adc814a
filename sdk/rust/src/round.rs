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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::abi::{Dataset, Level, ViewSpec};
    use crate::error::Error;
    use crate::host::Host;

    /// Keeps what is emitted, and refuses dropped rows.
    #[derive(Default)]
    struct Sink(RefCell<Vec<(EmitKind, Vec<u8>)>>);

    impl Host for Sink {
        fn config(&self) -> Result<Vec<u8>> {
            Ok(b"{}".to_vec())
        }
        fn dataset(&self) -> Result<Dataset> {
            Ok(Dataset::default())
        }
        fn open_view(&self, _: &ViewSpec) -> Result<i32> {
            Ok(0)
        }
        fn read_view(&self, _: i32, _: i64, _: i32, _: &mut [u8]) -> Result<usize> {
            Ok(7) // of no record's size
        }
        fn emit(&self, kind: EmitKind, records: &[u8]) -> Result<()> {
            if kind == EMIT_DROP {
                return Err(Error::new(CODE_NOT_SUPPORTED, ""));
            }
            self.0.borrow_mut().push((kind, records.to_vec()));
            Ok(())
        }
        fn log_enabled(&self, level: Level) -> bool {
            level >= LEVEL_WARN
        }
        fn log(&self, _: Level, _: &str) -> Result<()> {
            Err(Error::new(CODE_LIMIT, ""))
        }
        fn metric(&self, _: &str, _: f64) -> Result<()> {
            Ok(())
        }
        fn random(&self, _: &mut [u8]) -> Result<()> {
            Ok(())
        }
    }

    fn round(sink: &Rc<Sink>) -> Round {
        Round::new(0, &Rc::new(Setup::new(Rc::clone(sink) as _).unwrap()))
    }

    #[test]
    fn records_go_to_the_host_in_large_pieces() {
        let sink = Rc::new(Sink::default());
        let mut round = round(&sink);
        for row in 0..2500 {
            round.emit(Label::new(row, 0)).unwrap();
        }
        round.emit_candidates(7, 0.5, &[1, 256]).unwrap();
        round.flush_all().unwrap();
        round.flush_all().unwrap(); // there is nothing left
        let calls = sink.0.borrow();
        let sizes: Vec<_> = calls.iter().map(|(kind, b)| (kind.0, b.len())).collect();
        assert_eq!(sizes, [(1, 24576), (1, 24576), (1, 60000 - 2 * 24576), (3, 24)]);
        let hard: Vec<u8> = calls[..3].iter().flat_map(|(_, b)| b.clone()).collect();
        let rows: Vec<_> = hard.chunks_exact(24).map(|b| u64::from_le_bytes(b[..8].try_into().unwrap())).collect();
        assert!(rows.into_iter().eq(0..2500));
        assert_eq!(calls[3].1, [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3f, 2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn the_host_s_refusal_is_the_policy_s_error() {
        let sink = Rc::new(Sink::default());
        let mut round = round(&sink);
        round.drop_row(3).unwrap(); // waits
        let error = round.flush_all().unwrap_err();
        assert_eq!(error, Error::new(CODE_NOT_SUPPORTED, "emitting dropped rows: not supported"));
        round.log(LEVEL_ERROR, "a full log is no reason to stop");
    }

    #[test]
    fn lines_that_nobody_wants_are_not_formatted() {
        struct Never;
        impl std::fmt::Display for Never {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("formatted")
            }
        }
        round(&Rc::new(Sink::default())).log(LEVEL_DEBUG, Never);
    }

    #[test]
    fn records_of_another_size_are_no_records() {
        let round = round(&Rc::new(Sink::default()));
        let mut view = round.views().stats(crate::Source::Ensemble).unwrap();
        assert_eq!(view.read(0, 1).unwrap_err().code, CODE_INTERNAL);
        let mut wide = round.views().top_m(crate::Source::Ensemble, 3).unwrap();
        assert_eq!(wide.width(), 3);
        assert_eq!(wide.read_into(0, &mut [Candidate::default(); 4]).unwrap_err().code, CODE_INVALID);
        assert_eq!(wide.read(0, usize::MAX).unwrap_err().code, CODE_RANGE);
        assert_eq!(round.views().features(0).unwrap().width(), 1);
    }
}
