use super::{Input, Matrix};
use crate::abi::{Label, CODE_DATA};
use crate::error::{Error, Result};
use crate::json::Value;

/// A test case in JSON, which upl-host's own tests can read too:
///
/// ```json
/// {"classes": ["cat", "dog"], "models": [[[0.75, 0.25], [0.5, 0.5]]], "ensemble": [[0.75, 0.25], [0.5, 0.5]],
///  "params": {"k": 1}, "expected": {"labels": [[0, 0, 1]]}}
/// ```
///
/// Labels are row, class and weight.
pub struct Case {
    /// What the policy is to see.
    pub input: Input,
    /// What it is to select, by row, then class.
    pub expected: Vec<Label>,
}

impl Case {
    /// Reads a case.
    pub fn parse(text: &str) -> Result<Case> {
        let case = Value::parse(text)?;
        let part = |key: &str| case.get(key).ok_or_else(|| Error::new(CODE_DATA, format!("the case has no {}", key)));
        let names: Vec<_> = part("classes")?.items().iter().filter_map(Value::text).collect();
        let models = part("models")?.items().iter().map(|m| matrix(m, names.len())).collect::<Result<_>>()?;
        let input = Input::of_models(models)
            .ensemble(matrix(part("ensemble")?, names.len())?)
            .class_names(&names)
            .params(&part("params")?.to_string());
        let labels = part("expected")?.get("labels").map_or(&[][..], Value::items);
        Ok(Case { input, expected: labels.iter().map(label).collect::<Result<_>>()? })
    }
}

fn matrix(value: &Value, columns: usize) -> Result<Matrix> {
    let mut values = Vec::new();
    for (i, row) in value.items().iter().enumerate() {
        values.extend(row.items().iter().filter_map(Value::number).map(|x| x as f32));
        if values.len() != (i + 1) * columns {
            return Err(Error::new(CODE_DATA, format!("row {} of a matrix does not have {} numbers", i, columns)));
        }
    }
    Ok(Matrix::new(columns, values))
}

fn label(value: &Value) -> Result<Label> {
    match value.items().iter().filter_map(Value::number).collect::<Vec<_>>()[..] {
        [row, class, weight] => Ok(Label::new(row as u64, class as u32).weighted(weight as f32)),
        _ => Err(Error::new(CODE_DATA, format!("{} is no label", value))),
    }
}
