//! The queries, on an estate in memory and without a terminal.

mod arrivals;
mod history;
mod status;
mod why;
mod world;
