//! Configurations from users.

use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, Device, DomName, DomainConfig, DomainRef, Uuid};
use crate::core::rights::{Access, Claim, Right, Usage, check_config, check_device};
use crate::core::snapshot::DomainView;
use std::sync::Arc;

impl Core {
    /// Checks that the caller may have a domain with this configuration, which is new or replaces
    /// that of a visible domain. The devices of users lose UUIDs that are not theirs.
    pub(super) fn authorize_config(
        &self,
        caller: &Caller,
        config: &mut DomainConfig,
    ) -> Result<Option<Claim>, Error> {
        let access = caller.access();
        if access.operator {
            return Ok(None);
        }
        check_users_name(&config.name)?;
        let visible = self.visible(caller);
        let present = match &config.uuid {
            Some(uuid) => visible.by_uuid(uuid),
            None => visible.by_name(&config.name),
        };
        let keeps_name = present.is_some_and(|view| *view.name() == config.name);
        let named = if keeps_name { config.uuid.or(present.map(|view| view.uuid)) } else { None };
        if config.uuid.is_some_and(|uuid| !self.may_have_uuid(caller, uuid)) {
            return Err(Error::BeyondLimits(
                "uuid: xend chooses the UUIDs of new domains".to_owned(),
            ));
        }
        if !access.rights_on(named, config.name.as_str()).has(Right::Create) {
            let reason = format!("name: the account has no right create on {}", config.name);
            return Err(Error::BeyondLimits(reason));
        }
        let old: Vec<_> = present.iter().flat_map(|view| view.configs()).cloned().collect();
        self.check_users_config(&access, config, &old)?;
        for device in &mut config.devices {
            forget_foreign_uuid(device, &old);
        }
        self.claim(caller, &access, config.name.clone(), Usage::of(config))
    }

    /// Whether a domain of the caller may have this UUID. One that the account does not have may be
    /// that of another user's domain.
    pub(super) fn may_have_uuid(&self, caller: &Caller, uuid: Uuid) -> bool {
        let access = caller.access();
        access.operator
            || self.visible(caller).by_uuid(&uuid).is_some()
            || !access.rights_on(Some(uuid), "").is_empty()
    }

    /// Checks a configuration of a user, whose domain has the configurations `own` by now.
    pub(super) fn check_users_config(
        &self,
        access: &Access,
        config: &DomainConfig,
        own: &[Arc<CompleteConfig>],
    ) -> Result<(), Error> {
        check_config(&access.limits, config, own).map_err(Error::BeyondLimits)?;
        config.devices.iter().try_for_each(|device| self.check_is_free(device, own))
    }

    /// Checks a device of a user, whose domain has the configurations `own` by now.
    pub(super) fn check_users_device(
        &self,
        access: &Access,
        device: &Device,
        own: &[Arc<CompleteConfig>],
    ) -> Result<(), Error> {
        check_device(&access.limits, device, own).map_err(Error::BeyondLimits)?;
        self.check_is_free(device, own)
    }

    /// Refuses a device that takes what another domain or disk image has: its MAC address, or an
    /// image that is elsewhere. Guests on a bridge see each other's addresses anyway.
    fn check_is_free(&self, device: &Device, own: &[Arc<CompleteConfig>]) -> Result<(), Error> {
        let mut known = own.iter().flat_map(|config| &config.devices);
        match device {
            Device::Block(block) => {
                let Some(vdi) = block.vdi else { return Ok(()) };
                let inventory = self.inventory.current();
                let location = inventory.vdi(&vdi).map(|(_, vdi)| vdi.uname());
                let is_known = known.any(|old| {
                    old.as_block()
                        .is_some_and(|old| old.vdi == block.vdi && old.uname == block.uname)
                });
                if is_known || location.as_ref() == Some(&block.uname) {
                    return Ok(());
                }
                Err(Error::BeyondLimits(format!("VDI: {vdi} is not at {}", block.uname)))
            }
            Device::Vif(vif) => {
                let Some(mac) = vif.mac else { return Ok(()) };
                let has_mac =
                    |device: &Device| matches!(device, Device::Vif(vif) if vif.mac == Some(mac));
                if known.any(has_mac) {
                    return Ok(());
                }
                let snapshot = self.snapshot();
                let mut others = snapshot.unsorted().flat_map(|view| view.configs());
                if others.any(|config| config.devices.iter().any(has_mac)) {
                    return Err(Error::BeyondLimits(format!("mac: {mac} is taken")));
                }
                Ok(())
            }
            Device::Vfb(_)
            | Device::Vkbd(_)
            | Device::Pci(_)
            | Device::Console(_)
            | Device::Generic(_) => Ok(()),
        }
    }

    /// Claims the resources of the domain `name` for the time of a change.
    pub(super) fn claim(
        &self,
        caller: &Caller,
        access: &Access,
        name: DomName,
        usage: Usage,
    ) -> Result<Option<Claim>, Error> {
        let Some(user) = caller.user() else { return Ok(None) };
        let visible = self.visible(caller);
        let usage_of = |view: &DomainView| {
            view.configs().map(|config| Usage::of(config)).fold(Usage::default(), Usage::max)
        };
        let now = visible.by_name(&name).map(|view| usage_of(view)).unwrap_or_default();
        if now.max(usage) == now {
            // A domain that grows no further is within the limits, or was allowed by an operator.
            return Ok(None);
        }
        // Domains that the user merely sees or switches on are an operator's.
        let is_own = |view: &&Arc<DomainView>| {
            let rights = access.rights_on(Some(view.uuid), view.name().as_str());
            rights.has(Right::Create) || rights.has(Right::MemoryAndCpus)
        };
        let own = visible.domains().filter(is_own);
        let present = own.map(|view| (view.name().clone(), usage_of(view)));
        match user.claims().claim(name, usage, present, &access.limits) {
            Ok(claim) => Ok(Some(claim)),
            Err(limit) => Err(Error::BeyondLimits(format!("the account is limited to {limit}"))),
        }
    }
}

/// Refuses names in the form of a domid or a UUID to users: whether such a name is free tells of
/// other domains.
pub(super) fn check_users_name(name: &DomName) -> Result<(), Error> {
    let as_ref = DomainRef::new(name.as_str());
    if as_ref.domid().is_none() && as_ref.uuid().is_none() {
        return Ok(());
    }
    Err(Error::BeyondLimits(format!("name: {name} has the form of a domid or a UUID")))
}

/// Removes the UUID of a device unless the domain has a device with it: another domain can have it.
pub(super) fn forget_foreign_uuid(device: &mut Device, own: &[Arc<CompleteConfig>]) {
    let mut known = own.iter().flat_map(|config| &config.devices);
    if !known.any(|old| old.uuid() == device.uuid()) {
        *device.uuid_mut() = None;
    }
}
