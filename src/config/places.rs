//! Default paths: xend's own for root, the XDG directories for anyone else.

use std::path::{Path, PathBuf};

/// What of the process decides about default paths.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Whether the process runs as root.
    pub root: bool,
    /// The user that it runs as.
    pub uid: u32,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_this_process() -> Self {
        // The XDG specification wants relative paths ignored.
        let path =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            root: nix::unistd::geteuid().is_root(),
            uid: nix::unistd::geteuid().as_raw(),
            home: path("HOME"),
            config_home: path("XDG_CONFIG_HOME"),
            state_home: path("XDG_STATE_HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
        }
    }
}

/// The default paths of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The configuration file.
    pub config: PathBuf,
    /// The directory of what must survive a restart.
    pub state: PathBuf,
    /// The directory of the unix socket.
    pub runtime: PathBuf,
    /// The unix socket of XML-RPC.
    pub xmlrpc: PathBuf,
    /// The unix socket of the Xen-API.
    pub xen_api: PathBuf,
}

impl Places {
    /// The paths for `environment`; `None` if the user has no home directory to derive them from.
    pub fn of(environment: &Environment) -> Option<Self> {
        let Environment { root, home, config_home, state_home, runtime_dir, uid: _ } = environment;
        if *root {
            return Some(Self {
                config: "/etc/xen/xend-config.sxp".into(),
                state: "/var/lib/xend".into(),
                runtime: "/var/lib/xend".into(),
                xmlrpc: "/var/run/xend/xmlrpc.sock".into(),
                xen_api: "/var/run/xend/xen-api.sock".into(),
            });
        }
        let below_home = |dir: &str| home.as_deref().map(|home: &Path| home.join(dir));
        let config = config_home.clone().or_else(|| below_home(".config"))?;
        let state = state_home.clone().or_else(|| below_home(".local/state"))?.join("xend");
        let runtime = runtime_dir.as_ref().map_or_else(|| state.clone(), |dir| dir.join("xend"));
        let (xmlrpc, xen_api) = (runtime.join("xmlrpc.sock"), runtime.join("xen-api.sock"));
        Some(Self { config: config.join("xend/xend-config.sxp"), state, runtime, xmlrpc, xen_api })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_xends_own_paths() {
        let environment =
            Environment { root: true, home: Some("/root".into()), ..Environment::default() };
        let places = Places::of(&environment).unwrap();
        assert_eq!(places.config, Path::new("/etc/xen/xend-config.sxp"));
        assert_eq!(places.state, Path::new("/var/lib/xend"));
        assert_eq!(places.runtime, Path::new("/var/lib/xend"));
        assert_eq!(places.xmlrpc, Path::new("/var/run/xend/xmlrpc.sock"));
    }

    #[test]
    fn a_user_has_xdg_paths() {
        let mut environment =
            Environment { home: Some("/home/u".into()), ..Environment::default() };
        let places = Places::of(&environment).unwrap();
        assert_eq!(places.config, Path::new("/home/u/.config/xend/xend-config.sxp"));
        assert_eq!(places.state, Path::new("/home/u/.local/state/xend"));
        assert_eq!(places.runtime, places.state, "no runtime directory: beside the state");

        environment.config_home = Some("/c".into());
        environment.state_home = Some("/s".into());
        environment.runtime_dir = Some("/run/user/1000".into());
        let places = Places::of(&environment).unwrap();
        assert_eq!(places.config, Path::new("/c/xend/xend-config.sxp"));
        assert_eq!(places.state, Path::new("/s/xend"));
        assert_eq!(places.runtime, Path::new("/run/user/1000/xend"));

        assert_eq!(Places::of(&Environment::default()), None);
    }
}
