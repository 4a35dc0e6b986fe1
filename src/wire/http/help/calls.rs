//! The parts of the reference about XML-RPC.

use super::curl;
use super::part::Part;
use super::search::Search;
use crate::call_reference::{CallExample, CallGroup, CallReference};
use crate::shape::Sink;
use xend_templates::{HelpCall, HelpCalls};

/// What logs in to the Xen-API.
const LOGIN: &str = "session.login_with_password";

/// The calls of a part that somebody looks for.
pub(super) struct FoundCalls<'a> {
    target: String,
    groups: Vec<(&'a CallGroup, Vec<&'a CallExample>)>,
}

impl<'a> FoundCalls<'a> {
    /// `origin` is that of the server of pages.
    pub(super) fn new(
        reference: &'a CallReference,
        part: Part,
        origin: &str,
        search: &Search,
    ) -> Self {
        let (target, groups) = match (part, &reference.xen_api) {
            (Part::XmlRpc, _) => {
                (format!("{origin}{}", reference.path), reference.legacy.as_slice())
            }
            (Part::XenApi, Some((target, groups))) => (target.clone(), groups.as_slice()),
            (Part::XenApi, None) | (Part::Http, _) => Default::default(),
        };
        let found = |group: &'a CallGroup| {
            let calls = group.calls.iter();
            let calls: Vec<_> =
                calls.filter(|call| search.finds([call.signature.as_str()])).collect();
            (!calls.is_empty()).then_some((group, calls))
        };
        Self { target, groups: groups.iter().filter_map(found).collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.groups.iter().map(|(_, calls)| calls.len()).sum()
    }

    /// For the page.
    pub(super) fn sections(&self, is_search: bool) -> Vec<HelpCalls> {
        let section = |(group, calls): &(&CallGroup, Vec<&CallExample>)| HelpCalls {
            name: group.name.clone(),
            is_open: is_search,
            variable: self.variable(group),
            calls: calls
                .iter()
                .map(|call| HelpCall {
                    signature: call.signature.clone(),
                    example: curl::call(&self.target, &call.body),
                })
                .collect(),
        };
        self.groups.iter().map(section).collect()
    }

    /// The line that gives the shell an object of a class.
    fn variable(&self, group: &CallGroup) -> Option<String> {
        let (name, body) = group.object.as_ref()?;
        Some(curl::variable(name, &self.target, body))
    }

    /// Writes `(call (name VM.pause) (signature 'VM.pause(session, vm)') (example ...)) ...`, and
    /// `(variable VM=...)` before those of a class.
    pub(super) fn write(&self, sink: &mut impl Sink) {
        sink.begin_many("call");
        for (group, calls) in &self.groups {
            let variable = self.variable(group);
            for call in calls {
                sink.begin_fields_item("call");
                sink.text_field("name", call.name.as_bytes());
                sink.text_field("signature", call.signature.as_bytes());
                if let Some(variable) = &variable {
                    sink.text_field("variable", variable.as_bytes());
                }
                sink.text_field("example", curl::call(&self.target, &call.body).as_bytes());
                sink.end_fields_item();
            }
        }
        sink.end_many();
    }
}

/// The line that logs in to the Xen-API and gives the shell the session.
pub(super) fn login(reference: &CallReference) -> Option<String> {
    let (target, groups) = reference.xen_api.as_ref()?;
    let call = groups.iter().flat_map(|group| &group.calls).find(|call| call.name == LOGIN)?;
    Some(curl::variable("SESSION", target, &call.body))
}
