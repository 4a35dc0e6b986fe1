//! The page on which domains are created, the one that shows the progress of it, and the one that
//! shows a new domain.

use super::fault;
use super::parts::frame;
use crate::core::error::Error;
use crate::core::lifecycle::State;
use crate::core::model::{Invalid, MAX_VCPUS, Uuid};
use crate::core::snapshot::DomainView;
use crate::wire::http::config_text::{self, ConfigTextError};
use crate::wire::http::json::problem::Problem;
use crate::wire::http::json::problem_kind::ProblemKind;
use crate::wire::http::new_domain::choices::Choices;
use crate::wire::http::new_domain::creation::{Creation, Progress, Step};
use crate::wire::http::new_domain::fields::{Fields, MOST_GIB, PATH};
use crate::wire::http::operations::power::UNPAUSE;
use crate::wire::http::operations::save::RESTORE;
use crate::wire::http::path::domain_path;
use crate::wire::http::request::RequestInfo;
use xend_templates::{
    CreateChoices, CreateError, CreatePage, CreatedPage, CreationPage, CreationStep, Link,
    NewDomain, Position, StepState,
};

/// The form that creates domains.
pub(crate) struct Form<'a> {
    pub(crate) choices: &'a Choices,
    pub(crate) fields: &'a NewDomain,
    /// What the domain is created from.
    pub(crate) text: &'a str,
}

const FIX_BELOW: &str = "Fix the error below and try again.";

const CONVERT: &str = "An S-expression is expected. On the host, xend convert FILE makes one of a \
                       file of xm, xl or libvirt.";

/// Why a domain was not created.
pub(crate) struct Failure {
    shown: CreateError,
    /// That of its problem.
    status: u16,
}

impl Failure {
    /// An error that is in no field.
    pub(crate) fn of(error: &Error, hint: &str) -> Self {
        let message = fault::plain(error);
        let is_of_name = matches!(error, Error::NameTaken { .. } | Error::NameIsIdentifier { .. });
        let field = is_of_name.then(|| "name".to_owned());
        let shown = CreateError { message, hint: hint.to_owned(), position: None, field };
        Self { shown, status: ProblemKind::of(error).status }
    }

    /// The status of a page that shows it.
    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    /// The refusal of a field.
    pub(crate) fn in_field(refusal: &Invalid) -> Self {
        let field = refusal.parameter().map(str::to_owned);
        let hint = "Change the field and try again.".to_owned();
        let message = refusal.to_string().replace("Invalid VM Name: ", "");
        let shown = CreateError { message, hint, position: None, field };
        Self { shown, status: Problem::from(refusal.clone()).status }
    }

    /// A form without a text: browsers send an empty file for none.
    pub(crate) fn of_missing_text() -> Self {
        let shown = CreateError {
            message: "No configuration was sent: the file is empty, or none was chosen.".to_owned(),
            hint: "Choose a file with the S-expression of a domain.".to_owned(),
            position: None,
            field: None,
        };
        Self { shown, status: ProblemKind::INVALID.status }
    }

    /// An error in the text that was sent.
    pub(crate) fn in_text(text: &[u8], error: &ConfigTextError) -> Self {
        let shown = CreateError {
            message: error.reason.clone(),
            hint: if looks_like_sxp(text) { FIX_BELOW } else { CONVERT }.to_owned(),
            position: Some(Position { line: error.line, column: column(text, error) }),
            field: None,
        };
        Self { shown, status: ProblemKind::INVALID.status }
    }
}

/// Whether a text begins as an S-expression does, after comments.
fn looks_like_sxp(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_start);
    lines
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .is_none_or(|line| line[0] == b'(')
}

/// The column of an error in characters: the reader counts bytes.
fn column(text: &[u8], error: &ConfigTextError) -> usize {
    let line = text.split(|byte| *byte == b'\n').nth(error.line.saturating_sub(1));
    let before = line.and_then(|line| line.get(..error.column.saturating_sub(1)));
    before.map_or(error.column, |before| String::from_utf8_lossy(before).chars().count() + 1)
}

/// The page. The fields make `made`, which is another text if somebody has edited it.
pub(crate) fn page(
    request: &RequestInfo,
    form: &Form<'_>,
    made: &str,
    failure: Option<&Failure>,
) -> String {
    let Choices { bridges, are_bridges_limited, images, new_image } = form.choices;
    let storage = new_image.as_ref().and_then(|image| image.parent());
    CreatePage {
        frame: frame(request),
        href: PATH.to_owned(),
        list_href: "/xend/domain".to_owned(),
        fields: form.fields.clone(),
        choices: CreateChoices {
            bridges: bridges.clone(),
            are_bridges_limited: *are_bridges_limited,
            images: images.iter().map(|it| (it.uname.clone(), it.label.clone())).collect(),
            storage: storage.map(|dir| dir.display().to_string()),
            most_vcpus: Some(MAX_VCPUS.into()),
            most_gib: Some(MOST_GIB),
        },
        text: form.text.to_owned(),
        made: made.to_owned(),
        error: failure.map(|failure| failure.shown.clone()),
        can_restore: RESTORE.is_offered(&request.access()),
    }
    .render()
}

/// The page after an error in a text that was sent without fields, from a file or by a script.
pub(crate) fn failed(request: &RequestInfo, text: &[u8], failure: &Failure) -> String {
    let choices = Choices::default();
    let fields = Fields::of_type(None, &choices, Uuid::nil());
    let text = String::from_utf8_lossy(text);
    let form = Form { choices: &choices, fields: &fields.typed, text: &text };
    page(request, &form, "", Some(failure))
}

/// How far a creation is. With a failure, the domain exists all the same.
pub(crate) fn progress(
    request: &RequestInfo,
    creation: &Creation,
    failure: Option<&Failure>,
) -> String {
    let progress = creation.progress();
    let state = |number: usize| match progress {
        Progress::Failed { step, .. } if step == number => StepState::Failed,
        Progress::At(step) if step == number => StepState::UnderWay,
        Progress::At(step) | Progress::Failed { step, .. } if step < number => StepState::Waiting,
        _ => StepState::Done,
    };
    let step = |(number, step): (usize, &Step)| CreationStep {
        label: label(*step).to_owned(),
        state: state(number),
    };
    CreationPage {
        frame: frame(request),
        domain: Link::new(creation.name.clone(), domain_path(&creation.name)),
        steps: creation.steps.iter().enumerate().map(step).collect(),
        error: failure.map(|failure| (failure.shown.message.clone(), failure.shown.hint.clone())),
    }
    .render()
}

const fn label(step: Step) -> &'static str {
    match step {
        Step::MakeImage => "Make the disk image",
        Step::Define => "Store the definition",
        Step::Build => "Build the domain",
        Step::ConnectDevices => "Connect its devices",
        Step::Start => "Start it",
    }
}

/// The page of a domain that was just created.
pub(crate) fn created(request: &RequestInfo, view: &DomainView, href: &str) -> String {
    CreatedPage {
        frame: frame(request),
        name: view.name().to_string(),
        href: href.to_owned(),
        paused: view.state() == State::Paused && UNPAUSE.is_offered_on(&request.access(), view),
        config_text: config_text::print(&view.config),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_xm_is_no_s_expression() {
        for text in ["(vm", "\n  (vm (name a))", "# a\n\n(vm)", ""] {
            assert!(looks_like_sxp(text.as_bytes()), "{text}");
        }
        for text in ["name=\"xm1\"\nmemory=64", "# a\nname = 'a'", "<domain type='xen'>"] {
            assert!(!looks_like_sxp(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_column_is_counted_in_characters() {
        let error = |line, column| ConfigTextError {
            is_syntax: false,
            line,
            column,
            reason: String::new(),
        };
        let text = "(vm\n (name käse) x".as_bytes();
        assert_eq!(column(text, &error(2, 13)), 12);
        assert_eq!(column(text, &error(1, 1)), 1);
        assert_eq!(column(text, &error(9, 7)), 7);
        assert_eq!(column(text, &error(2, 99)), 99);
    }
}
