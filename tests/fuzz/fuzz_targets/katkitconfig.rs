//! Any bytes as a `katkitconfig.js`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| katkit_fuzz::katkitconfig::hold(bytes));
