//! What the response guard lets through, over any body and any cuts: see `echo::fuzzing::response_guard`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| echo::fuzzing::response_guard(data));
