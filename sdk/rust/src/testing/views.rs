use super::Matrix;
use crate::abi::*;
use crate::error::{Error, Result};
use crate::policy::Policy;
use crate::record::{bytes, Record};

/// What the views are of.
pub(super) struct Data {
    pub ensemble: Matrix,
    pub models: Vec<Matrix>,
    pub features: Vec<Matrix>,
    pub text_features: Vec<Matrix>,
    pub previous: Vec<Emitted>,
}

/// When a view is readable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Batch,
    Global,
    AnyTime,
}

impl Scope {
    pub fn of(spec: &ViewSpec) -> Scope {
        match spec.kind {
            VIEW_GATHER | VIEW_PREVIOUS => Scope::AnyTime,
            VIEW_FEATURES if spec.flags & FLAG_TEXT != 0 => Scope::AnyTime,
            VIEW_CLASS_TOP_K | VIEW_CLASS_MEAN | VIEW_QUANTILE => Scope::Global,
            _ => Scope::Batch,
        }
    }
}

/// All records of a view in a round. Of `m` to a class as many are kept as there can
/// be rows.
pub(super) struct Computed {
    bytes: Vec<u8>,
    size: usize,
    records: u64,
    m: u64,
    kept: u64,
}

impl Computed {
    /// Records of `width` elements each.
    fn new<T: Record>(values: &[T], width: usize) -> Computed {
        let size = width * std::mem::size_of::<T>();
        Computed { bytes: bytes(values).to_vec(), size, records: (values.len() / width) as u64, m: 1, kept: 1 }
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// Copies records into `dst` if it has room for them, and gives their size.
    pub fn read(&self, first: u64, n: u64, dst: &mut [u8]) -> Result<usize> {
        let size = usize::try_from(n)?.checked_mul(self.size).filter(|&size| size <= i32::MAX as usize);
        let size = size.ok_or_else(|| Error::new(CODE_RANGE, format!("{} records in one read", n)))?;
        if dst.len() < size {
            return Ok(size);
        }
        let none = [Ranked { row: NO_ROW, ..Ranked::default() }];
        for (record, dst) in (first..).zip(dst[..size].chunks_exact_mut(self.size)) {
            let (class, place) = (record / self.m, record % self.m);
            let at = (class * self.kept + place) as usize * self.size;
            dst.copy_from_slice(if place < self.kept { &self.bytes[at..][..self.size] } else { bytes(&none) });
        }
        Ok(size)
    }
}

/// The first class of a row, as every view takes it.
struct First {
    class: usize,
    p: f32,
    margin: f32,
}

impl First {
    fn of(p: &[f32]) -> First {
        let class = (1..p.len()).fold(0, |best, c| if p[c] > p[best] { c } else { best });
        First { class, p: p[class], margin: margin(p, class) }
    }
}

/// p of a class minus the largest of the other classes'; with one class p itself.
fn margin(p: &[f32], class: usize) -> f32 {
    let others = p.iter().enumerate().filter(|&(c, _)| c != class).map(|(_, &p)| p);
    others.reduce(f32::max).map_or(p[class], |most| p[class] - most)
}

/// What a logarithm takes for less.
const TINY: f64 = f32::MIN_POSITIVE as f64;

fn entropy(p: &[f32]) -> f32 {
    let term = |&p: &f32| if p > 0.0 { -f64::from(p) * f64::from(p).max(TINY).ln() } else { 0.0 };
    p.iter().map(term).sum::<f64>() as f32
}

/// softmax(log p / temperature) of every row.
fn temper(matrix: &Matrix, temperature: f64) -> Matrix {
    let mut values = Vec::with_capacity(matrix.values.len());
    for row in matrix.values.chunks_exact(matrix.columns) {
        let logits: Vec<_> = row.iter().map(|&p| f64::from(p).max(TINY).ln() / temperature).collect();
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exps: Vec<_> = logits.iter().map(|z| (z - most).exp()).collect();
        let sum: f64 = exps.iter().sum();
        values.extend(exps.iter().map(|e| (e / sum) as f32));
    }
    Matrix { columns: matrix.columns, values }
}

impl Data {
    fn classes(&self) -> usize {
        self.ensemble.columns
    }

    /// Refuses what upl-host refuses.
    pub fn check(&self, spec: &ViewSpec, policy: &Policy) -> Result<()> {
        let refuse = |code, why: String| Err(Error::new(code, why));
        let (kind, classes) = (spec.kind, self.classes() as u32);
        let allowed = match kind {
            VIEW_CLASS_TOP_K | VIEW_CLASS_MEAN => FLAG_ALL,
            VIEW_STATS => FLAG_NO_ENTROPY,
            VIEW_QUANTILE => FLAG_COLUMN | FLAG_ALL,
            VIEW_FEATURES => FLAG_TEXT,
            _ => 0,
        };
        let tempered = spec.temperature != 0.0;
        let (all, column) = (spec.flags & FLAG_ALL != 0, spec.flags & FLAG_COLUMN != 0);
        if kind.name().is_empty() {
            refuse(CODE_NOT_SUPPORTED, format!("view {}", kind.0))
        } else if !policy.needs.contains(&kind) {
            refuse(CODE_DENIED, format!("view {} is not among those the policy declares as needed", kind.name()))
        } else if spec.model < ENSEMBLE || spec.model >= self.models.len() as i32 {
            refuse(CODE_RANGE, format!("model {} of {}", spec.model, self.models.len()))
        } else if spec.flags & !allowed != 0 || spec.size as usize != SIZE_VIEW_SPEC || spec.reserved != [0; 2] {
            refuse(CODE_INVALID, format!("flags {:#x} of view {}", spec.flags, kind.name()))
        } else if !(spec.temperature >= 0.0 && spec.temperature.is_finite()) {
            refuse(CODE_RANGE, format!("temperature {}", spec.temperature))
        } else if tempered && [VIEW_AGREE, VIEW_PREVIOUS, VIEW_FEATURES].contains(&kind) {
            refuse(CODE_INVALID, format!("view {} at a temperature", kind.name()))
        } else if kind == VIEW_PREVIOUS && policy.kind == KIND_ENSEMBLE {
            refuse(CODE_NOT_SUPPORTED, "an ensemble has no selection".to_owned())
        } else if kind == VIEW_FEATURES && self.features.is_empty() {
            refuse(CODE_DENIED, "features are not granted to this policy".to_owned())
        } else if kind == VIEW_FEATURES && spec.model == ENSEMBLE {
            refuse(CODE_RANGE, "an ensemble has no features".to_owned())
        } else if (kind == VIEW_COLUMN || column && !all) && spec.class >= classes {
            refuse(CODE_RANGE, format!("class {} of {}", spec.class, classes))
        } else if kind == VIEW_QUANTILE && (!column && (all || spec.class > QUANTILE_ENTROPY) || all && spec.class != 0)
        {
            refuse(CODE_RANGE, format!("quantiles of {}, flags {:#x}", spec.class, spec.flags))
        } else if match kind {
            VIEW_TOP_M => spec.m < 1 || spec.m > classes,
            VIEW_CLASS_TOP_K => spec.m < 1,
            VIEW_QUANTILE => spec.m < 1 || spec.m > 1 << 20,
            _ => false,
        } {
            refuse(CODE_RANGE, format!("m is {} of view {}", spec.m, kind.name()))
        } else {
            Ok(())
        }
    }

    /// All records of a view, which has been checked.
    pub fn compute(&self, spec: &ViewSpec) -> Computed {
        let model = usize::try_from(spec.model).ok();
        let matrix = model.map_or(&self.ensemble, |model| &self.models[model]);
        let tempered;
        let matrix = if spec.temperature > 0.0 {
            tempered = temper(matrix, f64::from(spec.temperature));
            &tempered
        } else {
            matrix
        };
        let rows: Vec<_> = matrix.values.chunks_exact(matrix.columns).collect();
        let all = spec.flags & FLAG_ALL != 0;
        match spec.kind {
            VIEW_TOP_M => Computed::new(&top_m(&rows, spec.m as usize), spec.m as usize),
            VIEW_STATS => {
                let with_entropy = spec.flags & FLAG_NO_ENTROPY == 0;
                let stats = |p: &&[f32]| {
                    let First { class, p: first, margin } = First::of(p);
                    let entropy = if with_entropy { entropy(p) } else { 0.0 };
                    Stats { class: class as u32, p: first, margin, entropy }
                };
                Computed::new(&rows.iter().map(stats).collect::<Vec<_>>(), 1)
            }
            VIEW_AGREE => Computed::new(&self.agree(), self.models.len()),
            VIEW_COLUMN => Computed::new(&column(&rows, spec.class as usize), 1),
            VIEW_CLASS_TOP_K => class_top_k(&rows, self.classes(), spec.m, all),
            VIEW_CLASS_MEAN => Computed::new(&class_mean(&rows, self.classes(), all), 1 + self.classes()),
            VIEW_QUANTILE => quantile(&rows, self.classes(), spec),
            VIEW_PREVIOUS => Computed::new(&self.previous, 1),
            VIEW_FEATURES => {
                let from = if spec.flags & FLAG_TEXT != 0 { &self.text_features } else { &self.features };
                let matrix = &from[model.unwrap_or_default()];
                Computed::new(&matrix.values, matrix.columns)
            }
            _ => Computed::new(&matrix.values, matrix.columns), // rows, gather
        }
    }

    fn agree(&self) -> Vec<Candidate> {
        let first = |m: &Matrix, i| {
            let First { class, p, .. } = First::of(m.row(i));
            Candidate { class: class as u32, p }
        };
        (0..self.ensemble.rows()).flat_map(|i| self.models.iter().map(move |m| first(m, i))).collect()
    }
}

fn column(rows: &[&[f32]], class: usize) -> Vec<f32> {
    rows.iter().map(|p| p[class]).collect()
}

fn top_m(rows: &[&[f32]], m: usize) -> Vec<Candidate> {
    let top = |p: &&[f32]| {
        let mut classes: Vec<_> = p.iter().zip(0..).map(|(&p, class)| Candidate { class, p }).collect();
        classes.sort_by(|a, b| b.p.total_cmp(&a.p)); // stable: of equals the lower class
        classes.truncate(m);
        classes
    };
    rows.iter().flat_map(top).collect()
}

fn class_top_k(rows: &[&[f32]], classes: usize, m: u32, all: bool) -> Computed {
    let kept = rows.len().min(m as usize);
    let mut records = Vec::with_capacity(kept * classes);
    for class in 0..classes {
        let of_class = rows.iter().zip(0..).filter(|(p, _)| all || First::of(p).class == class);
        let mut ranked: Vec<_> = of_class.map(|(p, row)| (p[class], margin(p, class), row)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
        let ranked = ranked.iter().map(|&(p, _, row)| Ranked { row, p, reserved: 0 });
        let none = Ranked { row: NO_ROW, ..Ranked::default() };
        records.extend(ranked.chain(std::iter::repeat(none)).take(kept));
    }
    let m = u64::from(m);
    Computed { records: classes as u64 * m, m, kept: kept as u64, ..Computed::new(&records, 1) }
}

fn class_mean(rows: &[&[f32]], classes: usize, all: bool) -> Vec<f64> {
    let width = 1 + classes;
    let mut sums = vec![0.0; if all { width } else { width * classes }];
    for p in rows {
        let class = if all { 0 } else { First::of(p).class };
        let record = &mut sums[class * width..][..width];
        record[0] += 1.0;
        for (sum, &p) in record[1..].iter_mut().zip(*p) {
            *sum += f64::from(p);
        }
    }
    sums
}

fn quantile(rows: &[&[f32]], classes: usize, spec: &ViewSpec) -> Computed {
    let m = spec.m as usize;
    let of = |mut values: Vec<f32>| -> Vec<f64> {
        values.sort_by(f32::total_cmp);
        (0..=m).map(|i| order_statistic(&values, i as f64 / m as f64)).collect()
    };
    if spec.flags & FLAG_ALL != 0 {
        let quantiles: Vec<_> = (0..classes).flat_map(|c| of(column(rows, c))).collect();
        return Computed::new(&quantiles, m + 1);
    }
    let values = match spec.class {
        _ if spec.flags & FLAG_COLUMN != 0 => column(rows, spec.class as usize),
        QUANTILE_P => rows.iter().map(|p| First::of(p).p).collect(),
        QUANTILE_MARGIN => rows.iter().map(|p| First::of(p).margin).collect(),
        _ => rows.iter().map(|p| entropy(p)).collect(),
    };
    Computed::new(&of(values), 1)
}

/// A quantile of sorted values, linear between order statistics.
fn order_statistic(values: &[f32], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let last = values.len() - 1;
    let h = q * last as f64;
    let low = (h as usize).min(last);
    let (a, b) = (f64::from(values[low]), f64::from(values[last.min(low + 1)]));
    a + (b - a) * (h - low as f64)
}
