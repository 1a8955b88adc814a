//! A plugin that uses all of the SDK. upl-host's own tests run it in the sandbox and,
//! by `examples/native.rs`, in the host in memory: both have to say the same.

#![forbid(unsafe_code)]

mod fault;
mod views;

use upl_plugin::*;

const ALL: &[ViewKind] = &[
    VIEW_ROWS,
    VIEW_TOP_M,
    VIEW_STATS,
    VIEW_AGREE,
    VIEW_COLUMN,
    VIEW_GATHER,
    VIEW_CLASS_TOP_K,
    VIEW_CLASS_MEAN,
    VIEW_QUANTILE,
    VIEW_PREVIOUS,
    VIEW_FEATURES,
];

/// Logs what every view has, in two rounds.
fn every_view() -> Policy {
    let schema = r#"{"type": "object", "properties": {
        "x": {"type": "number", "default": 1.5},
        "text": {"type": "string", "default": "a\u00e9\n\"q"},
        "list": {"type": "array"}
    }}"#;
    Policy::selection::<views::EveryView>("every-view").summary("a \"probe\"").needs(ALL).rounds().parameters(schema)
}

/// Emits every kind of record.
fn every_kind() -> Policy {
    Policy::selection::<EveryKind>("every-kind").version("2.0.0-rc.1").needs(&[VIEW_PREVIOUS]).rounds()
}

/// Combines in two rounds.
fn mix() -> Policy {
    Policy::ensemble::<Mix>("mix").needs(&[VIEW_ROWS, VIEW_CLASS_MEAN]).rounds()
}

/// Fails as its parameter says.
fn fault() -> Policy {
    let schema = r#"{"type": "object", "properties": {"how": {"type": "string"}}}"#;
    Policy::selection::<fault::Fault>("fault").needs(&[VIEW_STATS]).parameters(schema)
}

export!(every_view(), every_kind(), mix(), fault());

struct EveryKind(Previous);

impl Selection for EveryKind {
    fn configure(setup: &Setup) -> Result<Self> {
        Ok(EveryKind(setup.views().previous()?))
    }

    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        // In pieces that do not end where records do.
        let mut first = 0;
        loop {
            let records = self.0.read(first, 7)?;
            if records.is_empty() {
                break;
            }
            first += records.len() as u64;
            round.log(LEVEL_INFO, format_args!("{:?}", records));
        }
        Ok(if round.number() == 0 { Batches::Show } else { Batches::Skip })
    }

    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        for row in batch.numbers() {
            match row % 5 {
                0 => {
                    round.emit(Label::new(row, 1).weighted(0.5))?;
                    round.emit(Label::new(row, 0))?;
                }
                1 => round.emit_soft(row, 2.0, &[Candidate { class: 2, p: 0.25 }, Candidate { class: 0, p: 0.75 }])?,
                2 => round.emit_candidates(row, 1.0, &[2, 1])?,
                3 => round.drop_row(row)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The second round emits more than goes to the host at once.
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        if round.number() == 0 {
            return Ok(Next::Round);
        }
        for row in (0..round.rows).rev() {
            for class in 0..round.classes as u32 {
                round.emit(Label::new(row, class).weighted(row as f32 / 64.0))?;
            }
        }
        Ok(Next::Done)
    }
}

struct Mix {
    first: View<f32>,
    sharp: View<f32>,
    mean: ClassMean,
}

impl Ensemble for Mix {
    fn configure(setup: &Setup) -> Result<Self> {
        Ok(Mix {
            first: setup.views().rows(Source::Model(0))?,
            sharp: setup.at(0.5).rows(Source::Ensemble)?,
            mean: setup.views().class_mean_of_all(Source::Ensemble)?,
        })
    }

    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        round.log(LEVEL_INFO, format_args!("{:?}", self.mean.record(0)?));
        Ok(if round.number() == 0 { Next::Round } else { Next::Done })
    }

    fn combine(&mut self, batch: &Batch, _: &mut Round, output: &mut [f32]) -> Result<()> {
        let pairs = self.first.batch(batch)?.iter().zip(self.sharp.batch(batch)?);
        for (p, (a, b)) in output.iter_mut().zip(pairs) {
            *p = (a + b) / 2.0;
        }
        Ok(())
    }
}
