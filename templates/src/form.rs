//! The forms that carry out operations, with fields named as the HTTP interface names them.
//!
//! Every label holds its input, so that the two belong together without an id. The name of the
//! operation travels as the value of the button that was pressed, once in a request.

use maud::{Markup, html};

/// A button that sends its form as the operation `op`.
pub(crate) fn button(op: &str, label: &str) -> Markup {
    html! { button type="submit" name="op" value=(op) { (label) } }
}

/// The button that a page is for.
pub(crate) fn primary_button(op: &str, label: &str) -> Markup {
    html! { button.primary type="submit" name="op" value=(op) { (label) } }
}

/// A button whose operation can lose data.
pub(crate) fn danger_button(op: &str, label: &str) -> Markup {
    html! { button.danger type="submit" name="op" value=(op) { (label) } }
}

/// A form that posts `content`, which holds its own button, to `href`. A script may send it without
/// leaving the page.
pub(crate) fn post(href: &str, content: &Markup) -> Markup {
    html! { form method="post" action=(href) data-op { (content) } }
}

/// What can be done at once, or after a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is sent as `op`.
    pub op: String,
    /// What the button says.
    pub label: String,
    /// Where the question is, if data can be lost.
    pub confirm: Option<String>,
}

/// Buttons for actions on what `href` is. They belong to the form with the id `act`, of which a
/// page has one: a list of a thousand domains needs no form for each.
pub(crate) fn actions(href: &str, name: &str, actions: &[Action]) -> Markup {
    html! {
        div.actions {
            @for action in actions {
                @let told = format!("{} {name}", action.label.trim_end_matches('…'));
                @match &action.confirm {
                    Some(question) => {
                        a.button.danger href=(question) data-confirm aria-label=(told) { (action.label) }
                    }
                    None => {
                        button form="act" formaction=(href) name="op" value=(action.op) aria-label=(told) { (action.label) }
                    }
                }
                " "
            }
        }
    }
}

/// The form of these buttons.
pub(crate) fn action_form() -> Markup {
    html! { form #act method="post" data-op {} }
}

/// A text area for a configuration.
pub(crate) fn configuration(text: &str, example: &str, rows: u32) -> Markup {
    html! {
        label {
            "Configuration (S-expression)"
            textarea name="config" rows=(rows) spellcheck="false" required placeholder=(example) { "\n" (text) }
        }
    }
}
