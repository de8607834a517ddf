//! A phase from inside.
