//! The key exchange of `keyinit`, and the encryption of passwords with its key.
//!
//! Diffie-Hellman with the prime 2^107 - 1 and the generator 5, then AES-128-CBC with a key that is
//! derived from the shared secret as `openssl enc -aes-128-cbc -a -A -nosalt -pass pass:SECRET`
//! does it.
//!
//! **This keeps a password from nobody who can read both nodes**: the group's order has only small
//! factors, so its logarithms take seconds. What protects it are XenStore's permissions. It is kept
//! because hosts and agents speak it, and both ends can switch it off.

use crate::base64;
use crate::mersenne;
use crate::password::{BadPassword, Password};
use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use md5::{Digest as _, Md5};
use serde_json::Value;
use sha2::Sha256;
use std::fmt::{self, Display, Formatter, Write as _};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The prime p: 2^107 - 1.
pub const PRIME: u128 = mersenne::PRIME;

/// The generator g.
pub const GENERATOR: u128 = 5;

/// Length of a key and of an initial vector, in bytes.
const KEY_BYTES: usize = 16;

/// The longest decimal text of a key that is looked at.
const MAX_DIGITS: usize = 64;

/// The longest password in base64 that is looked at.
const MAX_ENCRYPTED: usize = 1024;

/// The private half of a key: an exponent of 128 bits. Zeroed on drop, not shown by anything.
pub struct Private(Zeroizing<u128>);

/// The public half of a key, between 2 and p - 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public(u128);

/// What both ends know after the exchange. Zeroed on drop, not shown by anything.
pub struct SharedKey(Zeroizing<u128>);

/// How `openssl enc` derives a key from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// The default of openssl before 1.1.0. All agents know it.
    Md5,
    /// The default since openssl 1.1.0. The first agents cannot read it.
    Sha256,
}

impl Private {
    /// A key from 16 random bytes, which are zeroed.
    pub fn from_random(random: &mut [u8; 16]) -> Self {
        let exponent = Zeroizing::new(u128::from_le_bytes(*random));
        random.zeroize();
        Self(exponent)
    }

    /// The public half, for the other end. One key of about 2^106 has a public half that the other
    /// end refuses.
    pub fn public(&self) -> Public {
        Public(mersenne::power(GENERATOR, &self.0))
    }

    /// What the other end computes, too, from its own private and this end's public half.
    pub fn shared_with(&self, other: Public) -> SharedKey {
        SharedKey(Zeroizing::new(mersenne::power(other.0, &self.0)))
    }
}

impl ZeroizeOnDrop for Private {}

impl Public {
    /// Reads a key in decimal. White space around it does not count.
    pub fn parse(text: &str) -> Result<Self, BadPublicKey> {
        let digits = text.trim();
        let is_number = !digits.is_empty()
            && digits.len() <= MAX_DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(BadPublicKey::NotANumber);
        }
        // What overflows 128 bits is beyond the prime.
        let key = digits.parse().unwrap_or(u128::MAX);
        if (2..PRIME - 1).contains(&key) { Ok(Self(key)) } else { Err(BadPublicKey::OutOfRange) }
    }

    /// Reads the value of `keyinit`: a number or a text.
    pub fn from_value(value: &Value) -> Result<Self, BadPublicKey> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => Err(BadPublicKey::NotANumber),
        }
    }
}

/// The decimal text that goes to the other end.
impl Display for Public {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SharedKey {
    /// A password for the value of `password`: base64 in one line. A newline follows the password,
    /// as agents expect it.
    pub fn encrypt(&self, password: &Password, digest: Digest) -> String {
        let text = password.as_str();
        let mut plain = Zeroizing::new(String::with_capacity(text.len() + 1));
        plain.push_str(text);
        plain.push('\n');
        self.encrypt_bytes(plain.as_bytes(), digest)
    }

    /// Reads the value of `password`, whichever digest the host's openssl has taken.
    pub fn decrypt(&self, encrypted: &str) -> Result<Password, DecryptError> {
        if encrypted.len() > MAX_ENCRYPTED {
            return Err(DecryptError::Invalid);
        }
        let bytes = base64::decode(encrypted).ok_or(DecryptError::NotBase64)?;
        let plain = [Digest::Md5, Digest::Sha256].map(|digest| self.decrypt_bytes(&bytes, digest));
        let plain = match &plain {
            // Both fit by chance: passwords come with a newline.
            [Some(md5), Some(sha256)] if !md5.ends_with('\n') && sha256.ends_with('\n') => sha256,
            [Some(plain), _] | [None, Some(plain)] => plain,
            [None, None] => return Err(DecryptError::Invalid),
        };
        Ok(Password::new(plain.trim_matches(['\r', '\n']))?)
    }

    fn encrypt_bytes(&self, plain: &[u8], digest: Digest) -> String {
        let derived = self.derive(digest);
        let cipher = cbc::Encryptor::<Aes128>::new(&derived.key.into(), &derived.iv.into());
        base64::encode(&cipher.encrypt_padded_vec::<Pkcs7>(plain))
    }

    /// The plain text, if all bytes of the padding are right and it is UTF-8.
    fn decrypt_bytes(&self, bytes: &[u8], digest: Digest) -> Option<Zeroizing<String>> {
        let derived = self.derive(digest);
        let cipher = cbc::Decryptor::<Aes128>::new(&derived.key.into(), &derived.iv.into());
        let mut buffer = Zeroizing::new(bytes.to_vec());
        let plain = cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?;
        Some(Zeroizing::new(std::str::from_utf8(plain).ok()?.to_owned()))
    }

    /// Key and initial vector as openssl's `EVP_BytesToKey` makes them, without salt, in one round.
    fn derive(&self, digest: Digest) -> Derived {
        // 39 digits hold 128 bits, so the text never moves.
        let mut secret = Zeroizing::new(String::with_capacity(40));
        let _ = write!(secret, "{}", *self.0);
        let mut derived = Derived { key: [0; KEY_BYTES], iv: [0; KEY_BYTES] };
        match digest {
            Digest::Md5 => {
                derived.key = Md5::digest(secret.as_bytes()).into();
                let iv = Md5::new().chain_update(derived.key).chain_update(secret.as_bytes());
                derived.iv = iv.finalize().into();
            }
            Digest::Sha256 => {
                let hash: Zeroizing<[u8; 2 * KEY_BYTES]> =
                    Zeroizing::new(Sha256::digest(secret.as_bytes()).into());
                let (key, iv) = hash.split_at(KEY_BYTES);
                derived.key.copy_from_slice(key);
                derived.iv.copy_from_slice(iv);
            }
        }
        derived
    }
}

impl ZeroizeOnDrop for SharedKey {}

/// What AES is given.
struct Derived {
    key: [u8; KEY_BYTES],
    iv: [u8; KEY_BYTES],
}

impl Drop for Derived {
    fn drop(&mut self) {
        self.key.zeroize();
        self.iv.zeroize();
    }
}

/// Why a public key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPublicKey {
    #[error("The public key is not a decimal number")]
    NotANumber,
    /// With such a key everybody knows the shared secret.
    #[error("The public key is not between 2 and p - 2")]
    OutOfRange,
}

/// Why an encrypted password is refused. The first two texts are those that the first agents
/// answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecryptError {
    #[error("Couldn't decode base64 data")]
    NotBase64,
    #[error("Invalid password data received")]
    Invalid,
    #[error(transparent)]
    Password(#[from] BadPassword),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{ErrorKind, Write as _};
    use std::process::{Command, Stdio};

    // The worked numbers that the protocol's description gives.
    const A: u128 = 5_373_003_642_731_685_151_011;
    const PUBLIC_A: &str = "128492706489454800633959484585958";
    const B: u128 = 88_962_710_306_127_702_866_241_727_433_142_015;
    const PUBLIC_B: &str = "10213771857304028832860390748511";
    const SECRET: u128 = 42_212_498_014_643_735_436_438_456_950_707;

    const PASSWORDS: [&str; 2] = ["Secret1", "0123456789abcde"];
    const MD5: [&str; 2] =
        ["+QS+vk/oLxFzjLFWmWlFqw==", "lrSThvePuGU67CfZ18mL4aOAJiGnbMRJUOCC/4oxdEw="];
    const SHA256: [&str; 2] =
        ["1+qYBHsPUvL6yL5XmnKNnw==", "61x/vbRrYDijKkJkiu0HLLugGk6ioNRkkpO7/dq+RPo="];

    fn private(exponent: u128) -> Private {
        Private::from_random(&mut exponent.to_le_bytes())
    }

    fn shared(secret: u128) -> SharedKey {
        SharedKey(Zeroizing::new(secret))
    }

    fn hex(bytes: [u8; KEY_BYTES]) -> String {
        bytes.map(|byte| format!("{byte:02x}")).concat()
    }

    fn text(password: Result<Password, DecryptError>) -> Result<String, DecryptError> {
        password.map(|password| password.as_str().to_owned())
    }

    #[test]
    fn the_worked_exchange_agrees() {
        let a = private(A);
        let b = private(B);
        assert_eq!(a.public().to_string(), PUBLIC_A);
        assert_eq!(b.public().to_string(), PUBLIC_B);
        assert_eq!(Public::parse(PUBLIC_A), Ok(a.public()));
        assert_eq!(*a.shared_with(b.public()).0, SECRET);
        assert_eq!(*b.shared_with(a.public()).0, SECRET);
    }

    #[test]
    fn the_worked_keys_are_derived() {
        let md5 = shared(SECRET).derive(Digest::Md5);
        assert_eq!(hex(md5.key), "84d3a6e9e224da5710dab5b26a0f91e8");
        assert_eq!(hex(md5.iv), "d6085eacfae73900f1b100805e6eb9ac");
        let sha256 = shared(SECRET).derive(Digest::Sha256);
        assert_eq!(hex(sha256.key), "70f654b5abbb2f2dad628eeb85921e23");
        assert_eq!(hex(sha256.iv), "f09f94133fb72d0d7f0d1075f45eba93");
    }

    #[test]
    fn the_worked_passwords_are_encrypted_and_decrypted() {
        let key = shared(SECRET);
        for (index, password) in PASSWORDS.iter().enumerate() {
            let given = Password::new(password).unwrap();
            assert_eq!(key.encrypt(&given, Digest::Md5), MD5[index]);
            assert_eq!(key.encrypt(&given, Digest::Sha256), SHA256[index]);
            assert_eq!(text(key.decrypt(MD5[index])), Ok((*password).to_owned()));
            assert_eq!(text(key.decrypt(SHA256[index])), Ok((*password).to_owned()));
        }
    }

    #[test]
    fn random_bytes_are_zeroed() {
        let mut random = [7; 16];
        let key = Private::from_random(&mut random);
        assert_eq!(random, [0; 16]);
        assert_eq!(*key.0, u128::from_le_bytes([7; 16]));
    }

    #[test]
    fn secrets_cannot_be_shown_or_copied() {
        // If one of the types implemented one of the traits, this would be ambiguous.
        trait Ambiguous<A> {
            fn is_absent() {}
        }
        impl<T> Ambiguous<()> for T {}
        impl<T: fmt::Debug> Ambiguous<u8> for T {}
        impl<T: Display> Ambiguous<u16> for T {}
        impl<T: Clone> Ambiguous<u32> for T {}
        fn is_zeroed_on_drop<T: ZeroizeOnDrop>(_: &T) {}

        Private::is_absent();
        SharedKey::is_absent();
        Derived::is_absent();
        is_zeroed_on_drop(&private(A).0);
        is_zeroed_on_drop(&shared(SECRET).0);
    }

    #[test]
    fn public_keys_are_read() {
        let last = (PRIME - 2).to_string();
        assert_eq!(Public::parse("2"), Ok(Public(2)));
        assert_eq!(Public::parse(" 0042\n"), Ok(Public(42)));
        assert_eq!(Public::parse(&last), Ok(Public(PRIME - 2)));
        assert_eq!(Public::from_value(&Value::from(42)), Ok(Public(42)));
        assert_eq!(Public::from_value(&Value::from("42")), Ok(Public(42)));
    }

    #[test]
    fn weak_public_keys_are_refused() {
        let prime = PRIME;
        for key in [0, 1, prime - 1, prime, prime + 1, prime + 5, u128::MAX] {
            let text = key.to_string();
            assert_eq!(Public::parse(&text), Err(BadPublicKey::OutOfRange), "{key}");
        }
        assert_eq!(Public::parse(&"9".repeat(64)), Err(BadPublicKey::OutOfRange));
    }

    #[test]
    fn what_is_no_number_is_no_public_key() {
        let long = "9".repeat(65);
        for text in ["", " ", "-5", "+5", "5.0", "0x5", "1e9", "5 5", "\u{665}", &long] {
            assert_eq!(Public::parse(text), Err(BadPublicKey::NotANumber), "{text}");
        }
        let values = [Value::Null, Value::from(1.5e30), Value::from(-5), Value::from(vec![5])];
        for value in values {
            assert_eq!(Public::from_value(&value), Err(BadPublicKey::NotANumber), "{value}");
        }
    }

    #[test]
    fn base64_may_come_in_lines() {
        let lines = "lrSThvePuGU67CfZ18mL\n4aOAJiGnbMRJUOCC/4oxdEw=\n";
        assert_eq!(text(shared(SECRET).decrypt(lines)), Ok(PASSWORDS[1].to_owned()));
    }

    #[test]
    fn passwords_that_cannot_be_decrypted_are_refused() {
        let key = shared(SECRET);
        for encrypted in ["x", "+QS+vk/oLxFzjLFWmWlFqw", "\u{e9}===", "+QS+vk/oLxFzjLFWmWlFqw==="] {
            assert_eq!(text(key.decrypt(encrypted)), Err(DecryptError::NotBase64), "{encrypted}");
        }
        let other = shared(SECRET + 1);
        let short = "+QS+vk/oLxFzjLFWmWlF";
        for (key, encrypted) in [(&key, ""), (&key, short), (&other, MD5[0]), (&other, SHA256[1])] {
            assert_eq!(text(key.decrypt(encrypted)), Err(DecryptError::Invalid), "{encrypted}");
        }
        let long = base64::encode(&[0; 1024]);
        assert_eq!(text(key.decrypt(&long)), Err(DecryptError::Invalid));
    }

    #[test]
    fn a_plain_text_must_be_a_password() {
        let key = shared(SECRET);
        let decrypt = |plain: &[u8]| text(key.decrypt(&key.encrypt_bytes(plain, Digest::Md5)));
        assert_eq!(decrypt(b"Secret1"), Ok("Secret1".to_owned()));
        assert_eq!(decrypt(b"\nSecret1\r\n\n"), Ok("Secret1".to_owned()));
        assert_eq!(decrypt("Gr\u{fc}n \n".as_bytes()), Ok("Gr\u{fc}n ".to_owned()));
        assert_eq!(decrypt(b"\n"), Err(DecryptError::Password(BadPassword::Empty)));
        assert_eq!(decrypt(b"a\nb\n"), Err(DecryptError::Password(BadPassword::Forbidden)));
        assert_eq!(decrypt(b"a\0b\n"), Err(DecryptError::Password(BadPassword::Forbidden)));
        assert_eq!(decrypt(b"\xff\xfe\n"), Err(DecryptError::Invalid));
    }

    #[test]
    fn of_two_plain_texts_the_one_with_a_newline_is_taken() {
        // A secret with which the wrong digest gives a text, too: one of millions does.
        let key = shared(SECRET + 1_708_638);
        let encrypted = key.encrypt_bytes(b"a\n", Digest::Sha256);
        let bytes = base64::decode(&encrypted).unwrap();
        assert!(key.decrypt_bytes(&bytes, Digest::Md5).is_some());
        assert_eq!(text(key.decrypt(&encrypted)), Ok("a".to_owned()));
    }

    #[test]
    fn errors_are_those_of_the_first_agents() {
        assert_eq!(DecryptError::NotBase64.to_string(), "Couldn't decode base64 data");
        assert_eq!(DecryptError::Invalid.to_string(), "Invalid password data received");
    }

    /// What `openssl enc` makes of its input, or None without openssl.
    fn openssl(secret: u128, options: &[&str], input: &str) -> Option<String> {
        let mut command = Command::new("openssl");
        command.args(["enc", "-aes-128-cbc", "-A", "-a", "-nosalt", "-pass"]);
        command.arg(format!("pass:{secret}")).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            child => child.unwrap(),
        };
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn openssl_agrees_both_ways() {
        let secret = *private(A + 1).shared_with(private(B + 1).public()).0;
        let key = shared(secret);
        let passwords = ["Secret1", "0123456789abcde", "x", "pass word\t\u{e9}\u{1f600}\"'\\$"];
        for (name, digest) in [("md5", Digest::Md5), ("sha256", Digest::Sha256)] {
            for password in passwords {
                let plain = format!("{password}\n");
                let Some(theirs) = openssl(secret, &["-e", "-md", name], &plain) else {
                    eprintln!("SKIPPED: openssl_agrees_both_ways needs openssl");
                    return;
                };
                let ours = key.encrypt(&Password::new(password).unwrap(), digest);
                assert_eq!(ours, theirs);
                assert_eq!(text(key.decrypt(&theirs)), Ok(password.to_owned()));
                assert_eq!(openssl(secret, &["-d", "-md", name], &ours), Some(plain));
            }
        }
        // Whichever digest this openssl takes by itself.
        let theirs = openssl(secret, &["-e"], "Secret1\n").unwrap();
        assert_eq!(text(key.decrypt(&theirs)), Ok("Secret1".to_owned()));
    }

    proptest! {
        #[test]
        fn both_ends_agree(a: u128, b: u128) {
            let a = private(a);
            let b = private(b);
            prop_assert_eq!(*a.shared_with(b.public()).0, *b.shared_with(a.public()).0);
        }

        #[test]
        fn passwords_come_back(secret in 2..PRIME, password in "[^\n\r\0]{1,100}", sha256: bool) {
            let digest = if sha256 { Digest::Sha256 } else { Digest::Md5 };
            let encrypted = shared(secret).encrypt(&Password::new(&password).unwrap(), digest);
            prop_assert!(encrypted.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(text(shared(secret).decrypt(&encrypted)), Ok(password));
        }

        #[test]
        fn any_text_is_decrypted_or_refused(encrypted: String, bytes: Vec<u8>) {
            let _ = shared(SECRET).decrypt(&encrypted);
            let _ = shared(SECRET).decrypt(&base64::encode(&bytes));
            let _ = Public::parse(&encrypted);
        }
    }
}
