//! Names of the agent's commands, and the texts of failures that hosts know.

use crate::network::Mac;

/// Asks for the agent's version.
pub const VERSION: &str = "version";
/// Asks for the names of all commands.
pub const FEATURES: &str = "features";
/// Begins a key exchange. Its value is the host's public key.
pub const KEYINIT: &str = "keyinit";
/// Sets root's password. Its value is encrypted with the key that [`KEYINIT`] made.
pub const PASSWORD: &str = "password";
/// A feature, not a command: [`PASSWORD`] takes an object with `user` and `password`, too.
pub const PASSWORD_USER: &str = "password_user";
/// Makes the guest read its network settings again.
pub const RESETNETWORK: &str = "resetnetwork";
/// Writes a file: base64 of `path,contents`.
pub const INJECTFILE: &str = "injectfile";
/// Writes a file: path and contents each in base64.
pub const FILE_INJECT: &str = "file_inject";
/// Asks the agent to replace itself by what a URL holds.
pub const AGENTUPDATE: &str = "agentupdate";

/// [`PASSWORD`] came without [`KEYINIT`] before.
pub const NO_KEY_EXCHANGE: &str = "Password without key exchange";

/// [`RESETNETWORK`] found an interface without addresses.
pub const NO_ADDRESSES: &str = "No IPs found for interface";

/// [`RESETNETWORK`] found settings for an interface that the guest does not have.
pub fn unknown_mac(mac: Mac) -> String {
    format!("Unknown interface MAC {mac}")
}

/// The message of a response to [`FEATURES`]. The plug-in of OpenStack compares what stands between
/// commas, so there are no blanks.
pub fn features<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// Whether the message of a response to [`FEATURES`] names a command. Blanks are tolerated.
pub fn has_feature(message: &str, name: &str) -> bool {
    message.split(',').any(|feature| feature.trim() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_have_no_blanks() {
        let message = features([VERSION, FEATURES, FILE_INJECT]);
        assert_eq!(message, "version,features,file_inject");
        assert!(has_feature(&message, FILE_INJECT));
        assert!(!has_feature(&message, "file"));
        assert!(!has_feature("", VERSION));
    }

    #[test]
    fn blanks_of_other_agents_are_tolerated() {
        assert!(has_feature("password, file_inject , version", FILE_INJECT));
    }
}
