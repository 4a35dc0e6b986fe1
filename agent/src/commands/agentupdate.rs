//! `agentupdate`.

use crate::command::{Command, Context};
use serde_json::Value;
use xend_guest_protocol::command::AGENTUPDATE;
use xend_guest_protocol::response::Response;

/// Refuses to replace the agent.
#[derive(Debug)]
pub struct AgentUpdate;

impl Command for AgentUpdate {
    fn name(&self) -> &'static str {
        AGENTUPDATE
    }

    fn about(&self) -> &'static str {
        "Refused. The original ran an installer from a URL as root; this agent is updated as the \
         other packages of its system are. The value is \"url,md5\", and is ignored."
    }

    fn run(&self, _: &mut Context<'_>, _: Option<&Value>) -> Response {
        Response::failed("This agent is updated by its system's packages only")
    }
}
