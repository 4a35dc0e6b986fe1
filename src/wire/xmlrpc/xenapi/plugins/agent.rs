//! The plug-in `agent` of OpenStack's driver, `agent.py` since its version 15: requests to the
//! agent inside a guest. The answer is the agent's response.

use super::call::{DomainWork, Work};
use super::function::Function;
use super::params::Params;
use crate::core::op::{Content, GuestCall, GuestOp};
use crate::wire::xmlrpc::xenapi::failure::Failure;

/// All functions. The original had none that asks for features.
pub(super) static FUNCTIONS: [Function; 6] = [
    Function { name: "version", make: |params| call(params, "version", text("agent")) },
    Function { name: "key_init", make: |params| call(params, "keyinit", params.content("pub")?) },
    Function {
        name: "password",
        make: |params| call(params, "password", params.content("enc_pass")?),
    },
    Function { name: "resetnetwork", make: |params| call(params, "resetnetwork", text("")) },
    Function {
        name: "inject_file",
        make: |params| {
            let op = GuestOp::InjectEncoded {
                path: params.content("b64_path")?,
                content: params.content("b64_contents")?,
            };
            ask(params, op)
        },
    },
    Function {
        name: "agentupdate",
        make: |params| {
            let value = format!("{},{}", params.text("url")?, params.text("md5sum")?);
            call(params, "agentupdate", text(&value))
        },
    },
];

fn text(value: &str) -> Content {
    Content(value.as_bytes().to_vec())
}

fn call(params: &Params<'_>, name: &'static str, value: Content) -> Result<Work, Failure> {
    ask(params, GuestOp::Call(GuestCall { name, value }))
}

fn ask(params: &Params<'_>, op: GuestOp) -> Result<Work, Failure> {
    // Clients choose a name for the request. It is checked as before, and not used.
    params.id()?;
    let work = DomainWork::Ask { op, limit: params.limit()? };
    Ok(Work::OfDomain { dom_id: params.dom_id()?, work })
}
