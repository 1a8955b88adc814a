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
    classes: Vec<Best>,
}

impl Selection for {{Type}} {
    /// Reads the parameters and opens a view: 16 bytes a row, which the host
    /// computes.
    fn configure(setup: &Setup) -> Result<Self> {
        Ok({{Type}} {
            k: setup.param("k")?,
            stats: setup.views().stats_without_entropy(Source::Ensemble)?,
            classes: vec![Best::default(); setup.classes],
        })
    }

    /// Offers each image of a batch to its class.
    fn observe(&mut self, batch: &Batch, _: &mut Round) -> Result<()> {
        for (row, s) in batch.numbers().zip(self.stats.batch(batch)?) {
            let margin = s.margin;
            self.classes[s.class as usize].offer(Image { row, margin }, self.k);
        }
        Ok(())
    }

    /// Emits the best of each class.
    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        let mut smallest: Option<f32> = None;
        for (class, best) in self.classes.iter_mut().enumerate() {
            best.cut(self.k);
            for image in &best.images {
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

/// The best images of a class so far.
#[derive(Clone, Default)]
struct Best {
    images: Vec<Image>, // 2 k at most
    least: f32,         // the margin that an image needs to be among them
}

#[derive(Clone, Copy)]
struct Image {
    row: u64,
    margin: f32,
}

impl Best {
    fn offer(&mut self, image: Image, k: usize) {
        if image.margin < self.least {
            return;
        }
        self.images.push(image);
        if self.images.len() >= 2 * k {
            self.cut(k);
        }
    }

    /// Keeps the k largest margins; of equals the earlier image.
    fn cut(&mut self, k: usize) {
        self.images
            .sort_unstable_by(|a, b| b.margin.total_cmp(&a.margin).then(a.row.cmp(&b.row)));
        self.images.truncate(k);
        if let Some(last) = self.images.get(k - 1) {
            self.least = last.margin;
        }
    }
}
