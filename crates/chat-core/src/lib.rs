//! Conversations, messages, runs, the run engine and the ports it calls; no I/O.
