//! The fleet's key on its way from host to host.

use super::{Attempts, Candidate, JoinError};
use crate::core::ports::Entropy;
use crate::fleet::definition_records::TokenRecord;
use crate::fleet::kv::{Compare, Entry, Op, Txn};
use crate::fleet::seal::FleetKey;

impl Candidate<'_> {
    /// The key of a fleet that this host makes: the one that is in its file, or a new one.
    pub(super) async fn own_key(&self, entropy: &dyn Entropy) -> Result<FleetKey, JoinError> {
        if let Some(key) = self.key_file.read().await.map_err(JoinError::Key)? {
            return Ok(key);
        }
        let key = FleetKey::new(entropy);
        self.key_file.write(&key).await.map_err(JoinError::Key)?;
        Ok(key)
    }

    /// The key for a token. The fleet gets it in the same transaction if it has none, as one that
    /// an older xend has made.
    pub(super) async fn key_for_token(
        &self,
        entropy: &dyn Entropy,
        attempts: &Attempts,
        txn: &mut Txn,
    ) -> Result<FleetKey, JoinError> {
        let id = self.keys.key();
        let Some(known) = attempts.read(self.kv.get(&id).await)? else {
            let key = self.own_key(entropy).await?;
            txn.compares.push(Compare::Absent(id.clone()));
            txn.ops.push(Op::put(id, key.id().into_bytes()));
            return Ok(key);
        };
        let shown = self.key_file.path().display();
        let key = self.key_file.read().await.map_err(JoinError::Key)?;
        let missing = || JoinError::Key(format!("{shown} is missing: make the token elsewhere"));
        let key = key.ok_or_else(missing)?;
        if known.value == key.id().as_bytes() {
            return Ok(key);
        }
        Err(JoinError::Key(format!("{shown} is another one: copy it from another host")))
    }

    /// What etcd has of a token: by whom it is, and the fleet's key, which only the token opens.
    pub(super) fn token_record(
        &self,
        token: &str,
        key: &FleetKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, JoinError> {
        let sealed = key.for_token(token, self.keys.cluster(), entropy);
        let sealed = sealed.map_err(|error| JoinError::Key(error.to_string()))?;
        Ok(TokenRecord { host: self.host.to_string(), key: sealed }.encode())
    }

    /// Keeps the key that came with a token. The host may not be a member yet: it may know the key,
    /// since it has the token.
    pub(super) async fn keep_key(
        &self,
        token: &str,
        entry: &Entry,
        attempts: &Attempts,
    ) -> Result<(), JoinError> {
        let unreadable = || JoinError::Unreadable { key: entry.key.clone() };
        let record = TokenRecord::decode(&entry.value).map_err(|_| unreadable())?;
        let key = FleetKey::by_token(&record.key, token, self.keys.cluster());
        let key = key.map_err(|_| unreadable())?;
        if !self.is_the_fleets(&key, attempts).await? {
            return Err(JoinError::Unreadable { key: self.keys.key() });
        }
        self.key_file.write(&key).await.map_err(JoinError::Key)
    }

    async fn is_the_fleets(&self, key: &FleetKey, attempts: &Attempts) -> Result<bool, JoinError> {
        let id = attempts.read(self.kv.get(&self.keys.key()).await)?;
        Ok(id.is_some_and(|entry| entry.value == key.id().as_bytes()))
    }
}
