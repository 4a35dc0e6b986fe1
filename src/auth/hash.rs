//! Hashes of passwords: argon2, as text in the PHC format.
//!
//! A check of a password takes much memory, on purpose. The whole daemon computes at most
//! [`MAX_AT_ONCE`] hashes at a time, whoever asks, so that its memory does not grow with the number
//! of logins.

use crate::core::model::Invalid;
use crate::core::ports::LoginError;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The number of hashes that are computed at the same time.
const MAX_AT_ONCE: usize = 2;

/// The number of checks that wait for others. Further ones fail.
const MAX_WAITING: usize = 256;

/// Time limit of waiting for other checks.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The largest memory that a stored hash may need, in KiB. Hashes made here need 19 MiB.
const MAX_MEMORY_KIB: u32 = 128 * 1024;

/// The largest number of passes and of lanes that a stored hash may need.
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

/// The hash of a password, with a random salt.
pub fn hash(password: &str) -> Result<String, String> {
    if password.is_empty() {
        return Err("The password is empty".to_owned());
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// A hash that no password is known for, with the costs of [`hash`], for names without an account
/// where no account has a hash.
pub(super) const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5\
     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Checks that a stored hash can be used.
pub(super) fn check_hash(text: &str) -> Result<(), Invalid> {
    StoredHash::parse(text).map(drop)
}

/// Checks all passwords of the daemon.
pub(super) static HASHER: Hasher = Hasher::new();

/// A hash that was read.
struct StoredHash {
    argon2: Argon2<'static>,
    salt: Salt,
    output: Output,
}

impl StoredHash {
    /// The errors do not show the text.
    fn parse(text: &str) -> Result<Self, Invalid> {
        let no_hash = || Invalid::new("this is no argon2 hash");
        let hash = PasswordHash::new(text).map_err(|_| no_hash())?;
        let algorithm = Algorithm::new(hash.algorithm.as_str()).map_err(|_| no_hash())?;
        // The format omits the version of the first hashes.
        let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from);
        let version = version.map_err(|_| no_hash())?;
        let params = Params::try_from(&hash).map_err(|_| no_hash())?;
        if params.m_cost() > MAX_MEMORY_KIB
            || params.t_cost() > MAX_PASSES
            || params.p_cost() > MAX_LANES
        {
            return Err(Invalid::new(format!(
                "the hash is too costly, at most {} MiB, {MAX_PASSES} passes and {MAX_LANES} lanes \
                 are allowed",
                MAX_MEMORY_KIB / 1024
            )));
        }
        let argon2 = Argon2::new(algorithm, version, params);
        match (hash.salt, hash.hash) {
            (Some(salt), Some(output)) => Ok(Self { argon2, salt, output }),
            _ => Err(no_hash()),
        }
    }

    fn matches(&self, password: &str, memory: &mut Vec<Block>) -> Result<bool, String> {
        let blocks = self.argon2.params().block_count();
        if memory.len() < blocks {
            // Room for the largest hash: what this one does not need is not touched and takes no
            // memory. The C library gives so large a piece back to the kernel when it is freed.
            let room = (MAX_MEMORY_KIB as usize).saturating_sub(memory.len());
            memory.try_reserve_exact(room).map_err(|error| error.to_string())?;
            memory.resize(blocks, Block::default());
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..self.output.len()).unwrap_or_default();
        self.argon2
            .hash_password_into_with_memory(password.as_bytes(), &self.salt, output, memory)
            .map_err(|error| error.to_string())?;
        // The comparison takes constant time.
        Ok(Output::new(output).is_ok_and(|output| output == self.output))
    }
}

/// Checks passwords against hashes, a few at a time.
pub(super) struct Hasher {
    /// For the checks that wait.
    places: Semaphore,
    /// For the hashes that are computed.
    permits: Semaphore,
    memory: Mutex<Memory>,
}

/// The memory of computations. A computation that ends leaves it to those that wait; the last one
/// frees it.
struct Memory {
    free: Vec<Vec<Block>>,
    in_use: usize,
}

impl Hasher {
    pub(super) const fn new() -> Self {
        Self {
            places: Semaphore::const_new(MAX_WAITING),
            permits: Semaphore::const_new(MAX_AT_ONCE),
            memory: Mutex::new(Memory { free: Vec::new(), in_use: 0 }),
        }
    }

    /// Whether a password is the one of a hash.
    pub(super) async fn matches(
        &'static self,
        password: &str,
        hash: &str,
    ) -> Result<bool, LoginError> {
        let place = self.places.try_acquire().map_err(|_| LoginError::Busy)?;
        let permit = timeout(LONGEST_WAIT, self.permits.acquire()).await;
        let Ok(Ok(permit)) = permit else { return Err(LoginError::Busy) };
        drop(place);
        let password = password.to_owned();
        let hash = hash.to_owned();
        // The permit is held until the end, even if the client hangs up.
        let computed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            self.compute(&password, &hash)
        });
        match computed.await {
            Ok(matches) => matches.map_err(LoginError::Broken),
            Err(error) => Err(LoginError::Broken(format!("The check was aborted: {error}"))),
        }
    }

    fn compute(&self, password: &str, hash: &str) -> Result<bool, String> {
        let hash = StoredHash::parse(hash).map_err(|invalid| invalid.to_string())?;
        let mut blocks = self.memory().take();
        let matches = hash.matches(password, &mut blocks);
        let is_anybody_waiting = self.places.available_permits() < MAX_WAITING;
        self.memory().give_back(blocks, is_anybody_waiting);
        matches
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn take(&mut self) -> Vec<Block> {
        self.in_use += 1;
        self.free.pop().unwrap_or_default()
    }

    fn give_back(&mut self, blocks: Vec<Block>, is_anybody_waiting: bool) {
        self.in_use -= 1;
        self.free.push(blocks);
        if self.in_use == 0 && !is_anybody_waiting {
            self.free.clear();
        }
    }
}

/// A hash that is computed at once, with other parameters than those of [`hash`].
#[cfg(test)]
pub(super) fn cheap_hash(password: &str) -> String {
    let argon2 = Argon2::from(Params::new(64, 1, 2, Some(16)).unwrap());
    argon2.hash_password(password.as_bytes()).unwrap().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    fn hasher() -> &'static Hasher {
        Box::leak(Box::new(Hasher::new()))
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash() {
        let hasher = hasher();
        let hash = hash("ge:heim").unwrap();
        let costs = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(costs(&hash), costs(DUMMY_HASH));
        assert!(hasher.matches("ge:heim", &hash).await.unwrap());
        assert!(!hasher.matches("geheim", &hash).await.unwrap());
        // Hashes of other programs.
        assert!(hasher.matches("x", &cheap_hash("x")).await.unwrap());
        assert!(!hasher.matches("y", &cheap_hash("x")).await.unwrap());
        let old = "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY";
        assert!(hasher.matches("password", old).await.unwrap());
        assert!(matches!(hasher.matches("x", "no hash").await, Err(LoginError::Broken(_))));
        assert!(super::hash("").is_err());
    }

    #[test]
    fn hashes_that_cost_too_much_are_refused() {
        let with = |params: &str| format!("$argon2id$v=19${params}$c29tZXNhbHQ$c29tZWhhc2hzb21l");
        check_hash(&with("m=131072,t=16,p=16")).unwrap();
        for params in ["m=131073,t=1,p=1", "m=64,t=17,p=1", "m=256,t=1,p=17"] {
            let error = check_hash(&with(params)).unwrap_err().to_string();
            assert!(error.contains("128 MiB"), "{error}");
        }
        for text in ["", "geheim", "$1$abc", "$argon2id$v=19$m=64,t=1,p=1", "$argon2id$v=7$m=64$a"]
        {
            let error = check_hash(text).unwrap_err().to_string();
            assert_eq!(error, "this is no argon2 hash", "{text}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn checks_wait_for_others_up_to_a_limit() {
        let hasher = hasher();
        let hash = cheap_hash("x");
        let held = hasher.permits.acquire_many(2).await.unwrap();
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(hasher.matches("x", &hash))).collect();
        for check in &mut waiting {
            assert!(check.now_or_never().is_none());
        }
        assert!(matches!(hasher.matches("x", &hash).await, Err(LoginError::Busy)));
        drop(held);
        for check in join_all(waiting).await {
            assert!(check.unwrap());
        }
        let memory = hasher.memory();
        assert_eq!((memory.in_use, memory.free.len()), (0, 0), "all memory is freed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_does_not_wait_for_ever() {
        let hasher = hasher();
        let _all = hasher.permits.acquire_many(2).await.unwrap();
        assert!(matches!(hasher.matches("x", DUMMY_HASH).await, Err(LoginError::Busy)));
    }

    #[test]
    fn memory_is_kept_while_others_wait() {
        let mut memory = Memory { free: Vec::new(), in_use: 0 };
        let one = memory.take();
        let other = memory.take();
        memory.give_back(one, false);
        assert_eq!(memory.free.len(), 1);
        memory.give_back(other, true);
        assert_eq!(memory.free.len(), 2);
        let last = memory.take();
        memory.give_back(last, false);
        assert_eq!(memory.free.len(), 0);
    }
}
