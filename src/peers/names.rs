//! The names of hosts, confirmed in both directions.
//!
//! A host is who it says it is if its name, as the reverse lookup of its address tells it, has that
//! address among its own. The reverse lookup alone proves nothing: whoever has an address may call
//! it `localhost`.

use super::resolver::{Resolver, SystemResolver};
use super::shares::{Share, ShareLimits, Shares};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a connection waits for the name of its host. A lookup that takes longer goes on, for
/// the next connection of the host.
const LOOKUP_LIMIT: Duration = Duration::from_secs(4);

/// How long a name counts.
const NAME_AGE: Duration = Duration::from_secs(60);

/// How long a failure of the name service counts.
const FAILURE_AGE: Duration = Duration::from_secs(2);

/// How many names are kept.
const MAX_NAMES: usize = 1024;

/// Lookups at a time, each of which blocks a thread, and those about one client. Clients choose
/// who answers questions about their addresses, and how slowly.
const LOOKUPS: ShareLimits = ShareLimits::new(32, 4);

/// The names of hosts; clones share them.
#[derive(Clone)]
pub(super) struct PeerNames {
    resolver: Arc<dyn Resolver>,
    lookups: Arc<Mutex<HashMap<IpAddr, Lookup>>>,
    running: Shares,
}

/// A lookup that runs or has ended.
#[derive(Clone)]
struct Lookup {
    begun: Instant,
    result: watch::Receiver<Option<Found>>,
}

/// The confirmed name of a host; `None` if it has none.
type Found = Option<Arc<str>>;

impl fmt::Debug for PeerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerNames").finish_non_exhaustive()
    }
}

impl Default for PeerNames {
    fn default() -> Self {
        Self::new(Arc::new(SystemResolver))
    }
}

impl PeerNames {
    pub(super) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, lookups: Arc::default(), running: Shares::new(LOOKUPS) }
    }

    /// The confirmed name of a host. `None` if it has none, if that takes too long, or if too many
    /// names are being looked up.
    pub(super) async fn of(&self, address: IpAddr) -> Found {
        let mut result = self.lookup(address)?.result;
        let found = timeout(LOOKUP_LIMIT, result.wait_for(Option::is_some)).await.ok()?.ok()?;
        found.clone().flatten()
    }

    /// The lookup of an address, which is begun unless there is a recent one.
    fn lookup(&self, address: IpAddr) -> Option<Lookup> {
        let now = Instant::now();
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = lookups.get(&address).filter(|lookup| !lookup.is_over(now)) {
            return Some(lookup.clone());
        }
        let place = self.running.take(Some(address)).ok()?;
        if lookups.len() >= MAX_NAMES {
            lookups.retain(|_, lookup| !lookup.is_over(now));
        }
        if lookups.len() >= MAX_NAMES {
            let oldest = lookups.iter().min_by_key(|(_, lookup)| lookup.begun);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                lookups.remove(&oldest);
            }
        }
        let lookup = Lookup { begun: now, result: self.begin(address, place) };
        lookups.insert(address, lookup.clone());
        Some(lookup)
    }

    fn begin(&self, address: IpAddr, place: Share) -> watch::Receiver<Option<Found>> {
        let (sender, result) = watch::channel(None);
        let resolver = Arc::clone(&self.resolver);
        // It ends by itself, whether or not somebody still waits for it.
        drop(spawn_blocking(move || {
            let name = confirmed_name(&*resolver, address);
            drop(place);
            if let Ok(name) = name {
                sender.send_replace(Some(name));
            }
        }));
        result
    }
}

impl Lookup {
    /// Whether another lookup is needed: this one has ended too long ago, or without a result.
    fn is_over(&self, now: Instant) -> bool {
        let has_result = self.result.borrow().is_some();
        let runs = !has_result && self.result.has_changed().is_ok();
        let age = if has_result { NAME_AGE } else { FAILURE_AGE };
        !runs && now.saturating_duration_since(self.begun) > age
    }
}

/// The name of an address that has the address among its own. Blocks, and fails with the name
/// service.
fn confirmed_name(resolver: &dyn Resolver, address: IpAddr) -> io::Result<Found> {
    let Some(name) = if_found(resolver.name_of(address))? else { return Ok(None) };
    let addresses = if_found(resolver.addresses_of(&name))?.unwrap_or_default();
    let is_confirmed = addresses.iter().any(|other| other.to_canonical() == address);
    Ok(is_confirmed.then(|| name.into()))
}

fn if_found<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// Every address calls itself `a.example`, which is the name of 192.0.2.1 alone. Questions wait
    /// until the gate is opened by dropping its sender.
    struct OneName {
        questions: AtomicUsize,
        gate: Mutex<mpsc::Receiver<()>>,
    }

    impl Resolver for OneName {
        fn name_of(&self, _: IpAddr) -> io::Result<String> {
            self.questions.fetch_add(1, Ordering::SeqCst);
            self.gate.lock().unwrap().recv().ok();
            Ok("a.example".to_owned())
        }

        fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            assert_eq!(name, "a.example");
            Ok(vec![address(7), address(1)])
        }
    }

    fn names() -> (PeerNames, Arc<OneName>, mpsc::Sender<()>) {
        let (opener, gate) = mpsc::channel();
        let resolver = Arc::new(OneName { questions: AtomicUsize::new(0), gate: Mutex::new(gate) });
        (PeerNames::new(resolver.clone()), resolver, opener)
    }

    #[tokio::test]
    async fn a_name_counts_if_it_has_the_address() {
        let (names, _, opener) = names();
        drop(opener);
        assert_eq!(names.of(address(1)).await.as_deref(), Some("a.example"));
        assert_eq!(names.of(address(2)).await, None);
    }

    #[tokio::test]
    async fn connections_of_a_host_share_a_lookup() {
        let (names, resolver, opener) = names();
        let first = tokio::spawn({
            let names = names.clone();
            async move { names.of(address(1)).await }
        });
        tokio::task::yield_now().await;
        drop(opener);
        assert!(names.of(address(1)).await.is_some() && first.await.unwrap().is_some());
        assert!(names.of(address(1)).await.is_some());
        assert_eq!(resolver.questions.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn slow_lookups_are_bounded_for_each_client() {
        let (names, _, opener) = names();
        let network = |number: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number]);
        let slow: Vec<_> = (0..4).map(|number| names.lookup(network(number)).unwrap()).collect();
        assert!(names.lookup(network(4)).is_none(), "the network has its share");
        assert!(names.lookup(network(0)).is_some(), "this one is being looked up");
        let other = names.lookup(address(1)).unwrap();
        assert!(slow.iter().chain([&other]).all(|lookup| lookup.result.borrow().is_none()));
        drop(opener);
        assert!(names.of(address(1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_takes_too_long_is_none() {
        let (names, _, opener) = names();
        // A paused clock stands still while a thread of the runtime blocks: so the answer is held
        // back here, and the lookup is one that never ends.
        let (_sender, result) = watch::channel(None);
        let lookup = Lookup { begun: Instant::now(), result };
        names.lookups.lock().unwrap().insert(address(1), lookup);
        assert_eq!(names.of(address(1)).await, None);
        drop(opener);
    }
}
