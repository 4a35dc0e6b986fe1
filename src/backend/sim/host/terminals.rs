//! The consoles and screens of the guests of the host.

use super::{Host, no_such_domain};
use crate::backend::rfb_login::Challenge;
use crate::backend::sim::lock::lock;
use crate::backend::sim::screen::scene::Screen;
use crate::backend::sim::terminal::Terminal;
use crate::core::error::Error;
use crate::core::model::{DomId, ShutdownReason};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

impl Host {
    /// The console of a guest, with all that the guest has printed until now.
    pub(in crate::backend::sim) fn terminal(
        &self,
        domid: DomId,
    ) -> Result<Arc<Mutex<Terminal>>, Error> {
        let record = self.required_record(domid)?;
        let terminal = self.terminal_of(domid)?;
        lock(&terminal).follow(&record, self.now());
        Ok(terminal)
    }

    /// Lets a guest print what it has to print, and read what was typed. Returns how it stops if it
    /// was told to.
    pub(in crate::backend::sim) fn use_terminal(
        &self,
        domid: DomId,
    ) -> Result<Option<ShutdownReason>, Error> {
        let record = self.required_record(domid)?;
        let memory = self.agent_memory(domid)?;
        let terminal = self.terminal_of(domid)?;
        let memory = lock(&memory);
        Ok(lock(&terminal).read_keys(&record, &memory.passwords, self.now()))
    }

    fn terminal_of(&self, domid: DomId) -> Result<Arc<Mutex<Terminal>>, Error> {
        let domains = lock(&self.domains);
        let entry = domains.by_domid.get(&domid).ok_or_else(|| no_such_domain(domid))?;
        Ok(Arc::clone(&entry.terminal))
    }

    /// A guest's screen, and what is cancelled when its domain is destroyed.
    pub(in crate::backend::sim) fn screen(
        &self,
        domid: DomId,
    ) -> Result<(Arc<Screen>, CancellationToken), Error> {
        let domains = lock(&self.domains);
        let entry = domains.by_domid.get(&domid).ok_or_else(|| no_such_domain(domid))?;
        Ok((Arc::clone(&entry.screen), entry.destroyed.clone()))
    }

    /// What a viewer of a screen with a password has to encrypt.
    pub(in crate::backend::sim) fn screen_challenge(&self) -> Challenge {
        let mut challenge = Challenge::default();
        self.entropy.fill(challenge.as_flattened_mut());
        challenge
    }
}
