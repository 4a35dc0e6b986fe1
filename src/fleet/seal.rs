//! The fleet's key, by which the passwords in definitions are sealed: what is in etcd has none.
//!
//! A sealed value belongs to one key of one domain. The key itself is a file of each host. A host
//! that joins gets it sealed by the token, which only a person carries.

use super::keys::{ClusterName, digest};
use crate::core::model::{Property, Uuid};
use crate::core::ports::Entropy;
use crate::sxp::{Limits, Sxp, read_one};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use std::fmt;

/// The bytes of a key.
const KEY_LEN: usize = 32;

/// What a sealed value begins with.
const SEALED: &str = "sealed:1:";

/// What the file of a key begins with.
const FILE: &str = "xend-fleet-key:1:";

/// The key of a fleet. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetKey([u8; KEY_LEN]);

/// Why a value is not opened. Nothing of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed by another key, for another domain, or is damaged.
    #[error("a password was sealed by another key, or for another domain")]
    Foreign,
    /// It is not sealed.
    #[error("a password is not sealed")]
    Plain,
    /// The library failed.
    #[error("a password cannot be sealed")]
    Failed,
}

impl fmt::Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetKey(hidden)")
    }
}

impl FleetKey {
    /// A new key.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut key = [0; KEY_LEN];
        entropy.fill(&mut key);
        Self(key)
    }

    /// What tells the key from others, and says nothing about it.
    pub fn id(&self) -> String {
        digest(&[&b"xend fleet key "[..], &self.0].concat())[..32].to_owned()
    }

    /// The line of its file.
    pub(super) fn line(&self) -> String {
        format!("{FILE}{}\n", Base64UrlUnpadded::encode_string(&self.0))
    }

    /// Reads the line of a file.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let mut key = [0; KEY_LEN];
        let text = line.trim_end().strip_prefix(FILE)?;
        let bytes = Base64UrlUnpadded::decode(text, &mut key).ok()?;
        (bytes.len() == KEY_LEN).then_some(Self(key))
    }

    /// This key for a host that joins with a token.
    pub(super) fn for_token(
        &self,
        token: &str,
        cluster: &ClusterName,
        entropy: &dyn Entropy,
    ) -> Result<String, SealError> {
        let name = cluster.as_str().as_bytes();
        of_token(token)?.seal(&[b"fleet key", name], &self.0, entropy)
    }

    /// The key that a token opens.
    pub(super) fn by_token(
        sealed: &str,
        token: &str,
        cluster: &ClusterName,
    ) -> Result<Self, SealError> {
        let name = cluster.as_str().as_bytes();
        let key = of_token(token)?.open(&[b"fleet key", name], sealed)?;
        key.try_into().map(Self).map_err(|_| SealError::Foreign)
    }

    /// The definition with all passwords sealed.
    pub(super) fn seal_all(
        &self,
        tree: &Sxp,
        domain: Uuid,
        entropy: &dyn Entropy,
    ) -> Result<Sxp, SealError> {
        map_secrets(tree, &mut |key, values| {
            let plain = Sxp::list(values.iter().cloned()).to_string();
            let sealed =
                self.seal(&[b"definition", domain.as_bytes(), key], plain.as_bytes(), entropy)?;
            Ok(vec![Sxp::atom(sealed)])
        })
    }

    /// The definition with all passwords opened.
    pub(super) fn open_all(&self, tree: &Sxp, domain: Uuid) -> Result<Sxp, SealError> {
        map_secrets(tree, &mut |key, values| {
            let [sealed] = values else { return Err(SealError::Plain) };
            let sealed = sealed.as_str().ok_or(SealError::Plain)?;
            let plain = self.open(&[b"definition", domain.as_bytes(), key], sealed)?;
            let list = read_one(&plain, &Limits::STORED).map_err(|_| SealError::Foreign)?;
            Ok(list.as_list().ok_or(SealError::Foreign)?.to_vec())
        })
    }

    fn seal(
        &self,
        purpose: &[&[u8]],
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        let aad = Aad::from(joined(purpose));
        let unique = Nonce::assume_unique_for_key(nonce);
        let done = self.cipher()?.seal_in_place_append_tag(unique, aad, &mut sealed);
        done.map_err(|_| SealError::Failed)?;
        let text = Base64UrlUnpadded::encode_string(&[&nonce[..], &sealed].concat());
        Ok(format!("{SEALED}{text}"))
    }

    fn open(&self, purpose: &[&[u8]], sealed: &str) -> Result<Vec<u8>, SealError> {
        let text = sealed.strip_prefix(SEALED).ok_or(SealError::Plain)?;
        let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| SealError::Foreign)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Foreign)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Foreign)?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(joined(purpose));
        let plain = self.cipher()?.open_in_place(nonce, aad, &mut sealed);
        plain.map(|plain| plain.to_vec()).map_err(|_| SealError::Foreign)
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.0);
        key.map(LessSafeKey::new).map_err(|_| SealError::Failed)
    }
}

/// Whether a definition has passwords.
pub(super) fn has_secrets(tree: &Sxp) -> bool {
    map_secrets(tree, &mut |_, _| Err(SealError::Plain)).is_err()
}

/// The key that a token stands for. The token is random and long.
fn of_token(token: &str) -> Result<FleetKey, SealError> {
    let key = Salt::new(HKDF_SHA256, b"xend fleet token").extract(token.as_bytes());
    let info: [&[u8]; 1] = [b"fleet key"];
    let mut bytes = [0; KEY_LEN];
    let filled = key.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(&mut bytes));
    filled.map(|()| FleetKey(bytes)).map_err(|_| SealError::Failed)
}

/// Parts that cannot be taken for others, each with its length.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&part.len().to_be_bytes()[..], part].concat()).collect()
}

type MapSecret<'a> = &'a mut dyn FnMut(&[u8], &[Sxp]) -> Result<Vec<Sxp>, SealError>;

/// The tree with other values for the keys of passwords. The reader's limit on the depth bounds the
/// recursion.
fn map_secrets(tree: &Sxp, map: MapSecret<'_>) -> Result<Sxp, SealError> {
    let Some(items) = tree.as_list() else { return Ok(tree.clone()) };
    if let Some((head, values)) = items.split_first() {
        let key = head.as_bytes().filter(|key| Property::is_secret_key(key));
        if let Some(key) = key {
            let values = map(key, values)?;
            return Ok(Sxp::list([head.clone()].into_iter().chain(values)));
        }
    }
    let mapped: Result<Vec<Sxp>, SealError> =
        items.iter().map(|item| map_secrets(item, map)).collect();
    Ok(Sxp::list(mapped?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::OsEntropy;

    const DOMAIN: Uuid = Uuid::from_u128(1);
    const TEXT: &str = "(domain (name web) (device (vfb (vncpasswd geheim) (vnc 1))) (xenstore_data \
                        ((vm-data/admin/password (geheim 'geheim too')) (vm-data/a b))) (password ))";

    fn tree() -> Sxp {
        read_one(TEXT.as_bytes(), &Limits::STORED).unwrap()
    }

    #[test]
    fn passwords_are_sealed_and_opened() {
        let key = FleetKey::new(&OsEntropy);
        let sealed = key.seal_all(&tree(), DOMAIN, &OsEntropy).unwrap();
        let text = sealed.to_string();
        assert!(
            !text.contains("geheim") && text.contains("(vnc 1)") && text.contains("(name web)")
        );
        assert_eq!(text.matches(SEALED).count(), 3);
        assert_eq!(key.open_all(&sealed, DOMAIN).unwrap().to_string(), tree().to_string());
        let again = key.seal_all(&tree(), DOMAIN, &OsEntropy).unwrap();
        assert_ne!(again.to_string(), text, "each has a nonce of its own");
        assert!(has_secrets(&tree()) && !has_secrets(&Sxp::list([Sxp::atom("passwd-x")])));
    }

    #[test]
    fn a_sealed_value_is_of_one_key_of_one_domain() {
        let key = FleetKey::new(&OsEntropy);
        let sealed = key.seal_all(&tree(), DOMAIN, &OsEntropy).unwrap();
        assert_eq!(key.open_all(&sealed, Uuid::from_u128(2)), Err(SealError::Foreign));
        let other = FleetKey::new(&OsEntropy);
        assert_eq!(other.open_all(&sealed, DOMAIN), Err(SealError::Foreign));
        let moved = sealed.to_string().replace("vncpasswd", "spicepasswd");
        let moved = read_one(moved.as_bytes(), &Limits::STORED).unwrap();
        assert_eq!(key.open_all(&moved, DOMAIN), Err(SealError::Foreign));
        assert_eq!(key.open_all(&tree(), DOMAIN), Err(SealError::Plain));
        for damaged in ["sealed:1:", "sealed:1:AAAA", "sealed:1:?"] {
            assert_eq!(key.open(&[b"a"], damaged), Err(SealError::Foreign), "{damaged}");
        }
    }

    #[test]
    fn a_token_brings_the_key() {
        let key = FleetKey::new(&OsEntropy);
        let [lab, other]: [ClusterName; 2] = ["lab", "other"].map(|name| name.parse().unwrap());
        let sealed = key.for_token("token", &lab, &OsEntropy).unwrap();
        assert_eq!(FleetKey::by_token(&sealed, "token", &lab), Ok(key.clone()));
        assert!(FleetKey::by_token(&sealed, "Token", &lab).is_err());
        assert!(FleetKey::by_token(&sealed, "token", &other).is_err());
    }

    #[test]
    fn a_key_is_read_as_it_is_written_and_never_shown() {
        let key = FleetKey::new(&OsEntropy);
        assert_eq!(FleetKey::of_line(&key.line()), Some(key.clone()));
        for line in ["", "xend-fleet-key:1:", "xend-fleet-key:1:AAAA", &key.line()[17..]] {
            assert_eq!(FleetKey::of_line(line), None, "{line}");
        }
        assert!(!key.line().contains(&key.id()) && key.id() != FleetKey::new(&OsEntropy).id());
        assert_eq!(format!("{key:?}"), "FleetKey(hidden)");
    }
}
