//! A domain as xend describes it: `(domain (domid 1) (name web1) ...)`.

use crate::failure::Failure;
use std::str::FromStr;
use xend_sxp::Sxp;

/// A domain.
#[derive(Debug, Clone)]
pub(crate) struct Domain {
    description: Sxp,
    name: String,
}

impl Domain {
    /// The domain with this description, which must have a name.
    pub(crate) fn read(description: Sxp) -> Result<Self, Failure> {
        let name = description.value("name").and_then(Sxp::as_bytes).unwrap_or_default();
        if name.is_empty() {
            return Err(Failure::not_understood("a domain has no name"));
        }
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(Self { description, name })
    }

    /// The whole description.
    pub(crate) fn description(&self) -> &Sxp {
        &self.description
    }

    /// A value of one word.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.description.value(key).and_then(Sxp::as_str)
    }

    /// A number.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).and_then(|text| text.parse().ok())
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The domid; `None` for a domain that is not on the host.
    pub(crate) fn domid(&self) -> Option<u32> {
        self.number("domid")
    }

    /// The domid as listings show it: empty for a domain that is not on the host.
    pub(crate) fn domid_text(&self) -> &str {
        self.text("domid").unwrap_or_default()
    }

    /// The state as letters, `-b----`; empty for a domain that is not on the host.
    pub(crate) fn state(&self) -> &str {
        self.text("state").unwrap_or_default()
    }

    /// The memory in MiB.
    pub(crate) fn memory(&self) -> u64 {
        self.number("memory").unwrap_or_default()
    }

    /// The VCPUs that the guest uses, or the configured ones of a domain that is not on the host.
    pub(crate) fn vcpus(&self) -> u32 {
        self.number("online_vcpus").or_else(|| self.number("vcpus")).unwrap_or_default()
    }

    /// The CPU time in seconds.
    pub(crate) fn cpu_time(&self) -> f64 {
        self.number("cpu_time").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn values_are_found() {
        let text = b"(domain (domid 3) (name a) (vcpus 4) (online_vcpus 2) (memory 64) \
            (cpu_time 1.5) (state -b----))";
        let domain = Domain::read(read_one(text, &Limits::DEFAULT).unwrap()).unwrap();
        assert_eq!((domain.name(), domain.domid(), domain.vcpus()), ("a", Some(3), 2));
        assert_eq!((domain.memory(), domain.state()), (64, "-b----"));
        let halted = read_one(b"(domain (name b) (vcpus 4))", &Limits::DEFAULT).unwrap();
        let halted = Domain::read(halted).unwrap();
        assert_eq!((halted.domid(), halted.domid_text(), halted.vcpus()), (None, "", 4));
        for nameless in ["()", "x", "(domain (domid 3))", "(domain (name ''))"] {
            let nameless = read_one(nameless.as_bytes(), &Limits::DEFAULT).unwrap();
            assert!(Domain::read(nameless).is_err());
        }
    }
}
