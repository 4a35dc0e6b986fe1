//! The forms on a domain's page, one for every operation that it can do where it is.

use maud::{Markup, html};

use crate::form;

/// An operation that a domain's page has a form for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationForm {
    /// What is sent as `op`.
    pub op: String,
    /// What its button says.
    pub label: String,
    /// What it does, in a sentence.
    pub about: String,
    /// Whether it can lose data.
    pub danger: bool,
    /// What it takes.
    pub fields: Vec<Field>,
}

impl OperationForm {
    /// A form that posts it to `href`.
    pub(crate) fn form(&self, href: &str) -> Markup {
        form::post(
            href,
            &html! {
                @for field in &self.fields { (input(field)) }
                @if self.danger { (form::danger_button(&self.op, &self.label)) }
                @else { (form::button(&self.op, &self.label)) }
            },
        )
    }
}

/// What an operation takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name that is sent.
    pub name: String,
    /// What it means.
    pub about: String,
    /// The unit, or what sort of text it is.
    pub unit: String,
    /// How it is entered.
    pub kind: FieldKind,
    /// Whether it must be given.
    pub required: bool,
    /// What the form starts with; empty to start empty.
    pub value: String,
}

/// How a field is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Number {
        /// The least that makes sense.
        min: u64,
        /// The most that makes sense, if that is known.
        max: Option<u64>,
    },
    /// No or yes.
    Flag,
    /// One of these words.
    Words(Vec<String>),
    /// A line of text.
    Text,
    /// An S-expression; this one is shown while there is none.
    Config(String),
}

/// A form for each operation, folded up.
pub(crate) fn operations(href: &str, operations: &[OperationForm]) -> Markup {
    html! {
        @for one in operations {
            details {
                summary { (one.label) " " small { code { (one.op) } } }
                p { (one.about) }
                (one.form(href))
            }
        }
    }
}

fn input(field: &Field) -> Markup {
    let Field { name, about, unit, kind, required, value } = field;
    let filled = (!value.is_empty()).then_some(value);
    html! {
        label {
            (name) " " span.muted { "(" (bounds(kind, unit)) ")" }
            small { (about) }
            @match kind {
                FieldKind::Number { min, max } => {
                    input type="number" name=(name) value=[filled] min=(min) max=[max] step="1" required[*required];
                }
                FieldKind::Text => {
                    input type="text" name=(name) value=[filled] required[*required] autocomplete="off";
                }
                // A choice, since an unchecked box sends nothing.
                FieldKind::Flag => {
                    select name=(name) {
                        option value="0" selected[value != "1"] { "no" }
                        option value="1" selected[value == "1"] { "yes" }
                    }
                }
                FieldKind::Words(words) => {
                    select name=(name) {
                        @for word in words { option value=(word) selected[word == value] { (word) } }
                    }
                }
                FieldKind::Config(example) => {
                    textarea name=(name) rows="4" spellcheck="false" required[*required] placeholder=(example) {}
                }
            }
        }
    }
}

/// The unit, and between what a number must be.
fn bounds(kind: &FieldKind, unit: &str) -> String {
    match kind {
        FieldKind::Number { min, max: Some(max) } => format!("{unit}, {min} to {max}"),
        FieldKind::Number { min: min @ 1.., max: None } => format!("{unit}, from {min}"),
        _ => unit.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_form, forms};

    fn field(kind: FieldKind, value: &str) -> Field {
        Field {
            name: "f".into(),
            about: "What it means".into(),
            unit: "MiB".into(),
            kind,
            required: true,
            value: value.into(),
        }
    }

    fn one(op: &str, fields: Vec<Field>) -> OperationForm {
        let label = format!("Do {op}");
        let about = "Does it.".into();
        OperationForm { op: op.into(), label, about, danger: op == "destroy", fields }
    }

    #[test]
    fn each_operation_has_a_form() {
        let number = field(FieldKind::Number { min: 1, max: Some(128) }, "64");
        let text = operations(
            "/x",
            &[one("pause", vec![]), one("destroy", vec![]), one("set", vec![number])],
        );
        let text = text.into_string();
        let forms = forms(&text);
        assert_form(forms[0], "/x", &["pause"], &[]);
        assert_form(forms[1], "/x", &["destroy"], &[]);
        assert_form(forms[2], "/x", &["set"], &["f"]);
        assert!(forms[1].contains(r#"class="danger""#) && !forms[0].contains("danger"), "{text}");
        assert!(forms[2].contains(r#"value="64" min="1" max="128""#), "{text}");
        assert!(forms[2].contains("(MiB, 1 to 128)"), "{text}");
    }

    #[test]
    fn choices_start_with_what_is_set() {
        let words = FieldKind::Words(vec!["vbd".into(), "vif".into()]);
        for (kind, value, chosen) in [
            (FieldKind::Flag, "1", r#"<option value="1" selected>yes"#),
            (FieldKind::Flag, "", r#"<option value="0" selected>no"#),
            (words, "vif", r#"<option value="vif" selected>vif"#),
        ] {
            let text = operations("/x", &[one("set", vec![field(kind, value)])]).into_string();
            assert!(text.contains(chosen) && text.matches(" selected").count() == 1, "{text}");
        }
    }

    #[test]
    fn everything_is_escaped() {
        let kinds = [
            FieldKind::Text,
            FieldKind::Config(HOSTILE.into()),
            FieldKind::Words(vec![HOSTILE.into()]),
        ];
        let mut hostile = one(HOSTILE, kinds.map(|kind| field(kind, HOSTILE)).to_vec());
        hostile.about = HOSTILE.into();
        let text = operations(HOSTILE, &[hostile]).into_string();
        assert!(!text.contains("<script") && !text.contains("alert(\""), "{text}");
    }
}
