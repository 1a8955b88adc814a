use upl_plugin::*;

/// Fails in one of many ways.
pub struct Fault {
    how: String,
    stats: View<Stats>,
}

impl Selection for Fault {
    fn configure(setup: &Setup) -> Result<Self> {
        let how: String = setup.param("how")?;
        match how.as_str() {
            "config" => return Err(Error::unusable("how", "is config")),
            "denied" => drop(setup.views().rows(Source::Ensemble)?),
            _ => {}
        }
        Ok(Fault { how, stats: setup.views().stats(Source::Ensemble)? })
    }

    fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
        let stats = self.stats.batch(batch)?;
        match self.how.as_str() {
            "panic" => round.metric("class", stats[batch.rows].class.into())?,
            "data" => return Err(Error::new(CODE_DATA, "é: bad data")),
            "std" => drop("twelve".parse::<i32>()?),
            "open late" => drop(round.views().stats(Source::Ensemble)?),
            "memory" => loop {
                self.how += &self.how.repeat(2);
            },
            "loop" => loop {
                round.takes(EMIT_SOFT);
            },
            _ => {}
        }
        Ok(())
    }

    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        match self.how.as_str() {
            "row" => round.emit(Label::new(round.rows, 0))?,
            "soft" => round.emit_soft(0, 1.0, &[])?,
            "another" => return Ok(Next::Round),
            _ => {}
        }
        Ok(Next::Done)
    }
}
