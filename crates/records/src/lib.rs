//! Types and ports of everything that the run engine itself does not call; no I/O.
