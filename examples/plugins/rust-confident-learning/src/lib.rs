//! A plugin for upl-host with one policy, `confident-joint`: confident learning
//! (Northcutt, Jiang and Chuang: Confident Learning: Estimating Uncertainty in
//! Dataset Labels, JAIR 2021), with the predicted class in place of a given label.
//!
//! The threshold of a class is the mean of its probability over the images
//! predicted as it. An image counts as confidently of a class when it reaches the
//! class's threshold; of several, of the most probable. The counts by predicted and
//! by confident class are the confident joint. Images on its diagonal are kept, the
//! best of each class; those off it are taken for errors and pruned; those that
//! reach no threshold are left out.

mod best;

use best::{Best, Image};
use upl_plugin::*;

/// What the module holds.
pub fn policy() -> Policy {
    Policy::selection::<ConfidentJoint>("confident-joint")
        .version("1.0.0")
        .summary("per class the K best images on the diagonal of the confident joint")
        .needs(&[VIEW_CLASS_MEAN, VIEW_TOP_M, VIEW_ROWS])
        .rounds()
        .parameters(include_str!("parameters.json"))
}

export!(policy());

/// Up to so many classes, the images on the diagonal are counted for each.
const FEW: usize = 16;

/// The rule takes two passes over the data: the thresholds need all images, and the
/// decision about an image needs all thresholds.
struct ConfidentJoint {
    first: Option<ClassMean>,
    second: Option<Look>,
    thresholds: Thresholds,
    joint: Joint,
}

/// The views of the second pass. Two probabilities decide about most images; the
/// whole row is read of the few where they do not.
struct Look {
    top: View<Candidate>,
    rows: View<f32>,
}

/// What is kept of the confident joint.
struct Joint {
    diagonal: Vec<(u32, Best)>, // of each class: how many images, and the best
    off_diagonal: u32,
    unconfident: u32,
}

impl Selection for ConfidentJoint {
    fn configure(setup: &Setup) -> Result<Self> {
        let best = Best::new(setup.param("k")?);
        Ok(ConfidentJoint {
            first: None,
            second: None,
            thresholds: Thresholds::default(),
            joint: Joint {
                diagonal: vec![(0, best); setup.classes],
                off_diagonal: 0,
                unconfident: 0,
            },
        })
    }

    /// Opens the views of the pass, for it alone: the host computes no others.
    fn begin_round(&mut self, round: &mut Round) -> Result<Batches> {
        let views = round.views();
        if round.number() == 0 {
            self.first = Some(views.class_mean(Source::Ensemble)?);
            return Ok(Batches::Skip);
        }
        let top = views.top_m(Source::Ensemble, round.classes.min(2))?;
        self.second = Some(Look {
            top,
            rows: views.rows(Source::Ensemble)?,
        });
        Ok(Batches::Show)
    }

    fn observe(&mut self, batch: &Batch, _: &mut Round) -> Result<()> {
        match &mut self.second {
            Some(look) => self.joint.count(batch, look, &self.thresholds),
            None => Ok(()),
        }
    }

    /// Ends the first pass with the thresholds, the second with the selection.
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        if let Some(mut mean) = self.first.take() {
            self.thresholds = Thresholds::measure(&mut mean, round.classes)?;
            return Ok(Next::Round); // nothing was emitted: another look at the same data
        }
        for (class, (_, best)) in self.joint.diagonal.iter_mut().enumerate() {
            for image in best.images() {
                round.emit(Label::new(image.row, class as u32))?;
            }
        }
        self.record(round)?;
        Ok(Next::Done)
    }
}

impl ConfidentJoint {
    /// Leaves what was measured in the run's record.
    fn record(&self, round: &Round) -> Result<()> {
        if let Some(mean) = self.thresholds.mean() {
            round.metric("threshold_mean", mean)?;
        }
        round.metric("off_diagonal", self.joint.off_diagonal.into())?;
        round.metric("unconfident", self.joint.unconfident.into())?;
        if round.classes <= FEW {
            for (class, &(count, _)) in self.joint.diagonal.iter().enumerate() {
                round.metric(&format!("diagonal_{}", class), count.into())?;
            }
        }
        Ok(())
    }
}

impl Joint {
    /// Finds the place of each image of a batch.
    fn count(&mut self, batch: &Batch, look: &mut Look, thresholds: &Thresholds) -> Result<()> {
        for (row, top) in batch.numbers().zip(look.top.batch_rows(batch)?) {
            let (first, second) = (top[0], top.get(1).map_or(0.0, |second| second.p));
            if thresholds.reached(first.class as usize, first.p) {
                let (count, best) = &mut self.diagonal[first.class as usize];
                *count += 1;
                best.offer(Image {
                    row,
                    p: first.p,
                    margin: first.p - second,
                });
            } else if f64::from(second) >= thresholds.lowest
                && thresholds.any_reached(look.rows.row(row)?)
            {
                self.off_diagonal += 1;
            } else {
                self.unconfident += 1;
            }
        }
        Ok(())
    }
}

/// The mean probability of each class over the images predicted as it; infinite
/// where there are none, so that nothing is confidently of that class.
#[derive(Default)]
struct Thresholds {
    of: Vec<f64>,
    lowest: f64,
}

impl Thresholds {
    fn measure(mean: &mut ClassMean, classes: usize) -> Result<Thresholds> {
        let mut thresholds = Thresholds {
            of: Vec::with_capacity(classes),
            lowest: f64::INFINITY,
        };
        for class in 0..classes {
            let Mean { count, sums } = mean.record(class)?;
            let threshold = if count > 0.0 {
                sums[class] / count
            } else {
                f64::INFINITY
            };
            thresholds.of.push(threshold);
            thresholds.lowest = thresholds.lowest.min(threshold);
        }
        Ok(thresholds)
    }

    fn reached(&self, class: usize, p: f32) -> bool {
        f64::from(p) >= self.of[class]
    }

    fn any_reached(&self, row: &[f32]) -> bool {
        row.iter()
            .enumerate()
            .any(|(class, &p)| self.reached(class, p))
    }

    /// The mean of those that there are.
    fn mean(&self) -> Option<f64> {
        let finite = || self.of.iter().filter(|t| t.is_finite());
        let count = finite().count();
        Some(finite().sum::<f64>() / count as f64).filter(|_| count > 0)
    }
}
