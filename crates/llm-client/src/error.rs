/// Why an upstream's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is no URL of a server.
    #[error("`{given}` is no URL of a model server: {reason}")]
    Url {
        /// What was given, without a query, which may hold a key.
        given: String,
        /// What is wrong with it and what is accepted.
        reason: &'static str,
    },
    /// The key cannot stand in a header.
    #[error("the API key holds characters that cannot be sent; visible ASCII is accepted")]
    Key,
    /// A limit is zero.
    #[error("the limit `{name}` is zero; a positive one is accepted")]
    Limit {
        /// The limit's name.
        name: &'static str,
    },
    /// No cryptography was installed for an `https` URL.
    #[error("no TLS provider is installed; install one of rustls' before the first client is made")]
    NoCrypto,
    /// The HTTP client cannot be made, such as for want of certificates.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}
