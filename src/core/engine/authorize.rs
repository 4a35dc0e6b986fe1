//! The rights of callers to changes.

use super::user_config::{check_users_name, forget_foreign_uuids};
use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, DomName, DomainConfig, DomainRef};
use crate::core::op::{AfterDump, Change, DomainOp};
use crate::core::rights::{Access, Claim, MAX_DEVICES, Need, OpKind, Right, Rights, Usage};
use crate::core::snapshot::DomainView;
use std::sync::Arc;

/// A change that the caller may make.
pub(super) struct Authorized {
    pub(super) change: Change,
    /// The resources that the change takes, until its end.
    pub(super) claim: Option<Claim>,
}

impl Core {
    /// Checks the rights of the caller, except for those that depend on a new configuration: see
    /// [`authorize_config`](Self::authorize_config).
    ///
    /// A user's change is of a domain by UUID: it does not touch another domain that gets the name
    /// meanwhile.
    pub(super) async fn authorize(
        &self,
        caller: &Caller,
        change: Change,
    ) -> Result<Authorized, Error> {
        self.check_files(caller, &change).await?;
        let access = caller.access();
        if access.operator {
            return Ok(Authorized { change, claim: None });
        }
        let view = match &change {
            Change::Domain(domain, _)
            | Change::Cancel(domain)
            | Change::Guest { domain, .. }
            | Change::GuestStore(domain, _) => Some(self.visible(caller).lookup(domain)?),
            _ => None,
        };
        let (name, rights) = match (&view, &change) {
            (Some(view), _) => {
                let name = view.name().as_str();
                (name, access.rights_on(Some(view.uuid), name))
            }
            // The domain does not exist yet: it has a name alone.
            (None, Change::StartFromFile(config)) => {
                let name = config.name.as_str();
                let rights = access.rights_on(None, name);
                if rights.is_empty() {
                    return Err(Error::NoSuchDomain(name.to_owned()));
                }
                (name, rights)
            }
            (None, _) => ("", Rights::NONE),
        };
        let need = OpKind::of(&change).need();
        if !access.meets_on(need, rights) {
            return Err(Error::not_permitted(change.name(), need, name));
        }
        let Some(view) = view else { return Ok(Authorized { change, claim: None }) };
        let claim = self.check_domain_change(caller, &access, &view, &change)?;
        let by_uuid = DomainRef::new(view.uuid.to_string());
        let change = match change {
            Change::Domain(_, DomainOp::AttachDevice(mut device)) => {
                let own: Vec<_> = view.configs().cloned().collect();
                forget_foreign_uuids([&mut *device], &own);
                Change::Domain(by_uuid, DomainOp::AttachDevice(device))
            }
            Change::Domain(_, op) => Change::Domain(by_uuid, op),
            Change::Cancel(_) => Change::Cancel(by_uuid),
            Change::Guest { domain: _, op, limit } => Change::Guest { domain: by_uuid, op, limit },
            Change::GuestStore(_, op) => Change::GuestStore(by_uuid, op),
            change => change,
        };
        Ok(Authorized { change, claim })
    }

    /// Checks what a user changes in a domain: names, devices, resources.
    fn check_domain_change(
        &self,
        caller: &Caller,
        access: &Access,
        view: &DomainView,
        change: &Change,
    ) -> Result<Option<Claim>, Error> {
        let Change::Domain(_, op) = change else { return Ok(None) };
        let rights = access.rights_on(Some(view.uuid), view.name().as_str());
        let needs = |right| {
            let refusal =
                || Error::not_permitted(op.name(), Need::Domain(right), view.name().as_str());
            if rights.has(right) { Ok(()) } else { Err(refusal()) }
        };
        let old: Vec<Arc<CompleteConfig>> = view.configs().cloned().collect();
        let growing = |grow: &dyn Fn(&mut DomainConfig)| {
            let grown = old.iter().map(|config| {
                let mut config = DomainConfig::from(CompleteConfig::clone(config));
                grow(&mut config);
                Usage::of(&config)
            });
            let after = grown.fold(Usage::default(), Usage::max);
            self.claim(caller, access, view.name().clone(), after)
        };
        match op {
            DomainOp::Rename(name) => check_rename(access, view, name).map(|()| None),
            DomainOp::AttachDevice(device) => {
                self.check_users_device(access, device, &old)?;
                let full = |config: &Arc<CompleteConfig>| config.devices.len() >= MAX_DEVICES;
                if old.iter().any(full) {
                    let reason = format!("device: a domain has at most {MAX_DEVICES} devices");
                    return Err(Error::BeyondLimits(reason));
                }
                Ok(None)
            }
            DomainOp::ConfigureDevice { to, .. } => {
                self.check_users_device(access, to, &old).map(|()| None)
            }
            DomainOp::SetMemory(mib) | DomainOp::SetMaxMemory(mib) => {
                growing(&|config| config.maxmem = config.maxmem.max(*mib))
            }
            DomainOp::SetVcpus(count) => growing(&|config| config.vcpus = config.vcpus.max(*count)),
            DomainOp::Set(setting) => {
                let mut after = Usage::default();
                for config in &old {
                    let mut new = DomainConfig::from(CompleteConfig::clone(config));
                    if setting.concerns(&new) {
                        setting.apply(&mut new)?;
                        self.check_users_config(access, &new, &old)?;
                    }
                    if new.is_transient() && !config.is_transient() {
                        // Its next start would delete the definition.
                        needs(Right::Create)?;
                    }
                    after = after.max(Usage::of(&new));
                }
                self.claim(caller, access, view.name().clone(), after)
            }
            DomainOp::Migrate { to, .. } => {
                if !access.limits.hosts.contains(&to.host) {
                    let reason = format!("destination: {} is no host of the account", to.host);
                    return Err(Error::BeyondLimits(reason));
                }
                // Another port can be anything on that host.
                if to.port != self.policy().relocation.port(to.encrypted) {
                    let reason = format!("port: {} is not the relocation port", to.port);
                    return Err(Error::BeyondLimits(reason));
                }
                Ok(None)
            }
            DomainOp::Dump { then: AfterDump::Crash | AfterDump::Reset, .. } => {
                needs(Right::Power)?;
                Ok(None)
            }
            DomainOp::Dump { then: AfterDump::GoOn, .. }
            | DomainOp::Pause
            | DomainOp::Unpause
            | DomainOp::Destroy
            | DomainOp::Shutdown(_)
            | DomainOp::SetSedf(_)
            | DomainOp::SetShare { .. }
            | DomainOp::Pin { .. }
            | DomainOp::MoveToPool(_)
            | DomainOp::Sysrq(_)
            | DomainOp::Trigger(..)
            | DomainOp::Reset
            | DomainOp::Start { .. }
            | DomainOp::CreateFrom(_)
            | DomainOp::Define(_)
            | DomainOp::Delete
            | DomainOp::Suspend
            | DomainOp::Resume { .. }
            | DomainOp::Save { .. }
            | DomainOp::RestoreFrom { .. }
            | DomainOp::Arrive(_)
            | DomainOp::PlugDevice(_)
            | DomainOp::DetachDevice { .. } => Ok(None),
        }
    }
}

/// Checks a new name that a user gives a domain.
fn check_rename(access: &Access, view: &DomainView, name: &DomName) -> Result<(), Error> {
    check_users_name(name)?;
    let before = access.rights_on(Some(view.uuid), view.name().as_str());
    let after = access.rights_on(Some(view.uuid), name.as_str());
    // By name alone: whoever has the domain by UUID learns nothing about other names.
    let is_own = !access.rights_on(None, name.as_str()).is_empty();
    // No right is won by another name, and the domain still counts against the limits.
    let wins_nothing = after.iter().all(|right| before.has(right));
    let counts = |rights: Rights| rights.has(Right::Create) || rights.has(Right::MemoryAndCpus);
    let still_counts = counts(after) || !counts(before);
    if is_own && wins_nothing && still_counts {
        return Ok(());
    }
    Err(Error::BeyondLimits(format!("name: the account cannot use the name {name}")))
}
