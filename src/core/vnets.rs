//! Virtual networks.

use super::error::Error;
use super::model::Vnet;
use super::ports::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

const MAX_VNETS: usize = 4096;

/// The virtual networks by their ids. They are stored before they are published.
pub(super) struct Vnets {
    store: Arc<dyn Store>,
    known: Mutex<BTreeMap<String, Vnet>>,
}

impl Vnets {
    pub(super) async fn load(store: Arc<dyn Store>) -> Result<Self, Error> {
        let known = store.vnets().await?.into_iter().map(|vnet| (vnet.id.clone(), vnet)).collect();
        Ok(Self { store, known: Mutex::new(known) })
    }

    pub(super) async fn all(&self) -> Vec<Vnet> {
        self.known.lock().await.values().cloned().collect()
    }

    pub(super) async fn get(&self, id: &str) -> Result<Vnet, Error> {
        self.known.lock().await.get(id).cloned().ok_or_else(|| Error::NoSuchVnet(id.to_owned()))
    }

    pub(super) async fn create(&self, vnet: Vnet) -> Result<(), Error> {
        let mut known = self.known.lock().await;
        if known.contains_key(&vnet.id) {
            return Err(Error::VnetExists(vnet.id));
        }
        if known.len() >= MAX_VNETS {
            let reason = format!("There are {MAX_VNETS} virtual networks already");
            return Err(Error::LimitReached(reason));
        }
        let mut new = known.clone();
        new.insert(vnet.id.clone(), vnet);
        self.replace(&mut known, new).await
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), Error> {
        let mut known = self.known.lock().await;
        let mut new = known.clone();
        new.remove(id).ok_or_else(|| Error::NoSuchVnet(id.to_owned()))?;
        self.replace(&mut known, new).await
    }

    /// A change that cannot be stored does not happen.
    async fn replace(
        &self,
        known: &mut BTreeMap<String, Vnet>,
        new: BTreeMap<String, Vnet>,
    ) -> Result<(), Error> {
        self.store.save_vnets(new.values().cloned().collect()).await?;
        *known = new;
        Ok(())
    }
}
