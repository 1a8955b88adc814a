use std::rc::Rc;

use crate::abi::{CODE_CONFIG, CODE_NOT_SUPPORTED, CODE_STATE, EMIT_COMBINED, SIZE_HEAD};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::policy::{Batches, Next, Policy, Running};
use crate::record::{bytes, bytes_mut};
use crate::round::{Batch, Round};
use crate::setup::Setup;

/// Drives one policy through one run on the guest's side of the binary interface:
/// its methods are the exported functions.
pub(crate) struct Guest {
    setup: Rc<Setup>,
    policy: Box<dyn Running>,
    round: Option<Round>,
    combined: Vec<f32>, // EMIT_COMBINED's head, then rows
}

/// Elements of the head of [`Guest::combined`].
const HEAD: usize = SIZE_HEAD / 4;

impl Guest {
    /// Is `upl_configure`, of the policy that the configuration names.
    pub fn configure(host: Rc<dyn Host>, policies: &[Policy]) -> Result<Guest> {
        let setup = Rc::new(Setup::new(host)?);
        let policy = policies
            .iter()
            .find(|p| p.name == setup.policy)
            .ok_or_else(|| Error::new(CODE_CONFIG, format!("there is no policy {:?} in this plugin", setup.policy)))?;
        let policy = (policy.configure)(&setup)?;
        Ok(Guest { setup, policy, round: None, combined: Vec::new() })
    }

    /// Is `upl_begin_round`.
    pub fn begin_round(&mut self, number: u32) -> Result<Batches> {
        self.policy.begin_round(self.round.insert(Round::new(number, &self.setup)))
    }

    /// Is `upl_observe`.
    pub fn observe(&mut self, batch: &Batch) -> Result<()> {
        let round = begun(&mut self.round)?;
        self.policy.observe(batch, round)?;
        round.flush_all()
    }

    /// Is `upl_end_round`.
    pub fn end_round(&mut self) -> Result<Next> {
        let round = begun(&mut self.round)?;
        let next = self.policy.end_round(round)?;
        round.flush_all()?;
        Ok(next)
    }

    /// Is `upl_combine`.
    pub fn combine(&mut self, batch: &Batch) -> Result<()> {
        let round = begun(&mut self.round)?;
        let classes = self.setup.classes;
        self.combined.resize(HEAD + batch.rows * classes, 0.0);
        let (head, output) = self.combined.split_at_mut(HEAD);
        self.policy
            .combine(batch, round, output)
            .unwrap_or_else(|| Err(Error::new(CODE_NOT_SUPPORTED, "this policy is no ensemble")))?;
        let head = bytes_mut(head);
        head[..8].copy_from_slice(&batch.first.to_le_bytes());
        head[8..12].copy_from_slice(&(batch.rows as u32).to_le_bytes());
        head[12..].copy_from_slice(&(classes as u32).to_le_bytes());
        let result = self.setup.host.emit(EMIT_COMBINED, bytes(&self.combined));
        result.map_err(|e| e.during("emitting probabilities"))
    }
}

fn begun(round: &mut Option<Round>) -> Result<&mut Round> {
    round.as_mut().ok_or_else(|| Error::new(CODE_STATE, "no round has begun"))
}
