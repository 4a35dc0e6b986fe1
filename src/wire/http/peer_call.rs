//! What a host of the fleet says with each request that it passes on: for whom it asks, and where
//! the answer is shown. It is one header, JSON in Base64, and counts between members alone.
//!
//! An unknown field is an error: it may be a limit of the account. An unknown right is left out.

use crate::core::caller::OnBehalf;
use crate::core::rights::{Access, DomainPattern, Grant, Limits, Right};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The header of a request.
pub(super) const REQUEST_HEADER: &str = "x-xend-peer-request";
/// The header of an answer of the wire, as opposed to a refusal before it.
pub(super) const ANSWER_HEADER: &str = "x-xend-peer-answer";
/// The longest value of the header, in bytes. It has the domains of the account.
pub(super) const MAX_HEADER: usize = 96 << 10;
/// The most characters that are taken of a text of the other host.
const MAX_TEXT: usize = 200;

/// For whom a host asks another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerCall {
    /// Where the client asked, in words.
    from: String,
    /// `None` for an operator without an account.
    account: Option<AccountRecord>,
    /// `http://host:port` by which the client knows the host that it asks.
    pub(super) origin: String,
    /// The path there of all pages of the host that answers: `/xend/host/xen2`.
    pub(super) base: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRecord {
    name: String,
    operator: bool,
    grants: Vec<GrantRecord>,
    limits: LimitsRecord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantRecord {
    domains: Vec<String>,
    rights: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsRecord {
    domains: Option<u32>,
    memory_mib: Option<u64>,
    vcpus: Option<u32>,
    disks: Vec<String>,
    bridges: Vec<String>,
    kernels: Vec<String>,
    files: Vec<String>,
    hosts: Vec<String>,
}

impl PeerCall {
    /// A request for these, whose answer is shown below `base` of `origin`.
    pub(super) fn new(on_behalf: &OnBehalf, origin: &str, base: String) -> Self {
        let account = on_behalf.account.as_ref();
        Self {
            from: on_behalf.from.clone(),
            account: account.map(|(name, access)| AccountRecord::of(name, access)),
            origin: origin.to_owned(),
            base,
        }
    }

    /// The value of the header; `None` if it is too long.
    pub(super) fn encode(&self) -> Option<String> {
        let json = serde_json::to_vec(self).ok()?;
        Some(Base64UrlUnpadded::encode_string(&json)).filter(|text| text.len() <= MAX_HEADER)
    }

    /// Reads the value of the header. The error says what is wrong with it.
    pub(super) fn decode(value: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(value).map_err(|error| error.to_string())?;
        let json = Base64UrlUnpadded::decode_vec(text).map_err(|error| error.to_string())?;
        let call: Self = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        let is_path = call.base.starts_with('/')
            && call.base.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~:+%".contains(&b));
        let is_origin =
            call.origin.bytes().all(|b| b.is_ascii_alphanumeric() || b"/:.-_[]".contains(&b));
        if !is_path || !is_origin {
            return Err("its origin or its base is no part of a URL".to_owned());
        }
        Ok(call)
    }

    /// For whom the host asks.
    pub(super) fn on_behalf(&self) -> Result<OnBehalf, String> {
        let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        let account = self.account.as_ref();
        let account =
            account.map(|account| Ok::<_, String>((shown(&account.name), account.access()?)));
        Ok(OnBehalf { from: shown(&self.from), account: account.transpose()? })
    }
}

impl AccountRecord {
    fn of(name: &str, access: &Access) -> Self {
        let Access { operator, grants, limits } = access;
        let grant = |Grant { domains, rights }: &Grant| GrantRecord {
            domains: domains.iter().map(ToString::to_string).collect(),
            rights: rights.iter().map(|right| right.name().to_owned()).collect(),
        };
        Self {
            name: name.to_owned(),
            operator: *operator,
            grants: grants.iter().map(grant).collect(),
            limits: LimitsRecord::of(limits),
        }
    }

    fn access(&self) -> Result<Access, String> {
        let grant = |grant: &GrantRecord| {
            let domains = grant.domains.iter().map(|domain| domain.parse::<DomainPattern>());
            let domains: Result<_, _> = domains.collect();
            let rights = grant.rights.iter().filter_map(|right| right.parse::<Right>().ok());
            Ok(Grant { domains: domains?, rights: rights.collect() })
        };
        let grants: Result<_, crate::core::model::Invalid> =
            self.grants.iter().map(grant).collect();
        Ok(Access {
            operator: self.operator,
            grants: grants.map_err(|invalid| invalid.to_string())?,
            limits: self.limits.limits(),
        })
    }
}

impl LimitsRecord {
    fn of(limits: &Limits) -> Self {
        let Limits { domains, memory_mib, vcpus, disks, bridges, kernels, files, hosts } = limits;
        // A place that is no text is left out: it gives less.
        let texts = |paths: &[PathBuf]| {
            paths.iter().filter_map(|path| path.to_str()).map(str::to_owned).collect()
        };
        Self {
            domains: *domains,
            memory_mib: *memory_mib,
            vcpus: *vcpus,
            disks: disks.clone(),
            bridges: bridges.clone(),
            kernels: texts(kernels),
            files: texts(files),
            hosts: hosts.clone(),
        }
    }

    fn limits(&self) -> Limits {
        let paths = |texts: &[String]| texts.iter().map(|text| Path::new(text).into()).collect();
        Limits {
            domains: self.domains,
            memory_mib: self.memory_mib,
            vcpus: self.vcpus,
            disks: self.disks.clone(),
            bridges: self.bridges.clone(),
            kernels: paths(&self.kernels),
            files: paths(&self.files),
            hosts: self.hosts.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(account: Option<(String, Access)>) -> PeerCall {
        let on_behalf = OnBehalf { from: "192.0.2.7:4711".to_owned(), account };
        PeerCall::new(&on_behalf, "http://xen1:8000", "/xend/host/xen2".to_owned())
    }

    #[test]
    fn an_account_arrives_with_exactly_its_rights() {
        let access = Access {
            operator: false,
            grants: vec![Grant {
                domains: vec![
                    "wéb*".parse().unwrap(),
                    "00000000-0000-0000-0000-000000000021".parse().unwrap(),
                ],
                rights: [Right::Power, Right::Guest].into_iter().collect(),
            }],
            limits: Limits {
                domains: Some(1),
                memory_mib: Some(2),
                vcpus: Some(3),
                disks: vec!["/srv/".to_owned()],
                bridges: vec!["xenbr0".to_owned()],
                kernels: vec!["/boot".into()],
                files: vec!["/var/save".into()],
                hosts: vec!["xen3".to_owned()],
            },
        };
        for account in [None, Some(("steve".to_owned(), access))] {
            let sent = call(account.clone());
            let received = PeerCall::decode(sent.encode().unwrap().as_bytes()).unwrap();
            assert_eq!(received, sent);
            let on_behalf = received.on_behalf().unwrap();
            assert_eq!((on_behalf.from.as_str(), on_behalf.account), ("192.0.2.7:4711", account));
        }
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        let sent = call(Some(("steve".to_owned(), Access::default())));
        let json = serde_json::to_string(&sent).unwrap();
        let decode = |json: &str| {
            PeerCall::decode(Base64UrlUnpadded::encode_string(json.as_bytes()).as_bytes())
        };
        assert!(decode(&json).is_ok());
        let newer = json.replace("\"vcpus\":null", "\"vcpus\":null,\"disk_mib\":7");
        assert!(decode(&newer).unwrap_err().contains("disk_mib"));
        assert!(decode(&json.replace("/xend/host/xen2", "\\\"><script>")).is_err());
        assert!(decode(&json.replace("http://xen1:8000", "http://a\\r\\nb")).is_err());
        assert!(PeerCall::decode(b"").is_err() && PeerCall::decode(b"\xff").is_err());
        let right =
            json.replace("\"grants\":[]", r#""grants":[{"domains":["a"],"rights":["fly"]}]"#);
        let account = decode(&right).unwrap().on_behalf().unwrap().account.unwrap();
        assert!(!account.1.has(Right::See));
        let many = Access::to(
            (0..9000).map(|n| format!("web{n}").parse().unwrap()),
            [].into_iter().collect(),
        );
        assert_eq!(call(Some(("steve".to_owned(), many))).encode(), None);
    }
}
