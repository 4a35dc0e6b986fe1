//! Forms of operations that are not a domain's: they have no current values.

use crate::wire::http::operation::{Operation, Param, ParamKind};
use xend_templates::{Field, FieldKind, OperationForm};

/// The form of an operation.
pub(crate) fn form_of(operation: &Operation) -> OperationForm {
    let field = |param: &Param| Field {
        name: param.name.to_owned(),
        about: param.about.to_owned(),
        unit: param.kind.unit(),
        kind: match param.kind {
            ParamKind::Number(_) | ParamKind::Quantity(_) => {
                FieldKind::Number { min: 1, max: None }
            }
            ParamKind::Flag => FieldKind::Flag,
            ParamKind::Word(words) => {
                FieldKind::Words(words.iter().map(|&word| word.to_owned()).collect())
            }
            ParamKind::Text(_) | ParamKind::Path => FieldKind::Text,
            ParamKind::Password => FieldKind::Password,
            ParamKind::Lines(_) | ParamKind::Json(_) | ParamKind::Config(_) => {
                FieldKind::Lines(param.example.to_owned())
            }
        },
        required: param.default.is_none(),
        value: String::new(),
    };
    OperationForm {
        op: operation.name.to_owned(),
        label: operation.label.to_owned(),
        about: operation.about.to_owned(),
        danger: operation.data_loss.is_some(),
        fields: operation.params.iter().map(field).collect(),
    }
}
