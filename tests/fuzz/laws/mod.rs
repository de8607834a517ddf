//! Laws for any bytes, one module per format; checked by the fuzzers, and on the corpus by the ordinary tests.

pub mod journal;
pub mod katkitconfig;
pub mod manifest;
mod memory_files;
pub mod service_description;
