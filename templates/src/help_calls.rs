//! Calls of XML-RPC in the reference.

use crate::parts::copyable;
use maud::{Markup, html};

/// Calls that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpCalls {
    /// The heading: `VM`.
    pub name: String,
    pub is_open: bool,
    /// The command that gives the shell an object that the examples name.
    pub variable: Option<String>,
    pub calls: Vec<HelpCall>,
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
    pub(crate) fn markup(&self) -> Markup {
        html! {
            section.card.calls aria-label=(self.name) {
                details open[self.is_open] {
                    summary { h2 { code { (self.name) } } " " small { (self.calls.len()) " calls" } }
                    @if let Some(variable) = &self.variable {
                        p { "An object for the lines below:" }
                        (copyable(&format!("object-{}", self.name), variable))
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
