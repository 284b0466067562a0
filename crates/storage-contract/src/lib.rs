//! One test suite that every store passes, a named test per sentence of the ports.
