//! Streams answers from OpenAI-compatible model servers.
