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
    /// The end of a guest's output.
    pub(in crate::backend::sim) fn console_text(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        let record = self.required_record(domid)?;
        let terminal = self.terminal(domid)?;
        let mut terminal = lock(&terminal);
        terminal.follow(&record, self.now());
        Ok(terminal.text())
    }

    /// Lets a guest print what it has to print, and read what was typed. Returns how it stops if it
    /// was told to.
    pub(in crate::backend::sim) fn use_terminal(
        &self,
        domid: DomId,
    ) -> Result<Option<ShutdownReason>, Error> {
        let record = self.required_record(domid)?;
        let memory = self.agent_memory(domid)?;
        let terminal = self.terminal(domid)?;
        let passwords = lock(&memory).passwords.clone();
        Ok(lock(&terminal).read_keys(&record, &passwords, self.now()))
    }

    pub(in crate::backend::sim) fn terminal(
        &self,
        domid: DomId,
    ) -> Result<Arc<Mutex<Terminal>>, Error> {
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
