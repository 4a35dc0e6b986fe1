//! The keys of a fleet in etcd.
//!
//! ```text
//! /xend/1/CLUSTER/schema        what all members must understand
//! /xend/1/CLUSTER/key           which key seals the passwords of definitions
//! /xend/1/CLUSTER/host/H        a host that has joined
//! /xend/1/CLUSTER/alive/H       its lease
//! /xend/1/CLUSTER/view/H/U      a summary of its domain U
//! /xend/1/CLUSTER/own/U         the host to which the domain U belongs
//! /xend/1/CLUSTER/def/U         its definition
//! /xend/1/CLUSTER/home/H/U      that H shows the definition of U
//! /xend/1/CLUSTER/orphan/U      that no host does
//! /xend/1/CLUSTER/clash/H/U     that H has U otherwise than the fleet
//! /xend/1/CLUSTER/name/NAME     the domain U that has the name
//! /xend/1/CLUSTER/fence/H/EPOCH this boot of a host must not get any domain
//! /xend/1/CLUSTER/away/H/EPOCH  this boot of a host is not taken for dead for now
//! /xend/1/CLUSTER/policy/U      what becomes of the domain U when its host dies
//! /xend/1/CLUSTER/taker/H       a host that watches for others that die
//! /xend/1/CLUSTER/takeover/U    the host that is to take the domain U over
//! /xend/1/CLUSTER/token/DIGEST  a token by which one host may join
//! /xend/1/CLUSTER/forgotten/H   a host that was taken out of the fleet, until it joins again
//! ```

pub use crate::core::fleet::ClusterName;

use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use blake2::{Blake2b256, Digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Under which all fleets have their keys: another layout of keys has another number.
const ROOT: &str = "/xend/1/";

/// What is encoded of a name: all but what a caller may choose.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b':').remove(b'+');

/// What etcd knows of a token: it cannot be used by who reads it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDigest(String);

impl TokenDigest {
    /// The digest of a token, which is random and long: no salt is needed.
    pub fn of(token: &str) -> Self {
        Self(digest(token.as_bytes()))
    }
}

/// The keys of one fleet.
#[derive(Debug, Clone)]
pub struct Keys {
    cluster: ClusterName,
    /// `/xend/1/CLUSTER/`
    root: String,
}

/// A key of a host, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKey {
    /// `host/H`
    Host(HostName),
    /// `alive/H`
    Alive(HostName),
    /// `view/H/U`
    View(HostName, Uuid),
}

impl Keys {
    /// The keys of the fleet of this name.
    pub fn new(cluster: ClusterName) -> Self {
        let root = format!("{ROOT}{cluster}/");
        Self { cluster, root }
    }

    /// The fleet's name.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// What all keys of the fleet begin with.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The number of the fleet's schema.
    pub fn schema(&self) -> String {
        format!("{}schema", self.root)
    }

    /// What all records of hosts begin with.
    pub fn hosts(&self) -> String {
        format!("{}host/", self.root)
    }

    /// The record of a host.
    pub fn host(&self, host: &HostName) -> String {
        format!("{}host/{host}", self.root)
    }

    /// What all signs of life begin with.
    pub fn alives(&self) -> String {
        format!("{}alive/", self.root)
    }

    /// A host's sign of life, which has a lease.
    pub fn alive(&self, host: &HostName) -> String {
        format!("{}alive/{host}", self.root)
    }

    /// What all summaries of domains begin with.
    pub fn views(&self) -> String {
        format!("{}view/", self.root)
    }

    /// What all summaries of a host's domains begin with.
    pub fn views_of(&self, host: &HostName) -> String {
        format!("{}view/{host}/", self.root)
    }

    /// The summary of a host's domain.
    pub fn view(&self, host: &HostName, domain: Uuid) -> String {
        format!("{}view/{host}/{domain}", self.root)
    }

    /// What all owners of domains begin with.
    pub fn owns(&self) -> String {
        format!("{}own/", self.root)
    }

    /// The host to which a domain belongs.
    pub fn own(&self, domain: Uuid) -> String {
        format!("{}own/{domain}", self.root)
    }

    /// The domain whose owner has this key; `None` for any other key.
    pub fn parse_own(&self, key: &str) -> Option<Uuid> {
        domain_in(key.strip_prefix(&self.root)?.strip_prefix("own/")?)
    }

    /// The definition of a domain.
    pub fn definition(&self, domain: Uuid) -> String {
        format!("{}def/{domain}", self.root)
    }

    /// What all definitions begin with.
    pub fn definitions(&self) -> String {
        format!("{}def/", self.root)
    }

    /// What the signs of all homes begin with.
    pub fn homes(&self) -> String {
        format!("{}home/", self.root)
    }

    /// What the signs of all definitions of a host begin with.
    pub fn homes_of(&self, host: &HostName) -> String {
        format!("{}home/{host}/", self.root)
    }

    /// The sign that a host has the definition of a domain.
    pub fn home(&self, host: &HostName, domain: Uuid) -> String {
        format!("{}home/{host}/{domain}", self.root)
    }

    /// The domain of a sign that this host has its definition; `None` for any other key.
    pub fn parse_home(&self, host: &HostName, key: &str) -> Option<Uuid> {
        domain_in(key.strip_prefix(&self.homes_of(host))?)
    }

    /// What the signs of all definitions without a host begin with.
    pub fn orphans(&self) -> String {
        format!("{}orphan/", self.root)
    }

    /// The sign that no host has the definition of a domain.
    pub fn orphan(&self, domain: Uuid) -> String {
        format!("{}orphan/{domain}", self.root)
    }

    /// The domain of such a sign; `None` for any other key.
    pub fn parse_orphan(&self, key: &str) -> Option<Uuid> {
        domain_in(key.strip_prefix(&self.root)?.strip_prefix("orphan/")?)
    }

    /// What all disagreements begin with.
    pub fn clashes(&self) -> String {
        format!("{}clash/", self.root)
    }

    /// What all disagreements of a host begin with.
    pub fn clashes_of(&self, host: &HostName) -> String {
        format!("{}clash/{host}/", self.root)
    }

    /// That a host and the fleet do not agree about a domain.
    pub fn clash(&self, host: &HostName, domain: Uuid) -> String {
        format!("{}clash/{host}/{domain}", self.root)
    }

    /// The host and the domain of such a key; `None` for any other.
    pub fn parse_clash(&self, key: &str) -> Option<(HostName, Uuid)> {
        let rest = key.strip_prefix(&self.clashes())?;
        let (host, domain) = rest.split_once('/')?;
        Some((host.parse().ok()?, domain_in(domain)?))
    }

    /// The host and the domain of a sign of a home; `None` for any other key.
    pub fn parse_any_home(&self, key: &str) -> Option<(HostName, Uuid)> {
        let (host, domain) = key.strip_prefix(&self.homes())?.split_once('/')?;
        Some((host.parse().ok()?, domain_in(domain)?))
    }

    /// What all names begin with.
    pub fn names(&self) -> String {
        format!("{}name/", self.root)
    }

    /// The domain that has a name. Another toolstack may have given it any characters.
    pub fn name(&self, name: &DomName) -> String {
        format!("{}name/{}", self.root, utf8_percent_encode(name.as_str(), ENCODED))
    }

    /// What keeps a boot of a host from getting domains.
    pub fn fence(&self, host: &HostName, epoch: u64) -> String {
        format!("{}fence/{host}/{epoch}", self.root)
    }

    /// What all fences begin with.
    pub fn fences(&self) -> String {
        format!("{}fence/", self.root)
    }

    /// What all fences of a host begin with.
    pub fn fences_of(&self, host: &HostName) -> String {
        format!("{}{host}/", self.fences())
    }

    /// The host and the epoch of a fence; `None` for any other key.
    pub fn parse_fence(&self, key: &str) -> Option<(HostName, u64)> {
        host_and_epoch(key.strip_prefix(&self.fences())?)
    }

    /// That a boot of a host is away on purpose: no taker fences it.
    pub fn away(&self, host: &HostName, epoch: u64) -> String {
        format!("{}{host}/{epoch}", self.aways())
    }

    /// What all planned absences begin with.
    pub fn aways(&self) -> String {
        format!("{}away/", self.root)
    }

    /// What all planned absences of a host begin with.
    pub fn aways_of(&self, host: &HostName) -> String {
        format!("{}{host}/", self.aways())
    }

    /// The host and the epoch of a planned absence; `None` for any other key.
    pub fn parse_away(&self, key: &str) -> Option<(HostName, u64)> {
        host_and_epoch(key.strip_prefix(&self.aways())?)
    }

    /// What becomes of a domain when its host dies.
    pub fn policy(&self, domain: Uuid) -> String {
        format!("{}{domain}", self.policies())
    }

    /// What all policies begin with.
    pub fn policies(&self) -> String {
        format!("{}policy/", self.root)
    }

    /// The domain of a policy; `None` for any other key.
    pub fn parse_policy(&self, key: &str) -> Option<Uuid> {
        domain_in(key.strip_prefix(&self.policies())?)
    }

    /// That a host watches for others that die.
    pub fn taker(&self, host: &HostName) -> String {
        format!("{}{host}", self.takers())
    }

    /// What all takers begin with.
    pub fn takers(&self) -> String {
        format!("{}taker/", self.root)
    }

    /// The host of a taker; `None` for any other key.
    pub fn parse_taker(&self, key: &str) -> Option<HostName> {
        key.strip_prefix(&self.takers())?.parse().ok()
    }

    /// Which host is to take a domain over.
    pub fn takeover(&self, domain: Uuid) -> String {
        format!("{}{domain}", self.takeovers())
    }

    /// What all takeovers begin with.
    pub fn takeovers(&self) -> String {
        format!("{}takeover/", self.root)
    }

    /// The domain of a takeover; `None` for any other key.
    pub fn parse_takeover(&self, key: &str) -> Option<Uuid> {
        domain_in(key.strip_prefix(&self.takeovers())?)
    }

    /// What tells the fleet's key from others.
    pub fn key(&self) -> String {
        format!("{}key", self.root)
    }

    /// What all tokens begin with.
    pub fn tokens(&self) -> String {
        format!("{}token/", self.root)
    }

    /// A token by which one host may join.
    pub fn token(&self, digest: &TokenDigest) -> String {
        format!("{}token/{}", self.root, digest.0)
    }

    /// What all notes of forgotten hosts begin with.
    pub fn all_forgotten(&self) -> String {
        format!("{}forgotten/", self.root)
    }

    /// The note that a host was forgotten, for when it comes back.
    pub fn forgotten(&self, host: &HostName) -> String {
        format!("{}forgotten/{host}", self.root)
    }

    /// Which key of a host this is; `None` for any other, such as one that a later version wrote.
    pub fn parse(&self, key: &str) -> Option<HostKey> {
        let (class, name) = key.strip_prefix(&self.root)?.split_once('/')?;
        match class {
            "host" => name.parse().ok().map(HostKey::Host),
            "alive" => name.parse().ok().map(HostKey::Alive),
            "view" => {
                let (host, domain) = name.split_once('/')?;
                Some(HostKey::View(host.parse().ok()?, domain_in(domain)?))
            }
            _ => None,
        }
    }
}

/// The domain in a key. It has one key: another way to write its UUID is strange.
fn domain_in(segment: &str) -> Option<Uuid> {
    Uuid::try_parse(segment).ok().filter(|uuid| uuid.hyphenated().to_string() == segment)
}

fn host_and_epoch(segments: &str) -> Option<(HostName, u64)> {
    let (host, epoch) = segments.split_once('/')?;
    let number = epoch.parse::<u64>().ok().filter(|number| number.to_string() == epoch)?;
    Some((host.parse().ok()?, number))
}

/// The digits of a digest.
pub(super) fn digest(bytes: &[u8]) -> String {
    let digest = Blake2b256::digest(bytes);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new("lab".parse().unwrap())
    }

    #[test]
    fn a_fleet_has_a_name_that_is_a_segment_of_a_key() {
        for name in ["lab", "lab.example.org", "1", &"a".repeat(63)] {
            assert_eq!(name.parse::<ClusterName>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "-a", "a/b", "a b", "é", &"a".repeat(64)] {
            let error = name.parse::<ClusterName>().unwrap_err().to_string();
            assert!(error.contains("name of a fleet"), "{error}");
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let keys = keys();
        let host: HostName = "xen1.example.org".parse().unwrap();
        let uuid = Uuid::from_u128(0xabc);
        let view = keys.view(&host, uuid);
        assert_eq!(view, "/xend/1/lab/view/xen1.example.org/00000000-0000-0000-0000-000000000abc");
        assert!(view.starts_with(&keys.views_of(&host)));
        assert_eq!(keys.parse(&view), Some(HostKey::View(host.clone(), uuid)));
        assert_eq!(keys.parse(&keys.host(&host)), Some(HostKey::Host(host.clone())));
        assert_eq!(keys.parse(&keys.alive(&host)), Some(HostKey::Alive(host.clone())));
        assert_eq!(keys.parse_own(&keys.own(uuid)), Some(uuid));
        assert_eq!(keys.parse_own(&keys.own(uuid).to_uppercase()), None);
        assert_eq!(keys.parse_home(&host, &keys.home(&host, uuid)), Some(uuid));
        assert_eq!(keys.parse_home(&"xen".parse().unwrap(), &keys.home(&host, uuid)), None);
        assert_eq!(keys.parse_orphan(&keys.orphan(uuid)), Some(uuid));
        let name = |name: &str| keys.name(&DomName::adopted(name));
        assert_eq!(name("web_1.a:b+c-d"), "/xend/1/lab/name/web_1.a:b+c-d");
        assert_eq!(name("a/b é"), "/xend/1/lab/name/a%2Fb%20%C3%A9");
        assert_eq!(keys.fence(&host, 3), "/xend/1/lab/fence/xen1.example.org/3");
    }

    #[test]
    fn strange_keys_are_no_keys_of_hosts() {
        for key in [
            "",
            "/xend/1/lab",
            "/xend/1/lab/",
            "/xend/1/lab/host/",
            "/xend/1/lab/host/a/b",
            "/xend/1/lab/alive/..",
            "/xend/1/lab/schema",
            "/xend/1/lab/own/00000000-0000-0000-0000-000000000abc",
            "/xend/1/lab/view/a",
            "/xend/1/lab/view/a/",
            "/xend/1/lab/view/a/b",
            "/xend/1/lab/view/a/00000000000000000000000000000abc",
            "/xend/1/lab/view/a/00000000-0000-0000-0000-000000000ABC",
            "/xend/1/lab/view/a/00000000-0000-0000-0000-000000000abc/b",
            "/xend/1/lab2/host/a",
            "/xend/2/lab/host/a",
        ] {
            assert_eq!(keys().parse(key), None, "{key}");
        }
    }

    #[test]
    fn keys_of_protection_are_read_as_they_are_written() {
        let keys = keys();
        let host: HostName = "a".parse().unwrap();
        let domain = Uuid::from_u128(0xabc);
        let boot = Some((host.clone(), 12));
        assert_eq!(keys.parse_fence(&keys.fence(&host, 12)), boot);
        assert_eq!(keys.parse_away(&keys.away(&host, 12)), boot);
        assert_eq!(keys.parse_policy(&keys.policy(domain)), Some(domain));
        assert_eq!(keys.parse_takeover(&keys.takeover(domain)), Some(domain));
        assert_eq!(keys.parse_taker(&keys.taker(&host)), Some(host.clone()));
        for key in ["fence/a", "fence/a/", "fence/a/012", "fence/a/+1", "fence/a/1/2", "away/a/1"] {
            assert_eq!(keys.parse_fence(&format!("/xend/1/lab/{key}")), None, "{key}");
        }
        assert_eq!(keys.parse_away(&keys.fence(&host, 1)), None);
        assert_eq!(keys.parse_policy(&keys.takeover(domain)), None);
    }

    #[test]
    fn a_token_is_known_by_its_digest() {
        let key = keys().token(&TokenDigest::of("secret"));
        let digest = key.strip_prefix("/xend/1/lab/token/").unwrap();
        assert_eq!(digest.len(), 64);
        assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(key, keys().token(&TokenDigest::of("Secret")));
    }
}
