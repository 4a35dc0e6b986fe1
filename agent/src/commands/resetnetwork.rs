//! `resetnetwork`: configures the network as the host has written it into `vm-data`.

use crate::command::{Command, Context};
use crate::network::kernel::{Kernel, Linux};
use crate::network::reset::reset;
use serde_json::Value;
use xend_guest_protocol::command::RESETNETWORK;
use xend_guest_protocol::response::Response;

/// Writes the network's configuration in the distribution's own way, applies it, and takes it back
/// if the addresses do not come.
pub struct ResetNetwork {
    kernel: Box<dyn Kernel>,
}

impl ResetNetwork {
    /// Resets the network of the system that `kernel` runs.
    pub fn new(kernel: Box<dyn Kernel>) -> Self {
        Self { kernel }
    }
}

impl Default for ResetNetwork {
    fn default() -> Self {
        Self::new(Box::new(Linux))
    }
}

impl Command for ResetNetwork {
    fn name(&self) -> &'static str {
        RESETNETWORK
    }

    fn about(&self) -> &'static str {
        "Sets addresses, routes, name servers and the host name as the host has written them into \
         vm-data/networking and vm-data/hostname, in the files and by the tools of the guest's \
         distribution. If that fails or the addresses do not come, the old network is put back. \
         Replaced files are kept. The value is ignored."
    }

    fn run(&self, context: &mut Context<'_>, _value: Option<&Value>) -> Response {
        match reset(context.system, context.data, &*self.kernel) {
            Ok(()) => Response::ok(""),
            Err(error) => Response::failed(error.to_string()),
        }
    }
}
