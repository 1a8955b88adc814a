//! The host in memory holds policies to the contract, as upl-host does. That its views
//! are upl-host's, upl-host's own tests hold, by the probe beside this file.

use std::cell::Cell;

use upl_plugin::testing::{CandidateSet, Input, Matrix, SoftLabel};
use upl_plugin::*;

const ALL_KINDS: &[EmitKind] = &[EMIT_SOFT, EMIT_CANDIDATES, EMIT_DROP];

type EndRound = fn(&mut Round) -> Result<Next>;

thread_local! {
    /// What the policy of a test does: `Policy` takes types, not values.
    static END_ROUND: Cell<EndRound> = Cell::new(|_| Ok(Next::Done));
}

struct Scripted;

impl Selection for Scripted {
    fn configure(_: &Setup) -> Result<Self> {
        Ok(Scripted)
    }

    fn end_round(&mut self, round: &mut Round) -> Result<Next> {
        END_ROUND.with(Cell::get)(round)
    }
}

fn scripted(end_round: EndRound) -> Policy {
    END_ROUND.with(|cell| cell.set(end_round));
    Policy::selection::<Scripted>("scripted").rounds()
}

fn input() -> Input {
    Input::new(Matrix::from([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [0.25, 0.25, 0.5]]))
        .takes(ALL_KINDS)
}

fn refused(end_round: EndRound) -> Error {
    input().select(&scripted(end_round)).expect_err("is taken")
}

fn done(result: Result<()>) -> Result<Next> {
    result.map(|()| Next::Done)
}

fn candidate(class: u32, p: f32) -> Candidate {
    Candidate { class, p }
}

#[test]
fn results_are_sorted() {
    let got = input().select(&scripted(|round| {
        round.drop_row(3)?;
        round.emit(Label::new(1, 2))?;
        round.emit_soft(0, 2.0, &[candidate(2, 0.25), candidate(1, 0.75)])?;
        round.emit(Label::new(1, 0).weighted(0.5))?;
        round.emit_candidates(2, 1.0, &[2, 0])?;
        Ok(Next::Done)
    }));
    let got = got.unwrap();
    assert_eq!(got.labels, [Label::new(1, 0).weighted(0.5), Label::new(1, 2)]);
    let soft = SoftLabel { row: 0, weight: 2.0, classes: vec![candidate(1, 0.75), candidate(2, 0.25)] };
    assert_eq!(got.soft, [soft]);
    assert_eq!(got.candidates, [CandidateSet { row: 2, weight: 1.0, classes: vec![0, 2] }]);
    assert_eq!((got.drops, got.rounds), (vec![3], 1));
}

#[test]
fn wrong_records_end_the_run() {
    let wrong: &[(EndRound, &str)] = &[
        (|round| done(round.emit(Label::new(4, 0))), "there are 4 rows"),
        (|round| done(round.emit(Label::new(0, 3))), "class 3 of 3"),
        (|round| done(round.emit(Label::new(0, 0).weighted(-1.0))), "weight -1"),
        (|round| done(round.emit(Label::new(0, 0).weighted(f32::NAN))), "weight NaN"),
        (|round| done(round.emit(Label::new(0, 0).weighted(1000.5))), "weight 1000.5"),
        (|round| done(round.emit(Label { flags: 1, ..Label::new(0, 0) })), "reserved fields"),
        (|round| done(round.emit(Label::new(0, 0)).and(round.emit(Label::new(0, 0)))), "same label twice"),
        (|round| done(round.emit(Label::new(0, 0)).and(round.drop_row(0))), "row 0 is among"),
        (|round| done(round.drop_row(0).and(round.drop_row(0))), "row 0 is among"),
        (|round| done(round.emit_soft(0, 1.0, &[candidate(0, 0.5), candidate(1, 0.25)])), "no distribution"),
        (|round| done(round.emit_soft(0, 1.0, &[candidate(0, 1.5), candidate(1, -0.5)])), "no distribution"),
        (|round| done(round.emit_soft(0, 1.0, &[])), "0 classes"),
        (|round| done(round.emit_candidates(0, 1.0, &[1, 1])), "class 1 twice"),
        (|round| done(round.emit_candidates(0, 1.0, &[0, 1, 2, 0])), "4 classes of 3"),
    ];
    for (end_round, says) in wrong {
        let error = refused(*end_round);
        assert!(error.message.contains("breaks the plugin contract"), "{}", error);
        assert!(error.message.contains(says), "{} does not say {}", error, says);
    }
}

/// A record that is wrong ends the run whatever the policy makes of the error.
#[test]
fn breaches_cannot_be_swallowed() {
    let error = refused(|round| {
        for _ in 0..2000 {
            let _ = round.emit(Label::new(9, 0));
        }
        Ok(Next::Done)
    });
    assert!(error.message.contains("there are 4 rows"), "{}", error);
}

#[test]
fn kinds_that_the_host_does_not_take_are_refused() {
    let policy = scripted(|round| {
        assert!(round.takes(EMIT_HARD) && !round.takes(EMIT_SOFT) && !round.takes(EMIT_COMBINED));
        done(round.drop_row(0))
    });
    let error = input().takes(&[]).select(&policy).unwrap_err();
    assert_eq!(error, Error::new(CODE_NOT_SUPPORTED, "emitting dropped rows: dropped rows are of no use to this host"));
}

#[test]
fn rounds_have_a_limit_and_a_declaration() {
    let forever: EndRound = |_| Ok(Next::Round);
    assert_eq!(input().max_rounds(3).select(&scripted(forever)).unwrap_err().code, CODE_LIMIT);
    scripted(forever);
    let undeclared = Policy::selection::<Scripted>("scripted");
    assert!(input().select(&undeclared).unwrap_err().message.contains("without having declared"));
}

#[test]
fn the_policy_s_own_error_reaches_the_author() {
    assert_eq!(refused(|_| Err(Error::new(CODE_DATA, "too little"))), Error::new(CODE_DATA, "too little"));
    assert_eq!(refused(|round| round.param::<u32>("k").map(|_| Next::Done)), Error::unusable("k", "is missing"));
}

#[test]
fn random_bytes_are_the_round_s() {
    let policy = || {
        scripted(|round| {
            let mut bytes = [0; 8];
            round.random(&mut bytes)?;
            round.log(LEVEL_INFO, format_args!("{:?}", bytes));
            Ok(if round.number() < 2 { Next::Round } else { Next::Done })
        })
    };
    let draws = |seed| input().seed(seed).select(&policy()).unwrap().log;
    let texts: Vec<_> = draws(1).into_iter().map(|l| l.text).collect();
    assert!(texts[0] != texts[1] && texts[1] != texts[2]);
    assert_eq!(draws(1), draws(1));
    assert_ne!(draws(1), draws(2));
}

#[test]
fn parameters_have_defaults_and_no_others_are_known() {
    let schema =
        r#"{"type": "object", "additionalProperties": false, "properties": {"k": {"default": 3}, "free": true}}"#;
    let policy = scripted(|round| {
        round.metric("k", round.param("k")?)?;
        Ok(Next::Done)
    });
    let policy = policy.parameters(schema);
    assert_eq!(input().select(&policy).unwrap().metric("k"), Some(3.0));
    assert_eq!(input().params(r#"{"k": 4, "free": null}"#).select(&policy).unwrap().metric("k"), Some(4.0));
    let error = input().params(r#"{"K": 4}"#).select(&policy).unwrap_err();
    assert_eq!(error, Error::unusable("K", "unknown"));
    assert_eq!(input().params("[]").select(&policy).unwrap_err().code, CODE_CONFIG);
    assert!(input().select(&policy.parameters("{")).unwrap_err().message.contains("schema of parameters"));
}

#[test]
fn a_plugin_describes_itself() {
    let policy =
        scripted(|_| Ok(Next::Done)).version("1.2.3").summary("quoted \"and\"\n").needs(&[VIEW_TOP_M, VIEW_ROWS]);
    let text = describe(&[policy, Policy::ensemble::<Half>("half")]);
    let policies = json::Value::parse(&text).unwrap();
    let policies = policies.get("policies").unwrap().items();
    let want = concat!(
        r#"{"name":"scripted","version":"1.2.3","kind":"selection","summary":"quoted \"and\"\u000a","#,
        r#""needs":{"views":["top_m","rows"],"rounds":true},"parameters":{"type":"object","additionalProperties":false}}"#
    );
    assert_eq!(policies[0].to_string(), want);
    assert_eq!(policies[1].get("kind").and_then(json::Value::text), Some("ensemble"));
}

/// Gives each row the first of its models, times a parameter.
struct Half {
    times: f32,
    rows: View<f32>,
}

impl Ensemble for Half {
    fn configure(setup: &Setup) -> Result<Self> {
        Ok(Half { times: setup.param("times")?, rows: setup.views().rows(Source::Model(0))? })
    }

    fn combine(&mut self, batch: &Batch, round: &mut Round, output: &mut [f32]) -> Result<()> {
        for (out, p) in output.iter_mut().zip(self.rows.batch(batch)?) {
            *out = p * self.times;
        }
        round.metric("rows", batch.rows as f64)
    }
}

#[test]
fn ensembles_combine_batch_by_batch() {
    let schema = r#"{"properties": {"times": {"default": 1}}}"#;
    let policy = Policy::ensemble::<Half>("half").needs(&[VIEW_ROWS]).parameters(schema);
    let (a, b) = (Matrix::from([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]), Matrix::from([[1.0, 0.0]; 3]));
    let input = || Input::of_models(vec![a.clone(), b.clone()]).batch_rows(2);
    let got = input().combine(&policy).unwrap();
    assert_eq!(got.probabilities, a);
    assert_eq!(got.metrics.iter().map(|m| m.value).collect::<Vec<_>>(), [2.0, 1.0]);
    let error = input().params(r#"{"times": 0.5}"#).combine(&policy).unwrap_err();
    assert!(error.message.contains("breaks the plugin contract"), "{}", error);
    assert_eq!(input().select(&policy).unwrap_err().code, CODE_INVALID);
    let undeclared = Policy::ensemble::<Half>("half").parameters(schema);
    assert_eq!(input().combine(&undeclared).unwrap_err().code, CODE_DENIED);
}

#[test]
fn data_that_are_no_probabilities_are_refused() {
    for row in [[0.5, 0.25], [1.5, -0.5], [f32::NAN, 1.0], [f32::INFINITY, 0.0]] {
        let error = Input::new(Matrix::from([[1.0, 0.0], row])).select(&scripted(|_| Ok(Next::Done))).unwrap_err();
        assert!(error.code == CODE_DATA && error.message.contains("row 1"), "{}", error);
    }
}
