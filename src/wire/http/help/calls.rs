//! The parts of the reference about XML-RPC.

use super::curl::Curl;
use super::part::Part;
use super::search::Search;
use crate::call_reference::{CallExample, CallGroup, CallReference};
use crate::shape::Sink;
use xend_templates::{HelpCall, HelpCalls, HelpObject};

/// What logs in to the Xen-API.
const LOGIN: &str = "session.login_with_password";

/// The calls of a part that somebody looks for.
pub(super) struct FoundCalls<'a> {
    client: Curl<'a>,
    target: String,
    groups: Vec<(&'a CallGroup, Vec<&'a CallExample>)>,
}

impl<'a> FoundCalls<'a> {
    /// `pages` is how curl asks the server of pages.
    pub(super) fn new(
        reference: &'a CallReference,
        part: Part,
        pages: Curl<'a>,
        search: &Search,
    ) -> Self {
        let (client, target, groups) = match (part, &reference.xen_api) {
            (Part::XmlRpc, _) => {
                let target = format!("{}{}", pages.origin, reference.path);
                (pages, target, reference.legacy.as_slice())
            }
            // The Xen-API has listeners and a login of its own.
            (Part::XenApi, Some((target, groups))) => {
                (Curl::default(), target.clone(), groups.as_slice())
            }
            (Part::XenApi, None) | (Part::Http, _) => Default::default(),
        };
        let found = |group: &'a CallGroup| {
            let calls = group.calls.iter();
            let calls: Vec<_> =
                calls.filter(|call| search.finds([call.signature.as_str()])).collect();
            (!calls.is_empty()).then_some((group, calls))
        };
        Self { client, target, groups: groups.iter().filter_map(found).collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.groups.iter().map(|(_, calls)| calls.len()).sum()
    }

    /// For the page.
    pub(super) fn sections(&self, is_search: bool) -> Vec<HelpCalls> {
        let section = |(group, calls): &(&CallGroup, Vec<&CallExample>)| HelpCalls {
            name: group.name.clone(),
            is_open: is_search,
            object: group.object.as_ref().map(|object| HelpObject {
                about: object.about.clone(),
                example: self.client.variable(&object.variable, &self.target, &object.body),
            }),
            calls: calls
                .iter()
                .map(|call| HelpCall {
                    signature: call.signature.clone(),
                    example: self.client.call(&self.target, &call.body),
                })
                .collect(),
        };
        self.groups.iter().map(section).collect()
    }

    /// Writes `(call (name VM.pause) (signature 'VM.pause(session, vm)') (variable VM=...)
    /// (example ...)) ...`, where the variable is the object of the class.
    pub(super) fn write(&self, sink: &mut impl Sink) {
        sink.begin_many("call");
        for (group, calls) in &self.groups {
            let variable = group
                .object
                .as_ref()
                .map(|object| self.client.variable(&object.variable, &self.target, &object.body));
            for call in calls {
                sink.begin_fields_item("call");
                sink.text_field("name", call.name.as_bytes());
                sink.text_field("signature", call.signature.as_bytes());
                if let Some(variable) = &variable {
                    sink.text_field("variable", variable.as_bytes());
                }
                sink.text_field("example", self.client.call(&self.target, &call.body).as_bytes());
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
    Some(Curl::default().variable("SESSION", target, &call.body))
}
