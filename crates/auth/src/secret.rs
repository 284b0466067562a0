//! Secrets, in a type that does not print.

use secrecy::{ExposeSecret, SecretSlice};

/// The least length of a secret, in bytes, that does not earn a warning: that of an HS256 signature.
pub const MIN_SECRET_BYTES: usize = 32;

/// Bytes that sign tokens. They are wiped when dropped and show up in no log: `Debug` says only that they are there.
#[derive(Debug, Clone)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Takes these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// The bytes themselves.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

/// A secret that is too short to be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {bytes} bytes: at least {MIN_SECRET_BYTES} random bytes are safe")]
pub struct WeakSecret {
    /// Its length in bytes.
    pub bytes: usize,
}

/// Says whether a secret is long enough; the caller decides whether a short one is a warning or the end.
pub fn check_secret_strength(secret: &Secret) -> Result<(), WeakSecret> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(WeakSecret {
            bytes: secret.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new(b"correct horse battery staple".to_vec());
        let shown = format!("{secret:?} {secret:#?}");
        assert!(!shown.contains("horse"), "{shown}");
        assert!(!shown.contains("99, 111"), "{shown}");
    }

    #[test]
    fn a_secret_below_32_bytes_is_weak() {
        assert_eq!(
            check_secret_strength(&Secret::new(vec![1; 31])),
            Err(WeakSecret { bytes: 31 })
        );
        assert_eq!(check_secret_strength(&Secret::new(vec![1; 32])), Ok(()));
        assert!(Secret::new(Vec::new()).is_empty());
    }
}
