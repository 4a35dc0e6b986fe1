//! `keyinit`.

use crate::command::{Command, Context};
use crate::os;
use crate::root::words;
use serde_json::Value;
use xend_guest_protocol::command::KEYINIT;
use xend_guest_protocol::keys::{Private, Public};
use xend_guest_protocol::response::Response;

/// Agrees on a key for a password.
#[derive(Debug)]
pub struct KeyInit;

impl Command for KeyInit {
    fn name(&self) -> &'static str {
        KEYINIT
    }

    fn about(&self) -> &'static str {
        "Agrees on a key for the next password. The value is the host's public key, a decimal \
         number or text; the answer is D0 and the agent's public key. The key is good for one \
         attempt within 60 seconds. The exchange is weak: whoever reads both nodes in XenStore \
         learns the password."
    }

    fn changes_guest(&self) -> bool {
        false
    }

    fn run(&self, context: &mut Context<'_>, value: Option<&Value>) -> Response {
        context.session.key = None;
        let theirs = match Public::from_value(value.unwrap_or(&Value::Null)) {
            Ok(key) => key,
            Err(error) => return Response::failed(error.to_string()),
        };
        let mut random = match os::random() {
            Ok(random) => random,
            Err(error) => {
                return Response::failed(format!("There are no random bytes: {}", words(&error)));
            }
        };
        let private = Private::from_random(&mut random);
        context.session.key = Some((private.shared_with(theirs), context.now));
        Response::new(Response::KEY_OK, private.public().to_string())
    }
}
