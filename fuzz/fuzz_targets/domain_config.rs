//! Configurations of domains: no expression makes the reader panic, and a complete configuration
//! that is stored reads back equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend::core::model::{CompleteConfig, DomainConfig};
use xend::shape::{lint, read_config, read_device, read_stored, stored_config};
use xend::sxp::{Limits, read_one};

fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = read_one(bytes, &Limits::default()) else { return };
    let _ = lint(&tree);
    let _ = read_device(&tree);
    for read in [read_config(&tree), read_stored(&tree)] {
        let Some(config) = read.ok().and_then(|config| CompleteConfig::try_from(config).ok())
        else {
            continue;
        };
        let printed = stored_config(&config).to_bytes();
        let tree = read_one(&printed, &Limits::STORED).expect("a stored configuration can be read");
        let again = read_stored(&tree).expect("a stored configuration is one");
        assert!(again == DomainConfig::from(config), "{}", String::from_utf8_lossy(&printed));
    }
});
