//! Compiles the C files of the libxl backend, with the feature `xen`.

fn main() {
    let files =
        ["shim.c", "shim.h", "context.h", "events.c", "hypercalls.c", "messages.c", "messages.h"];
    for file in files {
        println!("cargo:rerun-if-changed=src/backend/libxl/{file}");
    }
    #[cfg(feature = "xen")]
    xen();
}

#[cfg(feature = "xen")]
fn xen() {
    let mut shim = cc::Build::new();
    shim.files(
        ["shim.c", "events.c", "hypercalls.c", "messages.c"]
            .map(|file| format!("src/backend/libxl/{file}")),
    )
    .warnings(true)
    .extra_warnings(true)
    // Functions that are not static must be declared in a header.
    .flag("-Wmissing-prototypes");
    // They are linked after the shim, which uses their symbols.
    let mut libraries = Vec::new();
    for name in ["xenlight", "xentoollog", "xencontrol"] {
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
