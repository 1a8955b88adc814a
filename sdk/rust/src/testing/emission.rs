use std::collections::BTreeMap;

use super::host::breach;
use super::Selection;
use crate::abi::*;
use crate::error::{Error, Result};

/// A distribution over classes.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftLabel {
    /// Of this row.
    pub row: u64,
    /// Its weight in training.
    pub weight: f32,
    /// By ascending class.
    pub classes: Vec<Candidate>,
}

/// A set of classes of which one is right.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateSet {
    /// Of this row.
    pub row: u64,
    /// Its weight in training.
    pub weight: f32,
    /// Ascending.
    pub classes: Vec<u32>,
}

/// A record: one class of a hard label, none of a drop.
struct Item {
    row: u64,
    kind: EmitKind,
    weight: f32,
    classes: Vec<Candidate>,
}

/// What a round emits.
#[derive(Default)]
pub(super) struct Emission {
    items: Vec<Item>,
    taken: BTreeMap<u64, EmitKind>, // what each row has
}

/// Takes numbers off the front of records.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.0.get(..N).ok_or_else(|| breach("a record is cut short"))?;
        self.0 = &self.0[N..];
        Ok(bytes.try_into()?)
    }

    fn u32(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32> {
        self.take().map(f32::from_le_bytes)
    }

    fn item(&mut self, kind: EmitKind, classes: u32) -> Result<Item> {
        let mut item = Item { row: self.u64()?, kind, weight: 0.0, classes: Vec::new() };
        match kind {
            EMIT_DROP => {}
            EMIT_HARD => {
                item.classes.push(Candidate { class: self.u32()?, p: 0.0 });
                item.weight = self.f32()?;
                if self.u64()? != 0 {
                    return Err(breach(format!("reserved fields are set, for row {}", item.row)));
                }
            }
            _ => {
                item.weight = self.f32()?;
                let n = self.u32()?;
                if n == 0 || n > classes {
                    return Err(breach(format!("{} classes of {}, for row {}", n, classes, item.row)));
                }
                for _ in 0..n {
                    let class = self.u32()?;
                    let p = if kind == EMIT_SOFT { self.f32()? } else { 0.0 };
                    item.classes.push(Candidate { class, p });
                }
            }
        }
        Ok(item)
    }
}

impl Emission {
    /// Takes whole records of one kind, as upl-host does: one that is wrong ends the
    /// run.
    pub fn add(&mut self, kind: EmitKind, records: &[u8], dataset: &Dataset) -> Result<()> {
        let mut reader = Reader(records);
        while !reader.0.is_empty() {
            let mut item = reader.item(kind, dataset.classes)?;
            item.classes.sort_by_key(|c| c.class);
            check(&item, dataset).map_err(|e| e.during(kind.name()))?;
            if let Some(had) = self.taken.insert(item.row, kind) {
                if had != kind || kind != EMIT_HARD {
                    let names = (kind.name(), had.name());
                    return Err(breach(format!(
                        "row {} is among the {}, and before the {}",
                        item.row, names.0, names.1
                    )));
                }
            }
            self.items.push(item);
        }
        Ok(())
    }

    /// Puts the records in order and finds a row that is labelled as a class twice.
    pub fn sort(&mut self) -> Result<()> {
        let key = |item: &Item| (item.row, item.classes.first().map(|c| c.class));
        self.items.sort_by_key(key);
        match self.items.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            Some(pair) => Err(breach(format!("row {} has the same label twice", pair[0].row))),
            None => Ok(()),
        }
    }

    pub fn selection(&self) -> Selection {
        let mut s = Selection::default();
        for item in &self.items {
            let Item { row, weight, .. } = *item;
            let classes = item.classes.iter().map(|c| c.class);
            match item.kind {
                EMIT_SOFT => s.soft.push(SoftLabel { row, weight, classes: item.classes.clone() }),
                EMIT_CANDIDATES => s.candidates.push(CandidateSet { row, weight, classes: classes.collect() }),
                EMIT_DROP => s.drops.push(row),
                _ => s.labels.extend(classes.map(|class| Label::new(row, class).weighted(weight))),
            }
        }
        s
    }

    /// The records as the next round sees them.
    pub fn emitted(&self) -> Vec<Emitted> {
        let mut out = Vec::new();
        for item in &self.items {
            let head = Emitted { row: item.row, class: NO_CLASS, weight: item.weight, kind: item.kind, p: 0.0 };
            if item.classes.is_empty() {
                out.push(head);
            }
            out.extend(item.classes.iter().map(|c| Emitted { class: c.class, p: c.p, ..head }));
        }
        out
    }
}

fn check(item: &Item, dataset: &Dataset) -> Result<()> {
    let wrong = |what: String| -> Result<(), Error> { Err(breach(format!("{}, for row {}", what, item.row))) };
    if item.row >= dataset.rows {
        return wrong(format!("there are {} rows", dataset.rows));
    }
    if !(0.0..=1000.0).contains(&item.weight) {
        return wrong(format!("weight {}; weights are 0 to 1000", item.weight));
    }
    if let Some(c) = item.classes.iter().find(|c| c.class >= dataset.classes) {
        return wrong(format!("class {} of {}", c.class, dataset.classes));
    }
    if let Some(pair) = item.classes.windows(2).find(|pair| pair[0].class == pair[1].class) {
        return wrong(format!("class {} twice", pair[0].class));
    }
    if item.kind == EMIT_SOFT {
        let sum: f64 = item.classes.iter().map(|c| f64::from(c.p)).sum();
        if item.classes.iter().any(|c| c.p < 0.0 || !c.p.is_finite()) || (sum - 1.0).abs() > 1e-3 {
            return wrong(format!("{:?} is no distribution", item.classes));
        }
    }
    Ok(())
}
