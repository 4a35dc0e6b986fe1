//! The rules of the house, see `ARCHITECTURE.md`: who may import whom, and what no source file
//! holds.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A module, and the modules of this crate that it may name.
const RULES: [(&str, &[&str]); 18] = [
    ("sxp", &["sxp"]),
    ("core", &["core"]),
    ("shape", &["shape", "core", "sxp"]),
    ("store", &["store", "core", "shape", "sxp"]),
    ("backend/sim", &["backend::sim", "backend::uname", "core", "shape", "sxp"]),
    ("backend/libxl", &["backend::libxl", "backend::uname", "core", "shape", "sxp"]),
    ("wire/relocation", &["wire::relocation", "core", "peers", "shape", "sxp"]),
    ("wire/http", &["wire::http", "core", "shape", "sxp"]),
    ("wire/xmlrpc", &["wire::xmlrpc", "core", "shape", "sxp"]),
    ("server", &["server", "config", "core::caller", "peers"]),
    ("config", &["config", "cli", "core::model", "sxp"]),
    ("cli.rs", &["cli", "config", "core::model"]),
    ("check.rs", &["shape", "sxp"]),
    ("os.rs", &["core::ports"]),
    ("auth", &["core::ports"]),
    ("peers.rs", &["core::model"]),
    ("backend/mod.rs", &["core::ports"]),
    ("backend/uname.rs", &[]),
];

#[test]
fn nobody_imports_whom_he_should_not_know() {
    for (module, allowed) in RULES {
        let path = src().join(module);
        assert!(path.exists(), "{module} is not there");
        let files = if path.is_dir() { sources(&path) } else { vec![path] };
        for file in files {
            for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
                for (at, _) in line.match_indices("crate::") {
                    let named = &line[at + "crate::".len()..];
                    let fine = allowed.iter().any(|module| {
                        named.strip_prefix(module).is_some_and(|rest| {
                            !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                        })
                    });
                    assert!(
                        fine,
                        "{}:{}: {module} must not know crate::{named}",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

#[test]
fn a_crate_stays_where_it_belongs() {
    for (name, home) in [
        ("axum", &["wire", "server", "main.rs"][..]),
        ("hyper", &["wire", "server"]),
        ("multer", &["wire/http"]),
        ("quick_xml", &["wire/xmlrpc/codec.rs"]),
        ("tokio_rustls", &["server"]),
        ("argon2", &["auth"]),
        ("nonstick", &["auth"]),
        ("serde_urlencoded", &["wire/http"]),
        ("xend_templates", &["wire/http"]),
        ("lexpr", &["sxp"]),
        ("anyhow", &["main.rs"]),
        ("clap", &["main.rs", "cli.rs", "config"]),
        ("rustix", &["backend", "store", "server", "config"]),
        ("uzers", &["server"]),
    ] {
        for file in sources(&src()) {
            if home.iter().any(|home| file.starts_with(src().join(home))) {
                continue;
            }
            for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
                let code = line.trim_start();
                let word =
                    |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let named = !code.starts_with("//")
                    && code.match_indices(&format!("{name}::")).any(|(at, _)| word(at));
                assert!(!named, "{}:{}: {name} does not belong here", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_pages_know_maud_alone() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let named: Vec<&str> = dependencies.lines().filter(|line| line.contains('=')).collect();
    assert_eq!(named, ["maud.workspace = true"]);
}

#[test]
fn files_stay_readable() {
    for file in sources(&src()) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
        assert!(
            code <= 400,
            "{} has {code} lines before its tests: look for the seam",
            file.display()
        );
    }
}
