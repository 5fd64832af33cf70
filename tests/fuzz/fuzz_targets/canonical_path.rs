//! What a rule allows, over any path and however servers read it: see `proxy::fuzzing::canonical_path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proxy::fuzzing::canonical_path(data));
