//! The forms on a domain's page, one for each operation, in groups.

use crate::form;
use maud::{Markup, html};

/// Operations that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationGroup {
    /// `Power`, `Devices`, ...
    pub title: String,
    pub operations: Vec<OperationForm>,
}

/// The form of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationForm {
    pub op: String,
    pub label: String,
    /// The effect of the operation.
    pub about: String,
    /// Whether it can lose data.
    pub danger: bool,
    pub fields: Vec<Field>,
}

impl OperationForm {
    /// The form under its label, folded up.
    pub(crate) fn folded(&self, href: &str) -> Markup {
        html! {
            details {
                summary { (self.label) " " small { code { (self.op) } } }
                p { (self.about) }
                (self.form(href))
            }
        }
    }

    /// The form, which posts to `href`.
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

/// The form of an operation with its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetForm {
    /// The page to which the form posts.
    pub href: String,
    pub operation: OperationForm,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name of the parameter.
    pub name: String,
    /// The name for people.
    pub label: String,
    pub about: String,
    /// The unit of a number, or the values or the format that are accepted.
    pub unit: String,
    pub kind: FieldKind,
    pub required: bool,
    /// The initial value; empty for none.
    pub value: String,
}

impl Field {
    /// A field that is sent and not shown.
    pub fn fixed(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            label: String::new(),
            about: String::new(),
            unit: String::new(),
            kind: FieldKind::Fixed,
            required: true,
            value: value.into(),
        }
    }
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Number {
        min: u64,
        /// `None` for no upper bound.
        max: Option<u64>,
    },
    Flag,
    /// One of these words.
    Words(Vec<String>),
    /// One of these values, each with what it means.
    Choices(Vec<(String, String)>),
    /// The value is sent and not shown: there is no other.
    Fixed,
    /// A line of text.
    Text,
    /// The same, of which these are likely.
    Suggested(Vec<String>),
    /// A password, which has no initial value.
    Password,
    /// Text of several lines, with an example that is shown while the field is empty.
    Lines(String),
}

/// The forms of all operations, folded up.
pub(crate) fn operations(href: &str, groups: &[OperationGroup]) -> Markup {
    html! {
        @for group in groups {
            h3 { (group.title) }
            @for operation in &group.operations { (operation.folded(href)) }
        }
    }
}

fn input(field: &Field) -> Markup {
    let Field { name, label, about, unit, kind, required, value } = field;
    if *kind == FieldKind::Fixed {
        return html! { input type="hidden" name=(name) value=(value); };
    }
    let filled = (!value.is_empty()).then_some(value);
    let unit = bounds(kind, unit);
    html! {
        label {
            (label)
            @if !unit.is_empty() { " " span.muted { "(" (unit) ")" } }
            @if !about.is_empty() { small { (about) } }
            @match kind {
                FieldKind::Number { min, max } => {
                    input type="number" name=(name) value=[filled] min=(min) max=[max] step="1"
                        required[*required];
                }
                FieldKind::Text => {
                    input type="text" name=(name) value=[filled] required[*required]
                        autocomplete="off";
                }
                FieldKind::Suggested(values) => {
                    @let list = format!("{name}-values");
                    input type="text" name=(name) value=[filled] required[*required]
                        autocomplete="off" list=(list);
                    datalist id=(list) { @for value in values { option value=(value) {} } }
                }
                FieldKind::Password => {
                    input type="password" name=(name) required[*required]
                        autocomplete="new-password";
                }
                // A select and not a checkbox, which sends nothing if it is unchecked.
                FieldKind::Flag => {
                    @let chosen = if value == "1" { "1" } else { "0" };
                    select name=(name) { (form::options([("0", "no"), ("1", "yes")], chosen)) }
                }
                FieldKind::Words(words) => {
                    @let words = words.iter().map(|word| (word.as_str(), word.as_str()));
                    select name=(name) { (form::options(words, value)) }
                }
                FieldKind::Choices(choices) => {
                    select name=(name) { (form::options(form::pairs(choices), value)) }
                }
                FieldKind::Lines(example) => {
                    // HTML drops a line break right after the tag.
                    textarea name=(name) rows="4" spellcheck="false" required[*required]
                        placeholder=(example) { "\n" (value) }
                }
                FieldKind::Fixed => {}
            }
        }
    }
}

/// The unit and the bounds of a number.
fn bounds(kind: &FieldKind, unit: &str) -> String {
    match kind {
        FieldKind::Number { min, max: Some(max) } => {
            let range = format!("{min} to {max}");
            if unit.is_empty() || unit == range { range } else { format!("{unit}, {range}") }
        }
        FieldKind::Number { min: min @ 1.., max: None } if unit.is_empty() => {
            format!("at least {min}")
        }
        FieldKind::Number { min: min @ 1.., max: None } => format!("{unit}, at least {min}"),
        // The list says it.
        FieldKind::Flag | FieldKind::Words(_) | FieldKind::Choices(_) => String::new(),
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
            label: "Figure".into(),
            about: "Its meaning".into(),
            unit: "MiB".into(),
            kind,
            required: true,
            value: value.into(),
        }
    }

    fn operation(op: &str, fields: Vec<Field>) -> OperationForm {
        OperationForm {
            op: op.into(),
            label: format!("Do {op}"),
            about: "Does it.".into(),
            danger: op == "destroy",
            fields,
        }
    }

    fn group(operations: &[OperationForm]) -> [OperationGroup; 1] {
        [OperationGroup { title: "Power".into(), operations: operations.to_vec() }]
    }

    #[test]
    fn each_operation_has_a_form() {
        let number = field(FieldKind::Number { min: 1, max: Some(128) }, "64");
        let text = operations(
            "/x",
            &group(&[
                operation("pause", vec![]),
                operation("destroy", vec![]),
                operation("set", vec![number]),
            ]),
        );
        let text = text.into_string();
        assert!(text.starts_with("<h3>Power</h3><details>"), "{text}");
        let forms = forms(&text);
        assert_form(forms[0], "/x", &["pause"], &[]);
        assert_form(forms[1], "/x", &["destroy"], &[]);
        assert_form(forms[2], "/x", &["set"], &["f"]);
        assert!(forms[1].contains(r#"class="danger""#) && !forms[0].contains("danger"), "{text}");
        assert!(forms[2].contains(r#"value="64" min="1" max="128""#), "{text}");
        assert!(forms[2].contains("Figure <span class=\"muted\">(MiB, 1 to 128)</span>"), "{text}");
    }

    #[test]
    fn choices_start_with_the_current_value() {
        let words = FieldKind::Words(vec!["vbd".into(), "vif".into()]);
        let choices = vec![("104".into(), "help".into()), ("115".into(), "sync".into())];
        for (kind, value, chosen) in [
            (FieldKind::Flag, "1", r#"<option value="1" selected>yes"#),
            (FieldKind::Flag, "", r#"<option value="0" selected>no"#),
            (words, "vif", r#"<option value="vif" selected>vif"#),
            (FieldKind::Choices(choices), "115", r#"<option value="115" selected>sync"#),
        ] {
            let form = operation("set", vec![field(kind, value)]);
            let text = operations("/x", &group(&[form])).into_string();
            assert!(text.contains("<label>Figure<small>Its meaning</small>"), "{text}");
            assert!(text.contains(chosen) && text.matches(" selected").count() == 1, "{text}");
        }
    }

    #[test]
    fn a_field_without_a_choice_is_not_shown() {
        let form = operation("set", vec![field(FieldKind::Fixed, "0")]);
        let text = operations("/x", &group(&[form])).into_string();
        assert!(text.contains(r#"<input type="hidden" name="f" value="0">"#), "{text}");
        assert!(!text.contains("<label"), "{text}");
        let lines = operation("set", vec![field(FieldKind::Lines("example".into()), "text")]);
        let text = operations("/x", &group(&[lines])).into_string();
        assert!(text.contains("placeholder=\"example\">\ntext</textarea>"), "{text}");
    }

    #[test]
    fn likely_values_are_offered() {
        let hosts = FieldKind::Suggested(vec!["xen2".into(), "<b>".into()]);
        let form = operation("set", vec![field(hosts, "")]);
        let text = operations("/x", &group(&[form])).into_string();
        assert!(text.contains(r#"autocomplete="off" list="f-values">"#), "{text}");
        let list =
            r#"<datalist id="f-values"><option value="xen2"></option><option value="&lt;b&gt;">"#;
        assert!(text.contains(list), "{text}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let form = operation("set", vec![field(FieldKind::Password, "hunter2")]);
        let text = operations("/x", &group(&[form])).into_string();
        assert!(text.contains(r#"<input type="password" name="f" required"#), "{text}");
        assert!(text.contains(r#"autocomplete="new-password""#), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_range_is_told_once() {
        let of = |max, unit| bounds(&FieldKind::Number { min: 1, max }, unit);
        assert_eq!(of(Some(65_535), "1 to 65535"), "1 to 65535");
        assert_eq!(of(Some(2), ""), "1 to 2");
        assert_eq!(of(Some(2), "MiB"), "MiB, 1 to 2");
        assert_eq!(of(None, ""), "at least 1");
    }

    #[test]
    fn everything_is_escaped() {
        let kinds = [
            FieldKind::Text,
            FieldKind::Password,
            FieldKind::Lines(HOSTILE.into()),
            FieldKind::Words(vec![HOSTILE.into()]),
            FieldKind::Choices(vec![(HOSTILE.into(), HOSTILE.into())]),
            FieldKind::Fixed,
        ];
        let mut hostile = operation(HOSTILE, kinds.map(|kind| field(kind, HOSTILE)).to_vec());
        hostile.about = HOSTILE.into();
        let text = operations(HOSTILE, &group(&[hostile])).into_string();
        assert!(!text.contains("<script") && !text.contains("alert(\""), "{text}");
    }
}
