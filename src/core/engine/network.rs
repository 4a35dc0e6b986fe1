//! Changes of the host's network. Stored networks and VLANs are made again after a boot of the
//! host.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{
    ClientData, InterfaceChange, Invalid, Item, Network, NetworkChange, ObjectKind, Uuid, Vlan,
};
use crate::core::op::NetworkOp;
use tracing::warn;

impl Core {
    pub(super) async fn change_network(&self, op: NetworkOp) -> Result<(), Error> {
        match op {
            NetworkOp::Create { uuid, network, client_data } => {
                self.create_network(uuid, network, client_data).await
            }
            NetworkOp::Destroy(uuid) => self.destroy_network(uuid).await,
            NetworkOp::CreateVlan { uuid, vlan } => self.create_vlan(uuid, vlan).await,
            NetworkOp::DestroyVlan(uuid) => self.destroy_vlan(uuid).await,
            NetworkOp::Interface(change) => {
                let _inventory = self.inventory.write().await;
                self.hypervisor.change_network(NetworkChange::Interface(change)).await
            }
        }
    }

    async fn create_network(
        &self,
        uuid: Uuid,
        network: Network,
        client_data: ClientData,
    ) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let bridge = &network.bridge;
        if inventory.current().networks().any(|(_, known)| known.bridge == *bridge) {
            let reason = format!("name_label: there is a network {bridge} already");
            return Err(Invalid::new(reason).into());
        }
        let interfaces = self.hypervisor.interfaces().await?;
        if !interfaces.iter().any(|interface| interface.name == *bridge) {
            self.hypervisor.change_network(NetworkChange::MakeBridge(bridge.clone())).await?;
        }
        inventory.put(Item { uuid, kind: ObjectKind::Network(network), client_data }).await
    }

    /// Destroys a network that no domain and no interface uses.
    async fn destroy_network(&self, uuid: Uuid) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        let found = current.networks().find(|(item, _)| item.uuid == uuid);
        let (_, Network { bridge }) = found
            .ok_or_else(|| Error::NoSuchObject { class: "network", name: uuid.to_string() })?;
        let snapshot = self.snapshot();
        let domain = snapshot
            .domains()
            .find(|view| view.configs().any(|config| config.is_on_bridge(bridge)));
        let interfaces = self.hypervisor.interfaces().await?;
        let port = interfaces.iter().find(|port| port.bridge.as_ref() == Some(bridge));
        let user = domain
            .map(|view| view.name().to_string())
            .or_else(|| port.map(|port| port.name.clone()));
        if let Some(by) = user {
            return Err(Error::InUse { what: "The network", by });
        }
        self.hypervisor.change_network(NetworkChange::RemoveBridge(bridge.clone())).await?;
        inventory.remove(uuid).await
    }

    async fn create_vlan(&self, uuid: Uuid, vlan: Vlan) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        self.make_vlan(&vlan).await?;
        let item = Item { uuid, kind: ObjectKind::Vlan(vlan), client_data: ClientData::default() };
        inventory.put(item).await
    }

    async fn destroy_vlan(&self, uuid: Uuid) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        let found = current.vlans().find(|(item, _)| item.uuid == uuid);
        let (_, Vlan { device, tag, .. }) =
            found.ok_or_else(|| Error::NoSuchObject { class: "PIF", name: uuid.to_string() })?;
        let change = NetworkChange::RemoveVlan { device: device.clone(), tag: *tag };
        self.hypervisor.change_network(change).await?;
        inventory.remove(uuid).await
    }

    /// Makes a VLAN's interface and puts it on its bridge.
    async fn make_vlan(&self, vlan: &Vlan) -> Result<(), Error> {
        let make = NetworkChange::MakeVlan { device: vlan.device.clone(), tag: vlan.tag };
        self.hypervisor.change_network(make).await?;
        let bridge = Some(vlan.bridge.clone());
        let link = InterfaceChange::Link { name: vlan.name(), bridge };
        self.hypervisor.change_network(NetworkChange::Interface(link)).await
    }

    /// Makes the stored networks and VLANs again that went with the host's last run.
    pub(super) async fn restore_network(&self) {
        let interfaces = match self.hypervisor.interfaces().await {
            Ok(interfaces) => interfaces,
            Err(error) => {
                warn!(%error, "The host's network could not be read");
                return;
            }
        };
        let is_missing = |name: &str| interfaces.iter().all(|interface| interface.name != name);
        let inventory = self.inventory.current();
        for (_, network) in inventory.networks() {
            if !is_missing(&network.bridge) {
                continue;
            }
            let change = NetworkChange::MakeBridge(network.bridge.clone());
            if let Err(error) = self.hypervisor.change_network(change).await {
                warn!(bridge = network.bridge, %error, "A bridge could not be made");
            }
        }
        for (_, vlan) in inventory.vlans().filter(|(_, vlan)| is_missing(&vlan.name())) {
            if let Err(error) = self.make_vlan(vlan).await {
                warn!(interface = vlan.name(), %error, "A virtual LAN could not be made");
            }
        }
    }
}
