//! A model server that speaks Chat Completions and fails on demand.
