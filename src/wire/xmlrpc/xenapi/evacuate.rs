//! `host.evacuate`: all VMs that run on this host migrate to others, one after the other.

use super::failure::{Failure, FailureContext};
use super::objects::vms::vm_change;
use super::service::XenApi;
use crate::core::error::Error;
use crate::core::op::DomainOp;
use crate::core::placement::{Move, Plan, Stay};
use crate::core::ports::Destination;
use crate::core::view::{Evacuation, NotPlaced, View};
use crate::wire::xmlrpc::value::Value;

/// Fails after all that can move have moved, if some are left.
pub(crate) async fn evacuate(api: &XenApi, view: &View) -> Result<Value, Failure> {
    let planned = view.evacuation().await.map_err(|reason| match reason {
        NotPlaced::Failed(error @ Error::NotPermitted { .. }) => {
            Failure::from_error(error, &FailureContext::default())
        }
        other => left([other.to_string()]),
    })?;
    let Evacuation { plan: Plan { moves, staying }, fixed } = planned;
    let stay = |Stay { domain, reason }: Stay| format!("{}: {reason}", domain.name);
    let mut reasons: Vec<String> = fixed.into_iter().chain(staying.into_iter().map(stay)).collect();
    for Move { domain, to } in moves {
        let defaults = &view.policy().relocation;
        let moved = match Destination::new(to.as_str(), None, None, defaults) {
            Ok(to) => {
                let change = vm_change(domain.uuid, DomainOp::Migrate { to, live: true });
                api.context.engine().execute(view.caller(), change).await.map(drop)
            }
            Err(invalid) => Err(invalid.into()),
        };
        if let Err(error) = moved {
            reasons.push(format!("{}: {error}", domain.name));
        }
    }
    if reasons.is_empty() { Ok(Value::Nil) } else { Err(left(reasons)) }
}

/// The failure, as the hosts of the maintained clients have it.
fn left(reasons: impl IntoIterator<Item = String>) -> Failure {
    let reasons: Vec<String> = reasons.into_iter().collect();
    Failure::new("CANNOT_EVACUATE_HOST", [reasons.join("|").as_str()])
}
