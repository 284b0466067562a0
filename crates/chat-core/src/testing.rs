//! Fakes that are real.
