//! The handle that implements the ports.

use super::answers::{call_failed, domain_call_failed};
use super::ffi::{Failure, Libxl};
use super::host::XenHost;
use super::{report_watch, watch};
use crate::core::error::Error;
use crate::core::model::{DomId, Password};
use crate::core::ports::Clock;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task;

/// A handle to the Xen of this host. Clones share it.
#[derive(Clone)]
pub struct Xen(Arc<XenHost>);

impl fmt::Debug for Xen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xen").finish_non_exhaustive()
    }
}

impl Xen {
    /// Opens libxl, which fails on a host without Xen. `limit` is how long the caller waits for one
    /// call, and `vnc_password` is the password of VNC screens that have none of their own. Blocks.
    pub fn open(
        limit: Duration,
        vnc_password: Option<Password>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let libxl = Libxl::open(limit).map_err(|failure| {
            Error::backend(
                "Xen cannot be reached: is this Domain-0, and does xenstored run?",
                failure,
            )
        })?;
        let host = Arc::new(XenHost::new(libxl, limit, vnc_password, clock)?);
        watch::start(&host)
            .map_err(|error| Error::backend("No thread for libxl's events", error))?;
        report_watch::start(&host.reports)
            .map_err(|error| Error::backend("No thread for reports of guests", error))?;
        Ok(Self(host))
    }

    pub(super) fn host(&self) -> &XenHost {
        &self.0
    }

    /// Runs a function that blocks. It runs to its end even if the caller stops waiting.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&XenHost) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let host = Arc::clone(&self.0);
        let done = task::spawn_blocking(move || work(&host)).await;
        done.unwrap_or_else(|error| Err(Error::backend("A call of libxl was aborted", error)))
    }

    /// Makes one call of libxl. `what` names it in an error: "Reading the host".
    pub(super) async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        call: impl FnOnce(&Libxl) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.blocking(move |host| call(&host.libxl).map_err(|failure| call_failed(what, failure)))
            .await
    }

    /// Makes one call of libxl on a domain.
    pub(super) async fn domain_call<T: Send + 'static>(
        &self,
        domid: DomId,
        what: &'static str,
        call: impl FnOnce(&Libxl, u32) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let DomId(domid) = domid;
        self.blocking(move |host| {
            call(&host.libxl, domid).map_err(|failure| domain_call_failed(domid, what, failure))
        })
        .await
    }
}
