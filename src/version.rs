//! The version of the daemon, and what is in its build.

use std::sync::LazyLock;

/// The version, with the hypervisors and the optional features of the build, for `--version`.
pub(crate) fn with_features() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let hypervisors = if cfg!(feature = "xen") { "xen, sim" } else { "sim" };
        let features = [
            (cfg!(feature = "fleet"), "fleet"),
            (cfg!(feature = "lexpr"), "lexpr"),
            (cfg!(feature = "pam"), "pam"),
            (cfg!(feature = "xen"), "xen"),
        ];
        let features: Vec<_> =
            features.into_iter().filter(|(is_in, _)| *is_in).map(|(_, name)| name).collect();
        let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
        let version = env!("CARGO_PKG_VERSION");
        format!("{version}\nhypervisors: {hypervisors}\nfeatures: {features}")
    });
    &TEXT
}
