//! Configurations from users.

use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, Device, DomName, DomainConfig, DomainRef, Mac, Text, Uuid,
};
use crate::core::rights::{Access, Claim, Right, Usage, check_config, check_device};
use crate::core::snapshot::DomainView;
use std::collections::HashSet;
use std::slice;
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
        forget_foreign_uuids(&mut config.devices, &old);
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
        self.check_are_free(&config.devices, own)
    }

    /// Checks a device of a user, whose domain has the configurations `own` by now.
    pub(super) fn check_users_device(
        &self,
        access: &Access,
        device: &Device,
        own: &[Arc<CompleteConfig>],
    ) -> Result<(), Error> {
        check_device(&access.limits, device, own).map_err(Error::BeyondLimits)?;
        self.check_are_free(slice::from_ref(device), own)
    }

    /// Refuses devices that take what another domain or disk image has: its MAC address, or an
    /// image that is elsewhere. Guests on a bridge see each other's addresses anyway.
    fn check_are_free(&self, devices: &[Device], own: &[Arc<CompleteConfig>]) -> Result<(), Error> {
        let known = || own.iter().flat_map(|config| &config.devices);
        let own_disks: HashSet<(Uuid, &Text)> = known().filter_map(vdi_of).collect();
        let own_macs: HashSet<Mac> = known().filter_map(mac_of).collect();
        let new_macs: HashSet<Mac> =
            devices.iter().filter_map(mac_of).filter(|mac| !own_macs.contains(mac)).collect();
        let taken_macs = self.present_macs(&new_macs);
        let inventory = self.inventory.current();
        for device in devices {
            if let Some(mac) = mac_of(device).filter(|mac| taken_macs.contains(mac)) {
                return Err(Error::BeyondLimits(format!("mac: {mac} is taken")));
            }
            let Some((vdi, uname)) = vdi_of(device) else { continue };
            let location = inventory.vdi(&vdi).map(|(_, vdi)| vdi.uname());
            if !own_disks.contains(&(vdi, uname)) && location.as_ref() != Some(uname) {
                return Err(Error::BeyondLimits(format!("VDI: {vdi} is not at {uname}")));
            }
        }
        Ok(())
    }

    /// Those of the addresses that a domain of the host has.
    fn present_macs(&self, wanted: &HashSet<Mac>) -> HashSet<Mac> {
        if wanted.is_empty() {
            return HashSet::new();
        }
        let snapshot = self.snapshot();
        let configs = snapshot.unsorted().flat_map(|view| view.configs());
        let macs = configs.flat_map(|config| &config.devices).filter_map(mac_of);
        macs.filter(|mac| wanted.contains(mac)).collect()
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

/// Removes the UUID of each device unless the domain has a device with it: another domain can have
/// it.
pub(super) fn forget_foreign_uuids<'a>(
    devices: impl IntoIterator<Item = &'a mut Device>,
    own: &[Arc<CompleteConfig>],
) {
    let known = own.iter().flat_map(|config| &config.devices);
    let known: HashSet<Uuid> = known.filter_map(Device::uuid).collect();
    for device in devices {
        if device.uuid().is_some_and(|uuid| !known.contains(&uuid)) {
            *device.uuid_mut() = None;
        }
    }
}

/// The MAC address of a network interface.
fn mac_of(device: &Device) -> Option<Mac> {
    device.as_vif()?.mac
}

/// The disk image of a block device, and where the device looks for it.
fn vdi_of(device: &Device) -> Option<(Uuid, &Text)> {
    let block = device.as_block()?;
    Some((block.vdi?, &block.uname))
}
