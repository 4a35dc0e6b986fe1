//! `version`.

use crate::command::{Command, Context};
use serde_json::Value;
use xend_guest_protocol::command::VERSION;
use xend_guest_protocol::response::Response;

/// The version that hosts compare with the newest one they have an update for.
///
/// It is that of the last OpenStack agent for Unix, whose commands and answers these are. This
/// project's own version would be older than any of them, and OpenStack would ask for an update at
/// each start of a guest.
pub const COMPATIBLE: &str = "1.39.1";

/// Tells the version.
#[derive(Debug)]
pub struct Version(pub String);

impl Command for Version {
    fn name(&self) -> &'static str {
        VERSION
    }

    fn about(&self) -> &'static str {
        "Tells which version of the OpenStack agent this one is compatible with. The value is \
         \"agent\" or nothing, and is ignored."
    }

    fn changes_guest(&self) -> bool {
        false
    }

    fn run(&self, _: &mut Context<'_>, _: Option<&Value>) -> Response {
        Response::ok(&*self.0)
    }
}
