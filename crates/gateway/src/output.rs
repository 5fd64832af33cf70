//! Standard output of commands. A reader who has seen enough, as `head` has, is no failure.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// As `print!`.
macro_rules! out {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*)) };
}

/// As `println!`.
macro_rules! out_line {
    ($($text:tt)*) => { $crate::output::write_line(format_args!($($text)*)) };
}

pub(crate) use {out, out_line};

pub(crate) fn write(text: Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    heed(stdout.write_fmt(text).and_then(|()| stdout.flush()));
}

pub(crate) fn write_line(text: Arguments<'_>) {
    write(format_args!("{text}\n"));
}

fn heed(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("nothing can be written to standard output: {error}");
            std::process::exit(1);
        }
        _ => {}
    }
}
