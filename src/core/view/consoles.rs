//! What guests print and show.

use super::View;
use crate::core::backend::no_screen;
use crate::core::consoles::ConsoleViewer;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{DomId, DomainRef};
use crate::core::ports::GuestStream;
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use std::sync::Arc;

impl View {
    /// The end of a guest's console output.
    pub async fn console(&self, domain: &DomainRef) -> Result<Vec<u8>, Error> {
        let (view, domid) = self.on_host(domain)?;
        self.require_on(OpKind::ReadConsole, "console", &view)?;
        if view.is_privileged() {
            return Err(Error::Privileged("read the console of"));
        }
        self.core.hypervisor.console(domid).await
    }

    /// Opens a guest's console, to read and to type.
    pub async fn open_console(&self, domain: &DomainRef) -> Result<ConsoleViewer, Error> {
        let (view, domid) = self.on_host(domain)?;
        self.require_on(OpKind::UseConsole, "console", &view)?;
        if view.is_privileged() {
            return Err(Error::Privileged("open the console of"));
        }
        let Core { hypervisor, consoles, tasks, stopping, .. } = &*self.core;
        consoles.view(&**hypervisor, domid, tasks, stopping).await
    }

    /// The address of a guest's screen, for the viewers of this host: `127.0.0.1:5900`.
    pub fn screen_address(&self, domain: &DomainRef) -> Result<String, Error> {
        let (view, _) = self.with_screen(domain)?;
        view.screen_address().ok_or_else(no_screen)
    }

    /// Connects to a guest's screen, to see and to use it: a stream of RFB, see
    /// [`Hypervisor::open_screen`](crate::core::ports::Hypervisor::open_screen).
    pub async fn open_screen(&self, domain: &DomainRef) -> Result<Box<dyn GuestStream>, Error> {
        let (_, domid) = self.with_screen(domain)?;
        self.core.hypervisor.open_screen(domid).await
    }

    /// The domain, whose screen the caller may use, and which can have one.
    fn with_screen(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, DomId), Error> {
        let (view, domid) = self.on_host(domain)?;
        self.require_on(OpKind::UseScreen, "screen", &view)?;
        if view.is_privileged() {
            return Err(Error::Privileged("open the screen of"));
        }
        Ok((view, domid))
    }
}
