//! The command line of katkit.

fn main() {}
