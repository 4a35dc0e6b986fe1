//! The plug-in `xenstore.py` of OpenStack's driver: nodes below a domain's directory in XenStore.

use super::call::{DomainWork, Work};
use super::function::Function;
use super::params::Params;
use crate::wire::xmlrpc::xenapi::failure::Failure;

/// All functions.
pub(super) static FUNCTIONS: [Function; 4] = [
    Function {
        name: "read_record",
        make: |params| {
            // Its Python could not send None through XML-RPC.
            let if_missing = params.flag("ignore_missing_path").then_some("None");
            of_domain(params, |params| Ok(DomainWork::Read { path: params.path()?, if_missing }))
        },
    },
    Function {
        name: "write_record",
        make: |params| {
            of_domain(params, |params| {
                Ok(DomainWork::Write { path: params.path()?, value: params.content("value")? })
            })
        },
    },
    Function {
        name: "list_records",
        make: |params| of_domain(params, |params| Ok(DomainWork::List(params.path()?))),
    },
    Function {
        name: "delete_record",
        make: |params| of_domain(params, |params| Ok(DomainWork::Remove(params.path()?))),
    },
];

/// The original looked for the domid first.
fn of_domain<'a>(
    params: &Params<'a>,
    work: impl FnOnce(&Params<'a>) -> Result<DomainWork, Failure>,
) -> Result<Work, Failure> {
    let dom_id = params.dom_id()?;
    Ok(Work::OfDomain { dom_id, work: work(params)? })
}
