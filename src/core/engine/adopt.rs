//! Adopting domains: those that are on the host or in the store when the engine starts, and those
//! that other toolstacks start later.

use crate::core::context::Core;
use crate::core::driver::{Driver, Incoming};
use crate::core::error::Error;
use crate::core::mailbox::mailbox;
use crate::core::model::{
    CompleteConfig, DomId, DomName, DomainConfig, DomainFacts, Invalid, Uuid,
};
use crate::core::ports::{ArrivalStage, Definition, TransferRecord};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tracing::{error, info, warn};

/// What is stored of a domain that is on the host.
#[derive(Default)]
struct Stored {
    definition: Option<Definition>,
    /// What was going on with it when the daemon was killed.
    transfer: Option<TransferRecord>,
    /// The same of a domain that another host sent.
    incoming: Option<Incoming>,
}

impl Core {
    /// Adopts all domains on the host and in the store.
    pub(super) async fn adopt_all(self: &Arc<Self>) -> Result<(), Error> {
        let definitions = self.limited("Reading the store", self.store.load()).await?;
        // By UUID: of two definitions with one name, the same one is left out each time.
        let mut definitions: BTreeMap<Uuid, Definition> = definitions
            .into_iter()
            .map(|definition| (definition.config.uuid(), definition))
            .collect();
        let mut records: HashMap<Uuid, TransferRecord> =
            self.store.transfers().await?.into_iter().collect();
        for record in records.values() {
            if let TransferRecord::Saving { draft: Some(draft) } = record {
                self.store.remove_draft(draft).await;
            }
        }
        let mut incoming = self.unfinished_arrivals(&mut definitions).await?;
        for facts in self.hypervisor.domains().await? {
            let uuid = facts.uuid;
            let stored = Stored {
                definition: definitions.remove(&uuid),
                transfer: records.remove(&uuid),
                incoming: incoming.remove(&uuid),
            };
            self.adopt_running(facts, stored).await;
        }
        for (domain, incoming) in incoming {
            // That it is not here says nothing yet: it may be the sender's again.
            self.settings.ownership.doubt(domain);
            self.spawn_background(self.clone().give_up_arrival(domain, incoming));
        }
        let stored = definitions.into_values().filter_map(|definition| {
            let uuid = definition.config.uuid();
            Some((uuid, self.adopt_stored(definition)?))
        });
        let stored: Vec<_> = stored.collect();
        let updates = stored.iter().map(|(uuid, driver)| (*uuid, driver.update()));
        self.publisher.publish_new(updates);
        for (uuid, mut driver) in stored {
            if let Some(record) = records.remove(&uuid) {
                driver.recover(Some(record)).await;
            }
            driver.start();
        }
        for (uuid, record) in records {
            // The domain is not here any more, and a new one may have its UUID.
            self.store.record_transfer(uuid, None).await?;
            if let TransferRecord::HandedOver(handover) = record {
                self.settings.ownership.doubt(uuid);
                self.spawn_background(self.clone().give_up_departed(uuid, handover));
            }
        }
        Ok(())
    }

    /// Destroys domains that were arriving from other hosts when the daemon was killed: they were
    /// not handed over. Returns those that were, and were not taken.
    async fn unfinished_arrivals(
        &self,
        definitions: &mut BTreeMap<Uuid, Definition>,
    ) -> Result<BTreeMap<Uuid, Incoming>, Error> {
        let mut incoming = BTreeMap::new();
        for (id, record) in self.store.arrivals(self.clock.now()).await? {
            match record.stage {
                ArrivalStage::Taken => continue,
                ArrivalStage::HandedOver { fleet } => {
                    // The definition that was here before stays.
                    let sent =
                        if record.defined { definitions.remove(&record.domain) } else { None };
                    let definition = sent.map(|sent| Arc::new(sent.config));
                    let handed_over = Incoming { id, definition, fleet, is_refused: false };
                    incoming.insert(record.domain, handed_over);
                    continue;
                }
                ArrivalStage::Arriving => {}
            }
            warn!(
                uuid = %record.domain,
                "A domain was arriving from another host when xend was stopped: destroying it"
            );
            for facts in self.hypervisor.domains().await? {
                if facts.uuid == record.domain {
                    let destroy = |transfer| self.hypervisor.destroy(facts.domid, transfer);
                    self.long_call("Destroy", destroy).await?;
                }
            }
            if record.defined {
                definitions.remove(&record.domain);
                self.store.remove(record.domain).await?;
            }
            self.store.record_arrival(id, None).await?;
        }
        Ok(incoming)
    }

    /// Adopts a domain on the host.
    async fn adopt_running(self: &Arc<Self>, facts: DomainFacts, stored: Stored) {
        let Stored { definition, transfer, incoming } = stored;
        let domid = facts.domid;
        if incoming.is_some() {
            self.settings.ownership.doubt(facts.uuid);
        } else if domid != DomId::ZERO {
            // Whether or not it can be adopted: it is here.
            self.settings.ownership.hold(facts.uuid, &facts.name);
        }
        let mut config = match self.running_config(&facts).await {
            Ok(config) => config,
            Err(error) => {
                if self.left_out.add(facts.uuid) {
                    error!(domain = %facts.name, %domid, %error, "A domain is left out");
                }
                return;
            }
        };
        let (handle, inbox) = mailbox();
        if self.registry.reserve(facts.uuid, &config.name, handle.clone()).is_err() {
            if self.registry.contains(&facts.uuid) {
                return;
            }
            // Its driver gives it its own name as soon as that is free.
            let shown = DomName::adopted(&format!("{}-{domid}", config.name));
            config = config.renamed(shown);
            warn!(
                domain = %facts.name, %domid, shown = %config.name,
                "A domain's name is taken, it is shown by another one"
            );
            if self.registry.reserve(facts.uuid, &config.name, handle).is_err() {
                self.left_out.add(facts.uuid);
                return;
            }
        }
        let unfinished =
            transfer.is_some() || definition.as_ref().is_some_and(|stored| stored.suspended);
        let mut driver = Driver::running(self.clone(), inbox, Arc::new(config), facts, definition);
        if let Some(incoming) = incoming {
            driver.wait_for_leave(incoming);
        } else if unfinished {
            driver.recover(transfer).await;
        }
        driver.start();
    }

    /// The configuration of a domain on the host; if it cannot be read, what the hypervisor's facts
    /// say.
    async fn running_config(&self, facts: &DomainFacts) -> Result<CompleteConfig, Invalid> {
        let read = self.hypervisor.config(facts.domid).await;
        let complete = |config: DomainConfig| {
            self.complete_definition(DomainConfig { uuid: Some(facts.uuid), ..config })
        };
        read.and_then(|config| Ok(complete(config)?)).or_else(|error| {
            warn!(
                domain = %facts.name, domid = %facts.domid, %error,
                "Adopting a domain without its configuration"
            );
            complete(config_from_facts(facts))
        })
    }

    /// The driver of a domain that is in the store and not on the host; `None` if its name is
    /// taken.
    fn adopt_stored(self: &Arc<Self>, definition: Definition) -> Option<Driver> {
        let config = &definition.config;
        let uuid = config.uuid();
        let (handle, inbox) = mailbox();
        if self.registry.reserve(uuid, &config.name, handle).is_err() {
            // It stays on disk.
            error!(
                domain = %config.name, %uuid,
                "A stored domain is left out: another one has its name"
            );
            return None;
        }
        Some(Driver::halted(self.clone(), inbox, definition))
    }

    /// Adopts a domain that has no driver, if it is still there.
    pub(super) async fn adopt_unknown(self: Arc<Self>, domid: DomId) {
        match self.hypervisor.domain(domid).await {
            Ok(Some(facts)) if facts.flags.dying => {}
            Ok(Some(facts)) => {
                // A defined domain that another toolstack has started, or one that is just being
                // built.
                if let Some(driver) = self.registry.get(&facts.uuid) {
                    driver.notify_changed();
                    return;
                }
                info!(
                    domain = %facts.name, %domid,
                    "Adopting a domain that another toolstack has started"
                );
                self.adopt_running(facts, Stored::default()).await;
            }
            Ok(None) => {}
            Err(error) => warn!(%domid, %error, "Could not read a domain"),
        }
    }
}

/// What the hypervisor knows of a domain whose configuration cannot be read.
fn config_from_facts(facts: &DomainFacts) -> DomainConfig {
    let mut config = DomainConfig::new(facts.name.clone(), (facts.memory_kib / 1024).max(1));
    config.set_vcpus(facts.online_vcpus);
    config
}
