use std::fs;
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// A wall clock that a test moves under a running gateway, by libfaketime of Debian's package `faketime`. Timers and timeouts go
/// on by the real clock.
pub struct MovedClock {
    file: NamedTempFile,
}

impl MovedClock {
    /// A clock that is right.
    #[must_use]
    pub fn new() -> Self {
        let clock = Self { file: NamedTempFile::new().expect("a file") };
        clock.forward(0);
        clock
    }

    /// For the environment of every gateway that is to live by it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.path().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// It is now so many seconds later than it really is.
    pub fn forward(&self, seconds: u64) {
        self.set(&format!("+{seconds}"));
    }

    /// It is now so many seconds earlier than it really is.
    pub fn back(&self, seconds: u64) {
        self.set(&format!("-{seconds}"));
    }

    fn set(&self, offset: &str) {
        // Replaced as a whole, since the gateway may be reading it.
        let next = self.file.path().with_extension("next");
        fs::write(&next, format!("{offset}\n")).expect("written");
        fs::rename(&next, self.file.path()).expect("renamed");
    }
}

impl Default for MovedClock {
    fn default() -> Self {
        Self::new()
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("a folder").filter_map(Result::ok);
    let mut found = folders.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).expect("libfaketime must be installed: ./tests/run does it")
}
