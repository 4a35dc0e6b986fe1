//! `features`.

use crate::command::{Command, Context};
use serde_json::Value;
use xend_guest_protocol::command::{FEATURES, features};
use xend_guest_protocol::response::Response;

/// Lists the commands.
#[derive(Debug)]
pub struct Features;

impl Command for Features {
    fn name(&self) -> &'static str {
        FEATURES
    }

    fn about(&self) -> &'static str {
        "Lists the names of all commands that are on, with commas and without blanks, as hosts \
         compare them. The value is ignored."
    }

    fn changes_guest(&self) -> bool {
        false
    }

    fn run(&self, context: &mut Context<'_>, _: Option<&Value>) -> Response {
        Response::ok(features((context.features)().iter().map(String::as_str)))
    }
}
