//! The best images of a class.

/// An image that may be among the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Image {
    pub row: u64,
    pub p: f32,
    pub margin: f32,
}

/// Keeps the k best images that it is offered; with k = 0 all.
#[derive(Clone, Debug)]
pub struct Best {
    k: usize,
    images: Vec<Image>, // 2 k at most
    least: f32,         // the p that an image needs to be among them
}

impl Best {
    pub fn new(k: u32) -> Best {
        Best {
            k: if k == 0 { usize::MAX } else { k as usize },
            images: Vec::new(),
            least: 0.0,
        }
    }

    pub fn offer(&mut self, image: Image) {
        if image.p < self.least {
            return;
        }
        self.images.push(image);
        // Not sorted at each: once in k images at most.
        if self.images.len() >= self.k.saturating_mul(2) {
            self.cut();
        }
    }

    /// The best, first of them the most probable; of equals the one further ahead
    /// of its second class, then the earlier.
    pub fn images(&mut self) -> &[Image] {
        self.cut();
        &self.images
    }

    fn cut(&mut self) {
        self.images.sort_unstable_by(|a, b| {
            let margins = || b.margin.total_cmp(&a.margin);
            b.p.total_cmp(&a.p)
                .then_with(margins)
                .then(a.row.cmp(&b.row))
        });
        self.images.truncate(self.k);
        if self.images.len() == self.k {
            self.least = self.images[self.k - 1].p;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_best_in_order() {
        // Few values, so that there are many ties, offered in no order of theirs.
        let image = |row: u64| Image {
            row,
            p: (row * 7 % 5) as f32,
            margin: (row * 3 % 4) as f32,
        };
        let mut all: Vec<_> = (0..100).map(image).collect();
        let mut none_cut = Best::new(0);
        let mut seven = Best::new(7);
        for &image in &all {
            none_cut.offer(image);
            seven.offer(image);
        }
        all.sort_by(|a, b| (b.p, b.margin).partial_cmp(&(a.p, a.margin)).unwrap()); // stable: by row
        assert_eq!(none_cut.images(), all);
        assert_eq!(seven.images(), &all[..7]);
        assert!(Best::new(3).images().is_empty());
    }
}
