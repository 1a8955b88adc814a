//! A plugin for upl-host with one policy, `{{name}}`: per class the k images whose
//! first class is furthest ahead of the second.

use upl_plugin::*;

/// What the module holds; upl-plugin.yaml says the same.
pub fn policy() -> Policy {
    Policy::selection::<{{Type}}>("{{name}}")
        .version("0.1.0")
        .summary("per class the k images whose first class is furthest ahead of the second")
        .needs(&[VIEW_STATS])
        .parameters(include_str!("parameters.json"))
}

export!(policy());

/// The policy in a run. It sees the rows of probabilities batch by batch.
struct {{Type}} {
    k: usize,
    stats: View<Stats>,
    classes: Vec<Vec<Image>>, // the best so far, of each class
}

#[derive(Clone, Copy)]
struct Image {
    row: u64,
    margin: f32,
}

impl Selection for {{Type}} {
    /// Reads the parameters and opens a view: 16 bytes a row, which the host
    /// computes.
    fn configure(setup: &Setup) -> Result<Self> {
        Ok({{Type}} {
            k: setup.param("k")?,
            stats: setup.views().stats_without_entropy(Source::Ensemble)?,
            classes: vec![Vec::new(); setup.classes],
        })
    }

    /// Keeps the images of a batch that may be among the best.
    fn observe(&mut self, batch: &Batch, _: &mut Round) -> Result<()> {
        for (row, s) in batch.numbers().zip(self.stats.batch(batch)?) {
            let images = &mut self.classes[s.class as usize];
            let margin = s.margin;
            images.push(Image { row, margin });
            if images.len() >= 2 * self.k {
                keep_best(images, self.k);
            }
        }
        Ok(())
    }

    /// Emits the best of each class.
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        let mut smallest: Option<f32> = None;
        for (class, images) in self.classes.iter_mut().enumerate() {
            keep_best(images, self.k);
            for image in images.iter() {
                round.emit(Label::new(image.row, class as u32))?;
                smallest = Some(smallest.map_or(image.margin, |s| s.min(image.margin)));
            }
        }
        if let Some(smallest) = smallest {
            round.metric("smallest_margin", smallest.into())?;
        }
        Ok(Next::Done)
    }
}

/// Keeps the k largest margins; of equals the earlier image.
fn keep_best(images: &mut Vec<Image>, k: usize) {
    images.sort_unstable_by(|a, b| b.margin.total_cmp(&a.margin).then(a.row.cmp(&b.row)));
    images.truncate(k);
}
