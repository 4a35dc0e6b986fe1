//! Commands for the shell that do what the reference describes.

use crate::wire::http::operation::{Operation, Param, ParamKind};
use crate::wire::http::page::{Page, PageAnswer};

/// Optional parameters that requests have in most cases. The credit schedulers require one of two.
const TYPICAL: [&str; 3] = ["weight", "address", "gateway"];

/// The id of an image in the examples.
const IMAGE: &str = "5c31b5a9-3b63-4b2c-9c43-3d24f94b1a11";

/// How curl asks the server of pages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Curl<'a> {
    /// `http://host:port`
    pub(super) origin: &'a str,
    /// The account for whose password curl asks; `None` if the server needs none.
    pub(super) user: Option<&'a str>,
}

impl Curl<'_> {
    fn command(self) -> String {
        self.user.map_or_else(|| "curl".to_owned(), |user| format!("curl -u {}", quoted(user)))
    }

    /// An operation on a page.
    pub(super) fn operation(self, page: &Page, operation: &Operation) -> String {
        let name = operation.name;
        let mut line = format!("{} -H 'Accept: application/sxp' -d op={name}", self.command());
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
        let id = if page.answer == PageAnswer::Image { IMAGE } else { "1" };
        let path =
            page.path.replace("{domain}", "web1").replace("{id}", id).replace("{host}", "xen2");
        format!("{line} {}{path}", self.origin)
    }

    /// A call of XML-RPC. `target` is the address for curl; a shell replaces the variables in
    /// `body`.
    pub(super) fn call(self, target: &str, body: &str) -> String {
        format!("{} -d \"{body}\" {target}", self.command())
    }

    /// A call whose answer has a reference, which becomes a variable of the shell.
    pub(super) fn variable(self, name: &str, target: &str, body: &str) -> String {
        let line = self.call(target, body).replacen("curl", "curl -sS", 1);
        format!("{name}=$({line} | {REFERENCE})")
    }
}

/// The reference in an answer, or the first one of a list; nothing if the list is empty.
const REFERENCE: &str = r"sed -n 's:.*<name>Value</name><value>\(<array><data><value>\)\{0,1\}<string>\([^<]*\)<.*:\2:p'";

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
    fn a_user_is_named_in_all_commands() {
        let curl = Curl { origin: "http://a", user: Some("ann b") };
        assert_eq!(curl.call("http://a/RPC2", "x"), "curl -u 'ann b' -d \"x\" http://a/RPC2");
        let line = curl.variable("VM", "http://a", "x");
        assert!(line.starts_with("VM=$(curl -sS -u 'ann b' -d \"x\" http://a | sed"), "{line}");
        let open = Curl { user: None, ..curl };
        assert_eq!(open.call("http://a/RPC2", "x"), "curl -d \"x\" http://a/RPC2");
    }

    #[test]
    fn a_word_with_quotes_is_one_word() {
        assert_eq!(quoted("name=web1"), "name=web1");
        assert_eq!(quoted("args=root='/dev/xvda1'"), r"'args=root='\''/dev/xvda1'\'''");
    }
}
