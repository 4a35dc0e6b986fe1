//! JSON from libxl: no answer of it, and no configuration that another toolstack stored, makes its
//! readers panic. They are taken by their files: the module around them is built with libxl alone.
#![no_main]
#![allow(dead_code, reason = "the rest of the files is for the calls of libxl")]

#[path = "../../src/backend/libxl/facts.rs"]
mod facts;
#[path = "../../src/backend/libxl/foreign.rs"]
mod foreign;
#[path = "../../src/backend/libxl/sched.rs"]
mod sched;

use facts::{ConsolePorts, DeviceInfo, DomInfo, PoolInfo, VcpuInfo};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde_json::Value;
use xend::core;
use xend::core::model::{CompleteConfig, Uuid};
use xend::shape::{read_stored, stored_config};

fn one<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text).ok()
}

fuzz_target!(|text: &[u8]| {
    let Some(value) = one::<Value>(text) else { return };
    let config = foreign::from_json(&value, Uuid::from_u128(7), 65_536);
    if let Ok(config) = CompleteConfig::try_from(config) {
        read_stored(&stored_config(&config)).expect("the configuration can be stored");
    }
    let domains: Vec<DomInfo> = one(text).or_else(|| Some(vec![one(text)?])).unwrap_or_default();
    for domain in &domains {
        domain.facts("web", None, ConsolePorts::default());
    }
    for pool in one::<Vec<PoolInfo>>(text).unwrap_or_default() {
        pool.facts(&domains);
    }
    if let Some(pool) = one::<PoolInfo>(text) {
        pool.facts(&domains);
    }
    for vcpu in one::<Vec<VcpuInfo>>(text).unwrap_or_default() {
        vcpu.facts();
    }
    if let Some(device) = one::<DeviceInfo>(text) {
        device.facts("vbd", None);
    }
    let _ = sched::from_json(&value);
});
