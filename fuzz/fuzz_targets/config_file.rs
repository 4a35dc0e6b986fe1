//! The configuration file: no text makes its reader panic, and what it says is said of a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use xend::config::{Config, Environment, RunOptions};
use xend_fuzz::memory_dir;

fuzz_target!(|bytes: &[u8]| {
    let dir = memory_dir();
    let file = dir.path().join("xend-config.sxp");
    fs::write(&file, bytes).unwrap();
    let options = RunOptions {
        config: Some(file),
        state_dir: Some(dir.path().join("state")),
        ..RunOptions::default()
    };
    for root in [false, true] {
        let environment = Environment {
            root,
            uid: if root { 0 } else { 1000 },
            home: Some(PathBuf::from("/home/xend")),
            config_home: None,
            state_home: None,
            runtime_dir: None,
            configuration: None,
        };
        match Config::load(&options, &environment) {
            Ok((_, diagnostics)) => {
                for diagnostic in diagnostics {
                    assert!(!diagnostic.to_string().is_empty());
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
