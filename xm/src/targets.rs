//! Paths of xend's pages, and the forms of its operations.

use crate::failure::Failure;
use std::fmt::Write as _;

/// The page of all domains.
pub(crate) const DOMAINS: &str = "/xend/domain";

/// The path of a domain's page. The page of no name would be that of all domains.
pub(crate) fn domain_path(name: &str) -> Result<String, Failure> {
    if name.is_empty() {
        return Err(Failure::no_such_domain(name));
    }
    Ok(format!("{DOMAINS}/{}", escaped(name)))
}

/// The form of an operation.
pub(crate) fn form(op: &str, parameters: &[(&str, impl AsRef<[u8]>)]) -> String {
    let mut form = format!("op={}", escaped(op));
    for (name, value) in parameters {
        let _ = write!(form, "&{name}={}", escaped(value));
    }
    form
}

/// The page of the domains in a state.
pub(crate) fn domains_target(state: &str) -> String {
    format!("{DOMAINS}?detail=1&state={}", escaped(state))
}

/// The page of the domains in a state on all hosts of the fleet.
pub(crate) fn fleet_target(state: &str) -> String {
    format!("{DOMAINS}?host=all&state={}", escaped(state))
}

/// Escapes what has a meaning in paths and forms.
pub(crate) fn escaped(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let mut out = String::with_capacity(text.len());
    for byte in text.iter().copied() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(domain_path("a b/c+d").unwrap(), "/xend/domain/a%20b%2Fc%2Bd");
        assert_eq!(domain_path("web-1.x").unwrap(), "/xend/domain/web-1.x");
        assert_eq!(domain_path("").unwrap_err(), Failure::no_such_domain(""));
        let parameters = [("file", &b"/\xfc"[..]), ("force", b"0")];
        assert_eq!(form("save", &parameters), "op=save&file=%2F%FC&force=0");
    }
}
