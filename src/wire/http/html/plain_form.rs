//! Forms of operations that are not a domain's: they have no current values.

use crate::wire::http::operation::{Operation, Param, ParamKind};
use xend_templates::{Field, FieldKind, OperationForm};

/// The form of an operation.
pub(crate) fn form_of(operation: &Operation) -> OperationForm {
    let field = |param: &Param| Field {
        name: param.name.to_owned(),
        label: label(param.name),
        about: param.about.to_owned(),
        unit: unit(param),
        kind: kind_of(param),
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

/// The unit of a parameter's field; empty if the label says it.
pub(super) fn unit(param: &Param) -> String {
    let unit = param.kind.unit();
    if unit.eq_ignore_ascii_case(&label(param.name)) { String::new() } else { unit }
}

/// The type of a parameter's field.
pub(super) fn kind_of(param: &Param) -> FieldKind {
    match param.kind {
        ParamKind::Number(_) | ParamKind::Quantity(_) => FieldKind::Number { min: 1, max: None },
        ParamKind::Flag => FieldKind::Flag,
        ParamKind::Word(words) => {
            FieldKind::Words(words.iter().map(|&word| word.to_owned()).collect())
        }
        ParamKind::Text(_) | ParamKind::Path => FieldKind::Text,
        ParamKind::Password => FieldKind::Password,
        ParamKind::Lines(_) | ParamKind::Json(_) | ParamKind::Config(_) => {
            FieldKind::Lines(param.example.to_owned())
        }
    }
}

/// The name of a parameter for people.
pub(super) fn label(param: &str) -> String {
    let name = match param {
        "target" => "Memory",
        "memory" => "Maximum memory",
        "vcpus" => "VCPUs",
        "vcpu" => "VCPU",
        "cpumap" => "CPUs",
        "cap" => "Limit",
        "extratime" => "Idle time",
        "type" => "Device class",
        "dev" => "Device",
        "config" => "Configuration",
        "rm_cfg" => "From the definition",
        "ssl" => "Encryption",
        "dns" => "Name servers",
        "vif" => "Interface",
        other => other,
    };
    let mut chars = name.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).map(|c| if c == '_' { ' ' } else { c }).collect()
}
