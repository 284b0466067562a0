//! Issues and verifies the tokens that say who is calling.
