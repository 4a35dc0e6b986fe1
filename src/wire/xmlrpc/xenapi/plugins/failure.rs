//! Failures of plug-ins. The original plug-ins were Python: the class and the text of an exception
//! came through the Xen-API.

use crate::core::error::Error;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};

/// The class of an exception.
pub(super) const KEY_ERROR: &str = "KeyError";
pub(super) const VALUE_ERROR: &str = "ValueError";
pub(super) const XENSTORE_ERROR: &str = "XenstoreError";

/// An exception in a function.
pub(super) fn exception(function: &str, class: &str, text: &str) -> Failure {
    Failure::new("XENAPI_PLUGIN_FAILURE", [function, class, text])
}

/// There is no domain with this domid: it is that of a guest before its reboot. A domain that the
/// caller does not see is none.
pub(super) fn rebooted(function: &str, dom_id: i64) -> Failure {
    let text = format!("REBOOT: dom_id {dom_id} no longer present");
    exception(function, "RebootDetectedError", &text)
}

/// XenStore has no such node.
pub(super) fn no_node(function: &str) -> Failure {
    exception(function, XENSTORE_ERROR, "No such path in XenStore")
}

/// The failure of a request to a guest. OpenStack's driver reads the texts.
pub(super) fn from_error(function: &str, error: Error) -> Failure {
    match error {
        Error::AgentTimeout { seconds } => {
            let text = format!("TIMEOUT: No response from agent within {seconds} seconds.");
            exception(function, "PluginError", &text)
        }
        Error::Rebooted(domid) => rebooted(function, domid.0.into()),
        Error::AgentLacks(what) => {
            let text = format!("NOT IMPLEMENTED: Agent does not support {what}.");
            exception(function, "NotImplementedError", &text)
        }
        Error::AgentFailed { message, .. } if !message.is_empty() => {
            exception(function, "PluginError", &message)
        }
        error @ (Error::AgentFailed { .. } | Error::AgentResponse(_)) => {
            exception(function, "PluginError", &error.to_string())
        }
        Error::Invalid(reason) => exception(function, XENSTORE_ERROR, &reason.to_string()),
        error => Failure::from_error(error, &FailureContext::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomId;

    #[test]
    fn failures_have_the_texts_that_drivers_look_for() {
        let text = |error| match from_error("version", error) {
            Failure::Code(code, params) => format!("{code} {}", params.join(" | ")),
            value @ Failure::Value { .. } => format!("{value:?}"),
        };
        for (error, expected) in [
            (
                Error::AgentTimeout { seconds: 30 },
                "PluginError | TIMEOUT: No response from agent within 30 seconds.",
            ),
            (Error::Rebooted(DomId(7)), "RebootDetectedError | REBOOT: dom_id 7 no longer present"),
            (
                Error::AgentLacks("file injection"),
                "NotImplementedError | NOT IMPLEMENTED: Agent does not support file injection.",
            ),
        ] {
            assert_eq!(text(error), format!("XENAPI_PLUGIN_FAILURE version | {expected}"));
        }
    }
}
