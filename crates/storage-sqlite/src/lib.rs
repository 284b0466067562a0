//! Every store port over one SQLite file: the embedded default.
