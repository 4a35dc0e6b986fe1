//! Calls about objects of other hosts of the fleet, where those are shown.
//!
//! What the fleet knows of them is answered here. Everything else is at their host alone: calls are
//! not passed on, and the failure names that host.

use super::classes::table;
use super::failure::Failure;
use super::host_view::HostView;
use super::hosts::ChosenHost;
use super::method::Method;
use super::other_hosts::{OtherHosts, read_fleet, work};
use super::read_field::{read_field, read_record};
use super::service::XenApi;
use super::sessions::CallSession;
use super::values::text;
use crate::core::error::Error;
use crate::core::model::Uuid;
use crate::core::view::{FleetHost, View};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

/// What a call comes to that has failed because an object is not here: another host may have it.
pub(crate) async fn answer(
    api: &XenApi,
    view: &View,
    session: &CallSession,
    method: Method,
    args: &Args<'_>,
    failure: Failure,
) -> Result<Value, Failure> {
    let missing = failure.missing_object().and_then(|(class, reference)| {
        let class = table::class(class).filter(|class| class.is_in_fleet())?;
        Some((class, reference, Uuid::try_parse(reference).ok()?))
    });
    let Some((class, reference, uuid)) = missing else { return Err(failure) };
    let Some(fleet) = read_fleet(api, view).await? else { return Err(failure) };
    let find = || {
        let here = view.snapshot();
        let others = OtherHosts::of(api, view, session, &fleet, &here);
        let host = others.with(class, uuid)?;
        let first = args.values.get(1);
        let is_subject = matches!(first, Some(Value::Text(first)) if first == reference);
        Some(match method {
            Method::GetByUuid if is_subject => Ok(text(&uuid)),
            Method::GetRecord if is_subject => read_record(class, &host, uuid),
            Method::Get(field) if is_subject && field.in_fleet => {
                read_field(class, field, &host, uuid)
            }
            _ => Err(is_at(&host, uuid)),
        })
    };
    let found = api.context.engine().print(work(&fleet), find).await;
    found.unwrap_or(Err(failure))
}

/// The failure of a call about an object that another host has.
fn is_at(host: &HostView, object: Uuid) -> Failure {
    let name = host.name_in_fleet().map(ToString::to_string).unwrap_or_default();
    Failure::not_allowed(&match host.vm_of_object(object) {
        Some(vm) => format!("The VM {} is on the host {name}: ask {name} itself", vm.name()),
        None => format!("{name} is another host: ask {name} itself"),
    })
}

/// The host of the fleet that a parameter names, by its reference or by its name.
pub(crate) async fn chosen_host(
    api: &XenApi,
    view: &View,
    named: &str,
) -> Result<ChosenHost, Failure> {
    let unknown = || Failure::no_object("host", named);
    let failed = |error: Error| Failure::not_allowed(&error.to_string());
    let own = view.own_host().ok_or_else(unknown)?;
    let Ok(uuid) = Uuid::try_parse(named) else {
        return match view.fleet_host(named).await.map_err(failed)? {
            Some(FleetHost::Own) => Ok(ChosenHost { name: own, is_own: true }),
            Some(FleetHost::Other(host)) => Ok(ChosenHost { name: host.0, is_own: false }),
            None => Err(unknown()),
        };
    };
    if uuid == api.context.host() {
        return Ok(ChosenHost { name: own, is_own: true });
    }
    let fleet = read_fleet(api, view).await?.ok_or_else(unknown)?;
    let others = fleet.members.iter().filter(|(name, _)| **name != fleet.own);
    let mut found = others.filter(|(_, member)| member.uuid == uuid);
    let (name, _) = found.next().ok_or_else(unknown)?;
    Ok(ChosenHost { name: name.clone(), is_own: false })
}
