use std::fmt;

/// A key. Neither `Debug` nor a log line shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key as it was configured; white space around it is dropped.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self(key.as_ref().trim().to_owned())
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn does_not_print() {
        let shown = format!("{:?}", Some(Secret::new(" sk-123\n")));
        assert_eq!(shown, "Some(Secret(…))");
    }

    #[test]
    fn drops_the_line_end_of_a_file() {
        assert_eq!(Secret::new("sk-123\r\n").expose(), "sk-123");
        assert!(Secret::new(" \n").is_empty());
    }
}
