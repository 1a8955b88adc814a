use std::fmt;
use std::rc::Rc;

use crate::abi::{
    EmitKind, Level, CODE_INTERNAL, EMIT_CANDIDATES, EMIT_DROP, EMIT_HARD, EMIT_SOFT, RETRAINS, TAKES_CANDIDATES,
    TAKES_DROPS, TAKES_SOFT,
};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::json::Value;
use crate::view::Views;

/// What a policy is configured with: its parameters, the data's sizes and names,
/// and the host's views to open.
pub struct Setup {
    /// N, the number of rows.
    pub rows: u64,
    /// C, at least 1.
    pub classes: usize,
    /// M, at least 1.
    pub models: usize,
    /// Rows of each batch but the last. A result must not depend on it.
    pub batch_rows: usize,
    /// How many rounds there may be.
    pub max_rounds: u32,
    /// The run's.
    pub seed: u64,
    /// C names.
    pub class_names: Vec<String>,
    /// M names; empty ones where the host has none.
    pub model_names: Vec<String>,
    /// 1/tau of each model, M; empty where unknown.
    pub logit_scales: Vec<f64>,
    /// The prior of the classes, C; empty unless the configuration gives one.
    pub prior: Vec<f64>,
    /// D of each model, M; empty unless features are granted.
    pub feature_dims: Vec<usize>,

    flags: u32,
    params: Value,
    pub(crate) policy: String,
    pub(crate) host: Rc<dyn Host>,
}

impl Setup {
    pub(crate) fn new(host: Rc<dyn Host>) -> Result<Setup> {
        let dataset = host.dataset()?;
        let text = String::from_utf8(host.config()?)?;
        let config =
            Value::parse(&text).map_err(|e| Error::new(CODE_INTERNAL, format!("the configuration's {}", e)))?;
        let names = config.get("dataset").unwrap_or(&Value::Null);
        let list = |key| names.get(key).map_or(&[][..], Value::items);
        let texts = |key| list(key).iter().map(|v| v.text().unwrap_or("").to_owned()).collect();
        let numbers = |key| list(key).iter().filter_map(Value::number);
        Ok(Setup {
            rows: dataset.rows,
            classes: dataset.classes as usize,
            models: dataset.models as usize,
            batch_rows: dataset.batch_rows as usize,
            max_rounds: dataset.max_rounds,
            seed: dataset.seed,
            class_names: texts("class_names"),
            model_names: texts("model_names"),
            logit_scales: numbers("logit_scales").collect(),
            prior: numbers("prior").collect(),
            feature_dims: numbers("feature_dims").map(|d| d as usize).collect(),
            flags: dataset.flags,
            policy: config.get("policy").and_then(Value::text).unwrap_or("").to_owned(),
            params: config.get("params").cloned().unwrap_or(Value::Null),
            host,
        })
    }

    /// Views of the probabilities as they are, to be opened.
    pub fn views(&self) -> Views<'_> {
        Views::new(self, 0.0)
    }

    /// Views of softmax(log p / temperature) in place of p, which the host
    /// computes; `temperature` > 0. Not of agreement, the previous selection and
    /// features.
    pub fn at(&self, temperature: f32) -> Views<'_> {
        Views::new(self, temperature)
    }

    /// A parameter of the user's, or the default of its schema. `Option` is for
    /// parameters without a default. Errors: [`CODE_CONFIG`](crate::CODE_CONFIG),
    /// where it is missing or of another type.
    ///
    /// ```
    /// # fn configure(setup: &upl_plugin::Setup) -> upl_plugin::Result<()> {
    /// let k: usize = setup.param("k")?;
    /// let cap: Option<u64> = setup.param("cap")?;
    /// let weights: Vec<f64> = setup.param("weights")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn param<T: Param>(&self, name: &str) -> Result<T> {
        T::read(self.params.get(name).filter(|v| **v != Value::Null)).map_err(|reason| Error::unusable(name, reason))
    }

    /// Whether the host takes records of a kind from a selection. A policy whose
    /// result is of one that it does not take had better say so in `configure`.
    pub fn takes(&self, kind: EmitKind) -> bool {
        let flag = match kind {
            EMIT_HARD => return true,
            EMIT_SOFT => TAKES_SOFT,
            EMIT_CANDIDATES => TAKES_CANDIDATES,
            EMIT_DROP => TAKES_DROPS,
            _ => return false,
        };
        self.flags & flag != 0
    }

    /// Whether the host learns from each round's selection, so that the next round
    /// has other probabilities.
    pub fn learns(&self) -> bool {
        self.flags & RETRAINS != 0
    }

    /// Writes a line to the run's log; `message` is formatted only where its level
    /// is wanted: `setup.log(LEVEL_INFO, format_args!("{} rows", n))`.
    pub fn log(&self, level: Level, message: impl fmt::Display) {
        if self.host.log_enabled(level) {
            // A full log is the host's to report; a policy need not stop for it.
            let _ = self.host.log(level, &message.to_string());
        }
    }

    /// Records a number of the rule's own, under its name and the round: a
    /// printable name of 1 to 256 bytes, a finite value.
    pub fn metric(&self, name: &str, value: f64) -> Result<()> {
        self.host.metric(name, value).map_err(|e| e.during(format_args!("metric {}", name)))
    }

    /// Fills `dst` with random bytes, a function of the run's seed, the policy and
    /// the round alone.
    pub fn random(&self, dst: &mut [u8]) -> Result<()> {
        self.host.random(dst)
    }
}

/// A type that a parameter can be read as.
pub trait Param: Sized {
    /// Reads a value; `None` is a missing one, or null. An error completes the
    /// sentence "parameter k: …".
    fn read(value: Option<&Value>) -> Result<Self, String>;
}

fn given(value: Option<&Value>) -> Result<&Value, String> {
    value.ok_or_else(|| "is missing".to_owned())
}

impl Param for f64 {
    fn read(value: Option<&Value>) -> Result<f64, String> {
        given(value)?.number().ok_or_else(|| "is not a number".to_owned())
    }
}

impl Param for f32 {
    fn read(value: Option<&Value>) -> Result<f32, String> {
        f64::read(value).map(|x| x as f32)
    }
}

macro_rules! integer_params {
    ($($integer:ty),*) => {$(
        impl Param for $integer {
            fn read(value: Option<&Value>) -> Result<$integer, String> {
                const EXACT: f64 = 9007199254740992.0; // 2^53, as far as a double counts
                let x = f64::read(value)?;
                if x.fract() != 0.0 || x.abs() > EXACT {
                    return Err("is not an integer".to_owned());
                }
                <$integer>::try_from(x as i64)
                    .map_err(|_| format!("is not from {} to {}", <$integer>::MIN, <$integer>::MAX))
            }
        }
    )*};
}
integer_params!(i32, i64, u32, u64, usize);

impl Param for bool {
    fn read(value: Option<&Value>) -> Result<bool, String> {
        match given(value)? {
            Value::Bool(b) => Ok(*b),
            _ => Err("is not true or false".to_owned()),
        }
    }
}

impl Param for String {
    fn read(value: Option<&Value>) -> Result<String, String> {
        given(value)?.text().map(str::to_owned).ok_or_else(|| "is not a string".to_owned())
    }
}

impl<T: Param> Param for Vec<T> {
    fn read(value: Option<&Value>) -> Result<Vec<T>, String> {
        match given(value)? {
            Value::List(items) => {
                let item = |(i, v)| T::read(Some(v)).map_err(|reason| format!("item {} {}", i, reason));
                items.iter().enumerate().map(item).collect()
            }
            _ => Err("is not a list".to_owned()),
        }
    }
}

impl<T: Param> Param for Option<T> {
    fn read(value: Option<&Value>) -> Result<Option<T>, String> {
        value.map(|v| T::read(Some(v))).transpose()
    }
}

impl Param for Value {
    fn read(value: Option<&Value>) -> Result<Value, String> {
        given(value).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Param>(json: &str) -> Result<T, String> {
        T::read(Some(&Value::parse(json).unwrap()))
    }

    fn refuses<T: Param>(json: &str, says: &str) {
        match read::<T>(json) {
            Err(reason) => assert!(reason.contains(says), "{}: {}", json, reason),
            Ok(_) => panic!("{} is taken", json),
        }
    }

    #[test]
    fn parameters_have_types() {
        assert_eq!(read::<usize>("3"), Ok(3));
        assert_eq!(read::<i64>("-3e0"), Ok(-3));
        assert_eq!(read::<u64>("9007199254740992"), Ok(1 << 53));
        assert_eq!(read::<f64>("-2.5e-1"), Ok(-0.25));
        assert_eq!(read::<f32>("0.5"), Ok(0.5));
        assert_eq!(read::<bool>("true"), Ok(true));
        assert_eq!(read::<String>("\"text\""), Ok("text".to_owned()));
        assert_eq!(read::<Vec<f64>>("[1, 2]"), Ok(vec![1.0, 2.0]));
        assert_eq!(read::<Vec<Vec<u32>>>("[[1], []]"), Ok(vec![vec![1], vec![]]));
        assert_eq!(read::<Option<u32>>("7"), Ok(Some(7)));
        assert_eq!(Option::<u32>::read(None), Ok(None));
        assert_eq!(read::<Value>("[null]"), Ok(Value::List(vec![Value::Null])));
    }

    #[test]
    fn wrong_parameters_say_what_is_wrong() {
        refuses::<usize>("-1", "is not from 0 to");
        refuses::<u32>("4294967296", "is not from 0 to 4294967295");
        refuses::<i32>("2.5", "is not an integer");
        refuses::<i64>("1e300", "is not an integer");
        refuses::<f64>("\"1\"", "is not a number");
        refuses::<bool>("1", "is not true or false");
        refuses::<String>("1", "is not a string");
        refuses::<Vec<f64>>("1", "is not a list");
        refuses::<Vec<f64>>("[1, \"2\"]", "item 1 is not a number");
        refuses::<Option<f64>>("false", "is not a number");
        assert_eq!(f64::read(None), Err("is missing".to_owned()));
    }
}
