//! Leaving a fleet.

use super::{Attempts, Candidate, JoinError, Left, TRIES, belongs_to};
use crate::core::fleet::HostName;
use crate::core::fleet_domain::FleetDomain;
use crate::core::model::Uuid;
use crate::fleet::domain::{FoundDomain, Trouble};
use crate::fleet::keys::HostKey;
use crate::fleet::kv::{Committed, Compare, KvError, Op, Revision, Txn};

impl Candidate<'_> {
    /// Leaves the fleet. The last host takes the fleet with it. The definitions of this host go
    /// from the fleet, and stay here.
    pub async fn leave(&self) -> Result<Left, JoinError> {
        let mut attempts = Attempts::default();
        let mut left = Left::Fleet;
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            if found.own.is_none()
                && (attempts.doubt.is_some() || self.has_left_some(&attempts).await?)
            {
                return self.remove_rest(left).await;
            }
            let schema = self.schema(found.schema)?;
            let own = self.member(found.own)?;
            let mut compares = vec![
                Compare::Modified(schema.key, schema.modified),
                Compare::Modified(own.key.clone(), own.modified),
            ];
            let mut ops = vec![
                Op::Delete { key: own.key.clone() },
                Op::Delete { key: self.keys.alive(self.host) },
                Op::DeleteBelow { prefix: self.keys.views_of(self.host) },
            ];
            if self.is_last(&own.key, &attempts).await? {
                left = Left::LastOfFleet;
                ops.extend(self.end_of_fleet());
            } else {
                let looked_at = self.check_domains(&attempts).await?;
                // A domain that its daemon begins meanwhile.
                compares.push(Compare::NoneNewerBelow(self.keys.owns(), looked_at));
                left = Left::Fleet;
                ops.push(self.put_schema(schema.value));
                ops.extend(self.end_of_duties(self.host));
            }
            if attempts.commit(self.kv, Txn { compares, ops }).await? {
                return self.remove_rest(left).await;
            }
        }
        Err(attempts.exhausted())
    }

    /// Whether an earlier try has left definitions behind.
    async fn has_left_some(&self, attempts: &Attempts) -> Result<bool, JoinError> {
        let homes = attempts.read(self.kv.list(&self.keys.homes_of(self.host)).await)?;
        Ok(!homes.entries.is_empty())
    }

    /// Removes the definitions of this host, which can write none any more.
    async fn remove_rest(&self, left: Left) -> Result<Left, JoinError> {
        if left == Left::Fleet {
            let left_behind = |error| JoinError::LeftBehind { host: self.host.clone(), error };
            let remove = |domain: &mut FleetDomain| domain.defined = None;
            let gone = Compare::Absent(self.keys.host(self.host));
            self.change_definitions(self.host, &gone, |_| true, remove)
                .await
                .map_err(left_behind)?;
            self.remove_clashes(self.host).await.map_err(left_behind)?;
        }
        Ok(left)
    }

    /// What a host without a record does no more in the fleet: it is no taker, and not away.
    pub(super) fn end_of_duties(&self, host: &HostName) -> [Op; 2] {
        let taker = Op::Delete { key: self.keys.taker(host) };
        [taker, Op::DeleteBelow { prefix: self.keys.aways_of(host) }]
    }

    /// Changes those definitions of a host that are `wanted`, as long as this condition holds.
    pub(super) async fn change_definitions(
        &self,
        host: &HostName,
        condition: &Compare,
        wanted: impl Fn(&FleetDomain) -> bool,
        change: impl Fn(&mut FleetDomain),
    ) -> Result<(), KvError> {
        let homes = self.kv.list(&self.keys.homes_of(host)).await?;
        let domains =
            homes.entries.iter().filter_map(|entry| self.keys.parse_home(host, &entry.key));
        for domain in domains {
            let is_its = |domain: &FleetDomain| {
                let home = domain.defined.as_ref().and_then(|defined| defined.home.as_ref());
                home == Some(host) && wanted(domain)
            };
            self.change_domain(condition, domain, is_its, &change).await?;
        }
        Ok(())
    }

    /// Removes what a host without a record says of domains that the fleet has otherwise. One that
    /// joins meanwhile keeps what is there.
    pub(super) async fn remove_clashes(&self, host: &HostName) -> Result<(), KvError> {
        let ops = vec![Op::DeleteBelow { prefix: self.keys.clashes_of(host) }];
        let compares = vec![Compare::Absent(self.keys.host(host))];
        self.kv.commit(Txn { compares, ops }).await.map(drop)
    }

    /// Changes what there is of a domain, if it is `wanted`, as long as this condition holds. What
    /// cannot be read is left.
    pub(super) async fn change_domain(
        &self,
        condition: &Compare,
        domain: Uuid,
        wanted: impl Fn(&FleetDomain) -> bool,
        change: impl Fn(&mut FleetDomain),
    ) -> Result<(), KvError> {
        for _ in 0..TRIES {
            let found = match FoundDomain::read(self.kv, self.keys, domain).await {
                Ok(found) if wanted(&found.domain) => found,
                Err(Trouble::Kv(error)) => return Err(error),
                Ok(_) | Err(Trouble::Strange(_) | Trouble::Refused(_)) => return Ok(()),
            };
            let mut after = found.domain.clone();
            change(&mut after);
            let mut txn = match found.txn(self.kv, self.keys, &after, None).await {
                Ok(txn) => txn,
                Err(Trouble::Kv(error)) => return Err(error),
                Err(Trouble::Strange(_) | Trouble::Refused(_)) => return Ok(()),
            };
            txn.compares.push(condition.clone());
            if let Committed::Yes(_) = self.kv.commit(txn).await? {
                return Ok(());
            }
        }
        // The host is back, or others change the domain.
        Ok(())
    }

    /// Whether no host but the one with this record is in the fleet. What is no name of a host is
    /// none.
    pub(super) async fn is_last(
        &self,
        record: &str,
        attempts: &Attempts,
    ) -> Result<bool, JoinError> {
        let hosts = attempts.read(self.kv.list(&self.keys.hosts()).await)?;
        let is_host = |key: &str| matches!(self.keys.parse(key), Some(HostKey::Host(_)));
        Ok(!hosts.entries.iter().any(|entry| entry.key != record && is_host(&entry.key)))
    }

    /// What goes with the last host.
    pub(super) fn end_of_fleet(&self) -> [Op; 15] {
        let below = |prefix| Op::DeleteBelow { prefix };
        [
            Op::Delete { key: self.keys.schema() },
            Op::Delete { key: self.keys.key() },
            below(self.keys.definitions()),
            below(self.keys.names()),
            below(self.keys.homes()),
            below(self.keys.orphans()),
            below(self.keys.clashes()),
            below(self.keys.tokens()),
            below(self.keys.owns()),
            below(self.keys.policies()),
            below(self.keys.takers()),
            below(self.keys.takeovers()),
            below(self.keys.fences()),
            below(self.keys.aways()),
            below(self.keys.all_forgotten()),
        ]
    }

    /// Fails if domains belong to this host. Returns the revision at which none did.
    async fn check_domains(&self, attempts: &Attempts) -> Result<Revision, JoinError> {
        let owned = attempts.read(self.kv.list(&self.keys.owns()).await)?;
        match owned.entries.iter().filter(|entry| belongs_to(entry, self.host)).count() {
            0 => Ok(owned.revision),
            domains => Err(JoinError::HasDomains { domains }),
        }
    }
}
