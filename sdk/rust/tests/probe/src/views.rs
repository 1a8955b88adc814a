use std::fmt::Debug;

use upl_plugin::*;

/// A view of each kind, with each flag.
pub struct EveryView {
    rows: View<f32>,
    tempered: View<f32>,
    top_m: View<Candidate>,
    stats: View<Stats>,
    stats_without_entropy: View<Stats>,
    agree: View<Candidate>,
    column: View<f32>,
    gather: View<f32>,
    class_top_k: [ClassTopK; 3],
    class_mean: ClassMean,
    class_mean_of_all: ClassMean,
    quantiles: [(View<f64>, usize); 5],
    features: View<f32>,
    text_features: View<f32>,
    of_round: Option<View<Stats>>,
}

fn say(setup: &Setup, what: impl Debug) {
    setup.log(LEVEL_DEBUG, format_args!("{:?}", what));
}

/// Its code alone: in the sandbox there is nothing else of the host's errors.
fn code<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|e| e.code)
}

impl Selection for EveryView {
    fn configure(setup: &Setup) -> Result<Self> {
        const E: Source = Source::Ensemble;
        const M: Source = Source::Model(1);
        say(setup, (setup.rows, setup.classes, setup.models, setup.batch_rows, setup.max_rounds, setup.seed));
        say(setup, (&setup.class_names, &setup.model_names, &setup.logit_scales, &setup.prior, &setup.feature_dims));
        say(setup, (setup.takes(EMIT_SOFT), setup.takes(EMIT_CANDIDATES), setup.takes(EMIT_DROP), setup.learns()));
        let x: f64 = setup.param("x")?;
        let text: String = setup.param("text")?;
        say(setup, (x, text, setup.param::<Option<Vec<i64>>>("list")?, setup.param::<u32>("x")));
        let views = setup.views();
        say(
            setup,
            [
                code(views.column(E, setup.classes)),
                code(views.rows(Source::Model(9))),
                code(views.top_m(E, 0)),
                code(views.quantile(E, Statistic::P, (1 << 20) + 1)),
                code(setup.at(f32::NAN).rows(E)),
                code(setup.at(2.0).agree()),
            ],
        );
        Ok(EveryView {
            rows: views.rows(M)?,
            tempered: setup.at(2.0).rows(E)?,
            top_m: views.top_m(E, 2)?,
            stats: views.stats(E)?,
            stats_without_entropy: views.stats_without_entropy(M)?,
            agree: views.agree()?,
            column: views.column(M, 1)?,
            gather: views.gather(E)?,
            class_top_k: [
                views.class_top_k(E, 3)?,
                views.class_top_k_of_all(M, 300)?,
                views.class_top_k(E, u32::MAX as usize)?,
            ],
            class_mean: views.class_mean(E)?,
            class_mean_of_all: setup.at(0.5).class_mean_of_all(E)?,
            quantiles: [
                (views.quantile(E, Statistic::P, 4)?, 5),
                (views.quantile(E, Statistic::Margin, 7)?, 8),
                (views.quantile(E, Statistic::Entropy, 3)?, 4),
                (views.column_quantile(M, 2, 5)?, 6),
                (views.column_quantiles(E, 6)?, setup.classes),
            ],
            features: views.features(1)?,
            text_features: views.text_features(0)?,
            of_round: None,
        })
    }

    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        self.of_round = Some(round.views().stats(Source::Model(0))?);
        if round.rows > 4 {
            say(round, self.gather.read(3, 2)?);
            say(round, self.gather.row(0)?);
        }
        say(round, code(self.gather.row(round.rows)));
        say(round, self.text_features.read(0, round.classes)?);
        say(round, code(self.rows.row(0)));
        Ok(Batches::Show)
    }

    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        say(round, batch);
        say(round, self.rows.batch(batch)?);
        say(round, self.tempered.batch(batch)?);
        say(round, self.top_m.batch_rows(batch)?.collect::<Vec<_>>());
        say(round, self.stats.batch(batch)?);
        say(round, self.stats_without_entropy.batch(batch)?);
        say(round, self.agree.batch(batch)?);
        say(round, self.column.batch(batch)?);
        say(round, self.features.batch(batch)?);
        say(round, self.of_round.as_mut().map(|view| view.batch(batch)).transpose()?);
        let mut row = vec![0.0; round.classes];
        self.rows.read_into(batch.numbers().end - 1, &mut row)?;
        say(round, (row, code(self.rows.row(batch.numbers().end)), code(self.class_mean.record(0))));
        Ok(())
    }

    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        for class in 0..round.classes {
            for view in &mut self.class_top_k {
                say(round, view.class(class)?);
            }
            say(round, self.class_mean.record(class)?);
        }
        say(round, self.class_mean_of_all.record(0)?);
        for (view, n) in &mut self.quantiles {
            say(round, view.read(0, *n)?);
        }
        round.metric("rows", round.rows as f64)?;
        say(round, [code(round.metric("", 1.0)), code(round.metric("not finite", f64::NAN))]);
        round.random(&mut [0; 3])?;
        Ok(if round.number() == 0 { Next::Round } else { Next::Done })
    }
}
