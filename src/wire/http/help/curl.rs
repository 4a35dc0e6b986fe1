//! Commands for the shell that do what the reference describes.

use crate::wire::http::operation::{Operation, Param, ParamKind};
use crate::wire::http::page::Page;

/// Optional parameters that requests have in most cases. The credit schedulers require one of two.
const TYPICAL: [&str; 3] = ["weight", "address", "gateway"];

/// An operation on a page of the server at `origin`.
pub(super) fn operation(origin: &str, page: &Page, operation: &Operation) -> String {
    let mut line = format!("curl -H 'Accept: application/sxp' -d op={}", operation.name);
    let shown = operation
        .params
        .iter()
        .filter(|param| param.default.is_none() || TYPICAL.contains(&param.name));
    for param in shown {
        let option = if is_free_text(param) { "--data-urlencode" } else { "-d" };
        let field = match param.kind {
            // Every user of a machine sees the command lines of its programs.
            ParamKind::Password => format!("{}@file", param.name),
            _ => format!("{}={}", param.name, param.example),
        };
        line.extend([" ", option, " ", &quoted(&field)]);
    }
    let path = page.path.replace("{domain}", "web1").replace("{id}", "1");
    format!("{line} {origin}{path}")
}

/// A call of XML-RPC. `target` is the address for curl; a shell replaces the variables in `body`.
pub(super) fn call(target: &str, body: &str) -> String {
    format!("curl -d \"{body}\" {target}")
}

/// The reference in an answer, or the first one of a list; nothing if the list is empty.
const REFERENCE: &str = r"sed -n 's:.*<name>Value</name><value>\(<array><data><value>\)\{0,1\}<string>\([^<]*\)<.*:\2:p'";

/// A call whose answer has a reference, which becomes a variable of the shell.
pub(super) fn variable(name: &str, target: &str, body: &str) -> String {
    let line = call(target, body).replacen("curl", "curl -sS", 1);
    format!("{name}=$({line} | {REFERENCE})")
}

const fn is_free_text(param: &Param) -> bool {
    !matches!(
        param.kind,
        ParamKind::Number(_) | ParamKind::Quantity(_) | ParamKind::Flag | ParamKind::Word(_)
    )
}

/// A word of the shell.
fn quoted(word: &str) -> String {
    let is_plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"=-_./:@".contains(&b));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_quotes_is_one_word() {
        assert_eq!(quoted("name=web1"), "name=web1");
        assert_eq!(quoted("args=root='/dev/xvda1'"), r"'args=root='\''/dev/xvda1'\'''");
    }
}
