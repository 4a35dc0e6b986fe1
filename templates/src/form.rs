//! Forms and buttons that perform operations. Their fields have the names of the HTTP interface's
//! parameters.
//!
//! Every label contains its input, so that neither needs an id. The name of the operation is the
//! value of the button, so that it is sent once.

use maud::{Markup, html};

/// A button that performs `op` with its form.
pub(crate) fn button(op: &str, label: &str) -> Markup {
    html! { button type="submit" name="op" value=(op) { (label) } }
}

/// The main button of a page.
pub(crate) fn primary_button(op: &str, label: &str) -> Markup {
    html! { button.primary type="submit" name="op" value=(op) { (label) } }
}

/// A button of an operation that can lose data, on a page that has asked.
pub(crate) fn danger_button(op: &str, label: &str) -> Markup {
    html! {
        @if is_harmful(op) {
            button.danger type="submit" name="op" value=(op) { (label) }
        } @else {
            (primary_button(op, label))
        }
    }
}

/// Whether an operation that asks first is painted as harmful. A guest that is asked to shut down
/// ends by itself.
fn is_harmful(op: &str) -> bool {
    op != "shutdown"
}

/// A form that posts to `href`. `content` contains its button. The script sends the form without
/// leaving the page.
pub(crate) fn post(href: &str, content: &Markup) -> Markup {
    html! { form method="post" action=(href) data-op { (content) } }
}

/// An operation behind a single button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub op: String,
    pub label: String,
    /// The path of the confirmation page, if data can be lost.
    pub confirm: Option<String>,
}

/// The buttons of a domain, whose page is at `href`. They belong to the page's single form with the
/// id `act`, so that a list of 1,000 domains does not need 1,000 forms.
pub(crate) fn actions(href: &str, name: &str, actions: &[Action]) -> Markup {
    html! {
        div.actions {
            @for action in actions {
                @let description = format!("{} {name}", action.label.trim_end_matches('…'));
                @match &action.confirm {
                    Some(confirm) => {
                        a.button.danger[is_harmful(&action.op)] href=(confirm) data-confirm
                            aria-label=(description) {
                            (action.label)
                        }
                    }
                    None => {
                        button form="act" formaction=(href) name="op" value=(action.op)
                            aria-label=(description) {
                            (action.label)
                        }
                    }
                }
                " "
            }
        }
    }
}

/// The form of the buttons that [`actions`] makes.
pub(crate) fn action_form() -> Markup {
    html! { form #act method="post" data-op {} }
}

/// The options of a `select`: values and what they are called.
pub(crate) fn options<'a>(
    choices: impl IntoIterator<Item = (&'a str, &'a str)>,
    selected: &str,
) -> Markup {
    html! {
        @for (value, label) in choices {
            option value=(value) selected[value == selected] { (label) }
        }
    }
}

/// Values and labels as [`options`] takes them.
pub(crate) fn pairs<A: AsRef<str>, B: AsRef<str>>(
    choices: &[(A, B)],
) -> impl Iterator<Item = (&str, &str)> {
    choices.iter().map(|(value, label)| (value.as_ref(), label.as_ref()))
}

/// A text area for a configuration.
pub(crate) fn configuration(text: &str, example: &str, rows: u32) -> Markup {
    html! {
        label {
            "Configuration (S-expression)"
            textarea name="config" rows=(rows) spellcheck="false" required placeholder=(example) {
                "\n" (text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_shut_down_is_not_painted_like_to_destroy() {
        let action = |op: &str, label: &str| Action {
            op: op.into(),
            label: label.into(),
            confirm: Some(format!("/xend/domain/pv1/confirm?op={op}")),
        };
        let all = [action("shutdown", "Shut down…"), action("destroy", "Destroy…")];
        let text = actions("/xend/domain/pv1", "pv1", &all).into_string();
        let class = |op: &str| {
            let link = text.split("<a ").find(|link| link.contains(&format!("op={op}"))).unwrap();
            link.split('"').nth(1).unwrap().to_owned()
        };
        assert_eq!(
            (class("shutdown").as_str(), class("destroy").as_str()),
            ("button", "button danger")
        );
        assert!(danger_button("shutdown", "Shut down").into_string().contains("primary"));
        assert!(danger_button("destroy", "Destroy").into_string().contains("danger"));
    }
}
