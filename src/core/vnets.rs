//! The virtual networks that somebody made known.

use super::error::Error;
use super::model::Vnet;
use super::ports::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// More than anybody has.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Vnets(Mutex<Arc<BTreeMap<String, Vnet>>>);

impl Vnets {
    pub(super) fn new(known: Vec<Vnet>) -> Self {
        Self(Mutex::new(Arc::new(known.into_iter().map(|vnet| (vnet.id.clone(), vnet)).collect())))
    }

    pub(super) async fn all(&self) -> Vec<Vnet> {
        self.0.lock().await.values().cloned().collect()
    }

    pub(super) async fn one(&self, id: &str) -> Result<Vnet, Error> {
        self.0.lock().await.get(id).cloned().ok_or_else(|| Error::NoSuchVnet(id.to_owned()))
    }

    pub(super) async fn create(&self, store: &dyn Store, vnet: Vnet) -> Result<(), Error> {
        let mut known = self.0.lock().await;
        if known.contains_key(&vnet.id) {
            return Err(Error::VnetExists(vnet.id));
        }
        if known.len() >= MOST {
            return Err(Error::Unsupported(format!("There are {MOST} virtual networks already")));
        }
        let mut new = BTreeMap::clone(&known);
        new.insert(vnet.id.clone(), vnet);
        replace(store, &mut known, new).await
    }

    pub(super) async fn delete(&self, store: &dyn Store, id: &str) -> Result<(), Error> {
        let mut known = self.0.lock().await;
        let mut new = BTreeMap::clone(&known);
        new.remove(id).ok_or_else(|| Error::NoSuchVnet(id.to_owned()))?;
        replace(store, &mut known, new).await
    }
}

/// What could not be stored did not happen.
async fn replace(
    store: &dyn Store,
    known: &mut Arc<BTreeMap<String, Vnet>>,
    new: BTreeMap<String, Vnet>,
) -> Result<(), Error> {
    store.save_vnets(new.values().cloned().collect()).await?;
    *known = Arc::new(new);
    Ok(())
}
