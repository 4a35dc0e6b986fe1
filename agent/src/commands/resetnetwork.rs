//! `resetnetwork`: configures the network as the host has written it into `vm-data`.

use crate::command::{Command, Context};
use crate::network::addresses::{Addresses, KernelAddresses};
use crate::network::reset::reset;
use serde_json::Value;
use xend_guest_protocol::command::RESETNETWORK;
use xend_guest_protocol::response::Response;

/// Writes the network's configuration in the distribution's own way, applies it, and takes it back
/// if the addresses do not come.
pub struct ResetNetwork {
    addresses: Box<dyn Addresses>,
}

impl ResetNetwork {
    /// `addresses` tells whether the addresses have come.
    pub fn new(addresses: Box<dyn Addresses>) -> Self {
        Self { addresses }
    }
}

impl Default for ResetNetwork {
    fn default() -> Self {
        Self::new(Box::new(KernelAddresses))
    }
}

impl Command for ResetNetwork {
    fn name(&self) -> &'static str {
        RESETNETWORK
    }

    fn about(&self) -> &'static str {
        "Sets addresses, routes, name servers and the host name as the host has written them into \
         vm-data/networking and vm-data/hostname, in the files and by the tools of the guest's \
         distribution. If the addresses do not come, the old files are put back. The value is \
         ignored."
    }

    fn run(&self, context: &mut Context<'_>, _value: Option<&Value>) -> Response {
        match reset(context.system, context.data, &*self.addresses) {
            Ok(()) => Response::ok(""),
            Err(error) => Response::failed(error.to_string()),
        }
    }
}
