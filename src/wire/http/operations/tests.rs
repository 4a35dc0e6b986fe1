//! Every operation of every table, taken at its word.

use super::table::Asked;
use super::*;
use crate::core::model::Invalid;
use crate::core::op::Op;
use crate::wire::http::Settings;
use crate::wire::http::pages::PAGES;

/// What an operation makes of a form.
pub(super) fn made(operation: &Operation, form: &str) -> Result<Op, Invalid> {
    let settings = Settings { max_body: 1 << 20, node_shutdown: true, relocation_port: 8002 };
    let params = Params::from_form(form.as_bytes());
    (operation.op)(&Asked { name: "web1", params: &params, settings })
}

fn field(param: &Param, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(param.name, value).finish()
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    PAGES.iter().flat_map(|page| page.ops.iter().copied())
}

/// A form of all examples, but with `other` in the place of one.
fn form(operation: &Operation, at: usize, other: &str) -> String {
    let fields = operation
        .params
        .iter()
        .enumerate()
        .map(|(n, param)| if n == at { other.to_owned() } else { field(param, param.example) });
    fields.collect::<Vec<_>>().join("&")
}

#[test]
fn every_example_is_right() {
    for operation in operations() {
        let all = form(operation, usize::MAX, "");
        made(operation, &all).unwrap_or_else(|error| panic!("{} {all}: {error}", operation.name));
        let needed: Vec<String> = operation
            .params
            .iter()
            .filter(|param| param.needed == Needed::Yes)
            .map(|param| field(param, param.example))
            .collect();
        // The credit schedulers want one of two.
        if !operation.name.starts_with("domain_sched") {
            made(operation, &needed.join("&"))
                .unwrap_or_else(|error| panic!("{} {needed:?}: {error}", operation.name));
        }
    }
}

#[test]
fn every_parameter_is_named_when_it_is_wrong() {
    let mut tried = 0;
    for operation in operations() {
        for (at, param) in operation.params.iter().enumerate() {
            let message = |other: &str| match made(operation, &form(operation, at, other)) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            let what = format!("{} {}", operation.name, param.name);
            let example = field(param, param.example);
            assert_eq!(
                message(&format!("{example}&{example}")),
                format!("Too many values for {}", param.name),
                "{what}"
            );
            let missing = message("");
            match param.needed {
                Needed::Yes => {
                    assert_eq!(missing, format!("Missing parameter: {}", param.name), "{what}")
                }
                Needed::Else(_) => assert_eq!(missing, "", "{what}"),
            }
            let bad: &[&str] = match param.takes {
                Takes::Number(_) => &["", "x", "-1", "1.5", "99999999999999999999999"],
                Takes::Flag => &["", "2", "maybe"],
                Takes::Word(_) => &["", "nosuch"],
                Takes::Path => &["", "relative"],
                Takes::Text(_) | Takes::Config(_) => &["", "((", "\u{1}"],
            };
            for bad in bad {
                let message = message(&field(param, bad));
                assert!(!message.is_empty(), "{what}={bad:?} was taken");
                // These say what is wrong with the name, the class or the configuration in xend's
                // own words.
                let own = [
                    "Unknown device type",
                    "Missing VM Name",
                    "Invalid VM Name",
                    "Invalid configuration",
                ];
                let named = message.starts_with(&format!("Invalid value for {}", param.name));
                let devices = operation.name == "devices" && message.is_empty();
                assert!(
                    named || devices || own.iter().any(|own| message.starts_with(own)),
                    "{what}={bad:?}: {message}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 80, "{tried}");
}

#[test]
fn names_are_unique_on_a_page_and_everything_is_told() {
    for page in &PAGES {
        for (n, operation) in page.ops.iter().enumerate() {
            assert!(
                page.ops[..n].iter().all(|other| other.name != operation.name),
                "{}",
                operation.name
            );
            assert!(operation.about.ends_with('.'), "{}", operation.name);
        }
    }
}
