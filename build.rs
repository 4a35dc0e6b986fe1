//! Compiles the C side of the libxl backend, if the feature `xen` wants it.

fn main() {
    for file in ["shim.c", "shim.h", "events.c"] {
        println!("cargo:rerun-if-changed=src/backend/libxl/{file}");
    }
    #[cfg(feature = "xen")]
    xen();
}

#[cfg(feature = "xen")]
fn xen() {
    let mut shim = cc::Build::new();
    shim.files(["src/backend/libxl/shim.c", "src/backend/libxl/events.c"])
        .warnings(true)
        .extra_warnings(true);
    // After the shim, whose symbols they have.
    let mut libraries = Vec::new();
    for name in ["xenlight", "xentoollog", "xencontrol", "xenstore"] {
        match pkg_config::Config::new().cargo_metadata(false).probe(name) {
            Ok(library) => libraries.push(library),
            Err(error) => {
                eprintln!("The feature xen needs libxl's headers (Debian: libxen-dev): {error}");
                std::process::exit(1);
            }
        }
    }
    shim.includes(libraries.iter().flat_map(|library| &library.include_paths));
    shim.compile("xend_libxl");
    for library in libraries {
        for path in library.link_paths {
            println!("cargo:rustc-link-search=native={}", path.display());
        }
        for name in library.libs {
            println!("cargo:rustc-link-lib={name}");
        }
    }
}
