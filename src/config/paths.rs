//! Default paths: xend's own for root, the XDG directories for other users, and for a service what
//! systemd gives it.

use std::env;
use std::path::{Path, PathBuf};

/// The properties of the process that decide about default paths.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Whether the process runs as root.
    pub root: bool,
    /// The effective user id.
    pub uid: u32,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `CONFIGURATION_DIRECTORY`: where a unit's `ConfigurationDirectory=` is. It takes the place
    /// of xend's directory in `config_home`.
    pub configuration: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_this_process() -> Self {
        // The XDG specification wants relative paths ignored.
        let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let user = rustix::process::geteuid();
        Self {
            root: user.is_root(),
            uid: user.as_raw(),
            home: path("HOME"),
            config_home: path("XDG_CONFIG_HOME"),
            state_home: path("XDG_STATE_HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            configuration: path("CONFIGURATION_DIRECTORY"),
        }
    }
}

/// The default paths of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultPaths {
    /// The configuration file.
    pub config: PathBuf,
    /// The file of accounts.
    pub users: PathBuf,
    /// The directory of persistent data.
    pub state: PathBuf,
    /// The directory of the unix socket for HTTP.
    pub runtime: PathBuf,
    /// The unix socket of XML-RPC.
    pub xmlrpc: PathBuf,
    /// The unix socket of the Xen-API.
    pub xen_api: PathBuf,
}

impl DefaultPaths {
    /// The paths in `environment`; `None` when they depend on a home directory that is not set.
    pub fn of(environment: &Environment) -> Option<Self> {
        let Environment { root, uid: _, home, config_home, state_home, runtime_dir, configuration } =
            environment;
        if *root {
            return Some(Self {
                config: "/etc/xen/xend-config.sxp".into(),
                users: "/etc/xen/users.sxp".into(),
                state: "/var/lib/xend".into(),
                runtime: "/var/lib/xend".into(),
                xmlrpc: "/var/run/xend/xmlrpc.sock".into(),
                xen_api: "/var/run/xend/xen-api.sock".into(),
            });
        }
        let below_home = |dir: &str| home.as_deref().map(|home: &Path| home.join(dir));
        let own_config =
            || Some(config_home.clone().or_else(|| below_home(".config"))?.join("xend"));
        let config = configuration.clone().or_else(own_config)?;
        let state = state_home.clone().or_else(|| below_home(".local/state"))?.join("xend");
        let runtime = runtime_dir.as_ref().map_or_else(|| state.clone(), |dir| dir.join("xend"));
        Some(Self {
            config: config.join("xend-config.sxp"),
            users: config.join("users.sxp"),
            xmlrpc: runtime.join("xmlrpc.sock"),
            xen_api: runtime.join("xen-api.sock"),
            state,
            runtime,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_xends_paths() {
        let environment =
            Environment { root: true, home: Some("/root".into()), ..Environment::default() };
        let paths = DefaultPaths::of(&environment).unwrap();
        assert_eq!(paths.config, Path::new("/etc/xen/xend-config.sxp"));
        assert_eq!(paths.users, Path::new("/etc/xen/users.sxp"));
        assert_eq!(paths.state, Path::new("/var/lib/xend"));
        assert_eq!(paths.runtime, Path::new("/var/lib/xend"));
        assert_eq!(paths.xmlrpc, Path::new("/var/run/xend/xmlrpc.sock"));
    }

    #[test]
    fn other_users_have_xdg_paths() {
        let mut environment =
            Environment { home: Some("/home/u".into()), ..Environment::default() };
        let paths = DefaultPaths::of(&environment).unwrap();
        assert_eq!(paths.config, Path::new("/home/u/.config/xend/xend-config.sxp"));
        assert_eq!(paths.state, Path::new("/home/u/.local/state/xend"));
        assert_eq!(paths.runtime, paths.state, "there is no runtime directory");

        environment.config_home = Some("/c".into());
        environment.state_home = Some("/s".into());
        environment.runtime_dir = Some("/run/user/1000".into());
        let paths = DefaultPaths::of(&environment).unwrap();
        assert_eq!(paths.config, Path::new("/c/xend/xend-config.sxp"));
        assert_eq!(paths.users, Path::new("/c/xend/users.sxp"));
        assert_eq!(paths.state, Path::new("/s/xend"));
        assert_eq!(paths.runtime, Path::new("/run/user/1000/xend"));

        environment.configuration = Some("/etc/xen".into());
        let paths = DefaultPaths::of(&environment).unwrap();
        assert_eq!(paths.config, Path::new("/etc/xen/xend-config.sxp"));
        assert_eq!(paths.users, Path::new("/etc/xen/users.sxp"));
        assert_eq!(paths.state, Path::new("/s/xend"));

        assert_eq!(DefaultPaths::of(&Environment::default()), None);
    }
}
