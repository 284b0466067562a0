//! Request and event shapes of each frontend, as serde types and pure encoders.
