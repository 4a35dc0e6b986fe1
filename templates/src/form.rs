//! The forms that carry out operations, with fields named as the HTTP interface names them.
//!
//! Every label holds its input, so that the two belong together without an id. The name of the operation
//! travels as the value of the button that was pressed, once in a request.

use maud::{Markup, html};

/// A button that sends its form as the operation `op`.
pub(crate) fn button(op: &str, label: &str) -> Markup {
    html! { button type="submit" name="op" value=(op) { (label) } }
}

/// A button whose operation can lose data.
pub(crate) fn danger_button(op: &str, label: &str) -> Markup {
    html! { button.danger type="submit" name="op" value=(op) { (label) } }
}

/// A form that posts `content`, which holds its own button, to `href`.
pub(crate) fn post(href: &str, content: &Markup) -> Markup {
    html! { form method="post" action=(href) { (content) } }
}

/// What distinguishes one pair of configuration forms from another.
pub(crate) struct Configuration<'a> {
    /// Where both forms lead.
    pub(crate) href: &'a str,
    /// The operation that takes the configuration.
    pub(crate) op: &'a str,
    /// The text of both buttons.
    pub(crate) label: &'a str,
    /// A small valid configuration, shown while the text area is empty.
    pub(crate) example: &'a str,
}

/// Two forms that send a configuration: one as pasted text, one as a file.
///
/// They are two because both send it as `config`, which a request may hold only once.
pub(crate) fn configuration(form: &Configuration<'_>) -> Markup {
    html! {
        form method="post" action=(form.href) enctype="multipart/form-data" {
            label.wide {
                "Configuration (S-expression)"
                textarea name="config" rows="10" spellcheck="false" required placeholder=(form.example) {}
            }
            (button(form.op, form.label))
        }
        form method="post" action=(form.href) enctype="multipart/form-data" {
            label { "Configuration file " input type="file" name="config" required; }
            (button(form.op, form.label))
        }
    }
}
