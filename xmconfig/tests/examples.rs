//! Files as people wrote them, with the constructs of the examples that came with Xen.
//!
//! `sexpr-fixtures/xm-examples/NAME.cfg` is a file, `NAME.sxp` what it becomes.

use std::fs;
use std::path::{Path, PathBuf};
use xend_sxp::{Limits, pretty, read_one};
use xend_xmconfig::{Defaults, Overrides, convert_with};

/// The file that is refused.
const REFUSED: &str = "vmid-with-check";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sexpr-fixtures/xm-examples")
}

#[test]
fn the_constructs_of_xens_examples_are_read() {
    let mut overrides = Overrides::default();
    overrides.add(b"vmid=4").unwrap();
    let mut read = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_none_or(|extension| extension != "cfg") || name == REFUSED {
            continue;
        }
        let text = fs::read(&path).unwrap();
        let converted = convert_with(&text, &Defaults::default(), &overrides);
        let converted = converted.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert!(converted.warnings.is_empty(), "{name}: {:?}", converted.warnings);
        let wanted = fs::read(path.with_extension("sxp")).unwrap();
        let wanted = read_one(&wanted, &Limits::default()).unwrap();
        assert_eq!(converted.config, wanted, "{name}: {}", pretty(&converted.config, 80));
        read += 1;
    }
    assert_eq!(read, 7);
}

#[test]
fn a_function_is_refused_with_what_to_write_instead() {
    let text = fs::read(folder().join(REFUSED).with_extension("cfg")).unwrap();
    let error = convert_with(&text, &Defaults::default(), &Overrides::default()).err().unwrap();
    assert_eq!(
        format!("{error:#}"),
        "line 4, column 1: def is not supported: leave out the function and xm_vars, write \
         int(NAME) for a number, and give NAME=VALUE on the command line"
    );
}
