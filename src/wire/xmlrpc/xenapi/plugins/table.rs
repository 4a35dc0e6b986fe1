//! The table of plug-ins.

use super::call::{PluginCall, Work};
use super::function::Function;
use super::params::Params;
use super::{agent, xenstore};
use crate::wire::xmlrpc::xenapi::failure::Failure;
use std::collections::BTreeMap;

/// A plug-in, under each name that a version of OpenStack's driver calls it by.
struct Plugin {
    names: &'static [&'static str],
    functions: &'static [Function],
}

/// The version of the plug-ins that came with OpenStack, pickled by Python 2: the last one that
/// those up to 14 take, each of which asks for this or an earlier one.
const NOVA_VERSION: &str = "S'1.8'\np0\n.";

/// The version of os-xenapi's plug-ins.
const OS_XENAPI_VERSION: &str = "S'2.1'\np0\n.";

static PLUGINS: [Plugin; 4] = [
    Plugin { names: &["agent", "agent.py"], functions: &agent::FUNCTIONS },
    Plugin { names: &["xenstore.py"], functions: &xenstore::FUNCTIONS },
    Plugin {
        names: &["nova_plugin_version", "nova_plugin_version.py"],
        functions: &[Function { name: "get_version", make: |_| Ok(Work::Answer(NOVA_VERSION)) }],
    },
    Plugin {
        names: &["dom0_plugin_version.py"],
        functions: &[Function {
            name: "get_version",
            make: |_| Ok(Work::Answer(OS_XENAPI_VERSION)),
        }],
    },
];

/// The call of a function of a plug-in.
pub(crate) fn find(
    plugin: &str,
    function: &str,
    params: &BTreeMap<String, String>,
) -> Result<PluginCall, Failure> {
    let found = PLUGINS.iter().find(|known| known.names.contains(&plugin));
    let found = found.ok_or_else(|| Failure::new("XENAPI_MISSING_PLUGIN", [plugin]))?;
    let known = found.functions.iter().find(|known| known.name == function);
    let known = known.ok_or_else(|| Failure::new("UNKNOWN_XENAPI_PLUGIN_FUNCTION", [function]))?;
    let work = (known.make)(&Params { function: known.name, map: params })?;
    Ok(PluginCall { function: known.name, work })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::op::GuestOp;
    use crate::wire::xmlrpc::xenapi::plugins::call::DomainWork;

    fn failure(plugin: &str, function: &str, params: &[(&str, &str)]) -> Option<Failure> {
        let params = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        find(plugin, function, &params.collect()).err()
    }

    #[test]
    fn unknown_plugins_and_functions_have_their_codes() {
        let expected = Failure::new("XENAPI_MISSING_PLUGIN", ["nosuch"]);
        assert_eq!(failure("nosuch", "version", &[]), Some(expected));
        let expected = Failure::new("UNKNOWN_XENAPI_PLUGIN_FUNCTION", ["features"]);
        assert_eq!(failure("agent", "features", &[]), Some(expected));
        assert_eq!(failure("nova_plugin_version", "get_version", &[]), None);
    }

    #[test]
    fn a_missing_argument_is_pythons_error() {
        let error =
            |class, text| Some(Failure::new("XENAPI_PLUGIN_FAILURE", ["version", class, text]));
        assert_eq!(failure("agent.py", "version", &[("dom_id", "7")]), error("KeyError", "'id'"));
        assert_eq!(failure("agent.py", "version", &[("id", "x")]), error("KeyError", "'dom_id'"));
        for (params, text) in [
            (
                [("id", "a/b"), ("dom_id", "7"), ("timeout", "1")],
                "id: 1 to 100 letters, digits and - _ @ are expected",
            ),
            ([("id", "a"), ("dom_id", "web1"), ("timeout", "1")], "dom_id: "),
            ([("id", "a"), ("dom_id", "7"), ("timeout", "soon")], "timeout: "),
        ] {
            match failure("agent.py", "version", &params) {
                Some(Failure::Code(_, found)) => {
                    assert!(found[1] == "ValueError" && found[2].starts_with(text), "{found:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_call_has_its_limit() {
        let params = [("id", "x"), ("dom_id", "7"), ("timeout", "60")];
        let params = params.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let call = find("agent.py", "resetnetwork", &params.into_iter().collect());
        let Ok(PluginCall { work: Work::OfDomain { dom_id, work }, .. }) = call else {
            panic!("no request about a domain")
        };
        let DomainWork::Ask { op: GuestOp::Call(call), limit } = work else {
            panic!("no request to the guest")
        };
        assert_eq!((dom_id, call.name, limit.as_secs()), (7, "resetnetwork", 60));
    }
}
