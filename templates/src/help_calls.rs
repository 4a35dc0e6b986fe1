//! Calls of XML-RPC in the reference.

use crate::parts::copyable;
use maud::{Markup, html};

/// Calls that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpCalls {
    /// The heading: `VM`.
    pub name: String,
    pub is_open: bool,
    /// The object that the examples name.
    pub object: Option<HelpObject>,
    pub calls: Vec<HelpCall>,
}

/// An object that a variable of the shell stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpObject {
    /// Which object it is.
    pub about: String,
    /// The command that sets the variable.
    pub example: String,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpCall {
    /// The name with the parameters.
    pub signature: String,
    /// A command for the shell.
    pub example: String,
}

impl HelpCalls {
    fn count(&self) -> String {
        match self.calls.len() {
            1 => "1 call".to_owned(),
            count => format!("{count} calls"),
        }
    }

    pub(crate) fn markup(&self) -> Markup {
        html! {
            section.card.calls aria-label=(self.name) {
                details open[self.is_open] {
                    summary { h2 { code { (self.name) } } " " small { (self.count()) } }
                    @if let Some(object) = &self.object {
                        p { (object.about) }
                        (copyable(&format!("object-{}", self.name), &object.example))
                    }
                    @for (n, call) in self.calls.iter().enumerate() {
                        h3 { code { (call.signature) } }
                        (copyable(&format!("call-{}-{n}", self.name), &call.example))
                    }
                }
            }
        }
    }
}

/// What comes before all calls: the session.
pub(crate) fn login_section(line: &str) -> Markup {
    html! {
        section.card aria-labelledby="login-title" {
            h2 #login-title { "Log in" }
            p {
                "Every call needs a session. On the unix socket root needs no password; elsewhere, \
                 give the name and the password of an account."
            }
            (copyable("login-line", line))
        }
    }
}
