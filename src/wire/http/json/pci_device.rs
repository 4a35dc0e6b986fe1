//! PCI functions, with their addresses in one word.

use super::fields::Fields;
use super::settings::{Settings, lossy};
use crate::core::model::PciDevice as Pci;
use crate::sxp::Sxp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// PCI functions that are passed through to the guest.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PciDevice {
    functions: Vec<PciFunction>,
    /// Domain that serves it; Domain-0 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// Number by which xend's clients know the device. Requests need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    /// Keys that xend does not interpret.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

/// A PCI function.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PciFunction {
    /// Address on the host: `0000:01:13.0`. The first part may be left out.
    address: String,
    /// Keys that xend does not interpret.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

impl PciDevice {
    pub(super) fn of(pci: &Pci) -> Self {
        let functions = pci.functions.iter().map(|function| PciFunction {
            address: function.address.to_string(),
            settings: Settings::shown(&function.rest),
        });
        Self {
            functions: functions.collect(),
            backend: pci.backend.as_ref().map(|backend| lossy(&backend.0)),
            uuid: pci.uuid.map(|uuid| uuid.to_string()),
            number: pci.id,
            settings: Settings::shown(&pci.rest),
        }
    }

    pub(super) fn to_sxp(&self, class: &str) -> Sxp {
        let mut fields = Fields::default();
        for function in &self.functions {
            fields.0.push(function.to_sxp());
        }
        fields.optional("uuid", self.uuid.as_deref());
        fields.optional("backend", self.backend.as_deref());
        self.settings.write(&mut fields);
        fields.headed(class)
    }
}

impl PciFunction {
    /// `(dev (domain 0000) (bus 01) (slot 13) (func 0))`. The reader checks each part.
    fn to_sxp(&self) -> Sxp {
        let mut fields = Fields::default();
        let (numbers, func) = self.address.rsplit_once('.').unwrap_or((&self.address, "0"));
        let mut parts = numbers.rsplitn(3, ':');
        for key in ["slot", "bus", "domain"] {
            fields.optional(key, parts.next());
        }
        fields.word("func", func);
        self.settings.write(&mut fields);
        fields.headed("dev")
    }
}
