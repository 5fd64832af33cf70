use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use secret::{Password, PasswordHash};
use zeroize::Zeroizing;

use crate::output::out_line;
use crate::system::SystemEntropy;

/// Reads a password from standard input, its first line, and prints its hash on standard output. A person is asked twice, and what they
/// type is not shown.
pub(crate) fn run() -> ExitCode {
    let password = if io::stdin().is_terminal() { asked() } else { first_line(io::stdin().lock()) };
    let hash =
        password.and_then(|password| PasswordHash::of(&password, &SystemEntropy).ok_or(HashPasswordError::Memory));
    match hash {
        Ok(hash) => {
            out_line!("{}", hash.to_phc());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
enum HashPasswordError {
    #[error("the password cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("{0}")]
    Password(#[from] secret::PasswordError),
    #[error("the two passwords differ")]
    Differ,
    #[error("there is not enough memory")]
    Memory,
}

fn asked() -> Result<Password, HashPasswordError> {
    let once = Zeroizing::new(rpassword::prompt_password("Password: ")?);
    let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
    if once != again {
        return Err(HashPasswordError::Differ);
    }
    Ok(Password::parse(once.as_str())?)
}

/// The line's end is not part of it; spaces are.
fn first_line(input: impl BufRead) -> Result<Password, HashPasswordError> {
    let mut line = Zeroizing::new(String::new());
    io::Read::take(input, LONGEST).read_line(&mut line)?;
    Ok(Password::parse(line.trim_end_matches(['\r', '\n']))?)
}

/// In bytes; more than any password has.
const LONGEST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_password() {
        let reads = |input: &str| first_line(input.as_bytes());
        let hash = |input: &str| PasswordHash::of(&reads(input).expect("a password"), &SystemEntropy).expect("memory");
        let known = Password::parse(" p w ").expect("a password");
        for input in [" p w ", " p w \n", " p w \r\n", " p w \nsecond line\n"] {
            assert!(hash(input).matches(&known), "{input:?}");
        }
        for input in ["", "\n", "\r\n"] {
            assert!(matches!(reads(input), Err(HashPasswordError::Password(_))), "{input:?}");
        }
        assert!(matches!(reads(&"x".repeat(5000)), Err(HashPasswordError::Password(_))));
        assert!(matches!(first_line(&b"\xff\n"[..]), Err(HashPasswordError::Read(_))));
    }
}
