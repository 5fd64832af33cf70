//! Why a gateway does not start, or ends before its time: one list of codes, from which docs/errors.md is made as well.

/// Stands in the log beside the sentence that says what happened here, as `code` and `remedy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Configuration,
    StoreNotOpened,
    StoreUnavailable,
    StoreNewer,
    StoreOlder,
    StoreForeign,
    StoreCorrupt,
    KeysMissing,
    KeyFile,
    RecordsUnreadable,
    AuditLog,
    AccessLog,
    Tls,
    Listener,
    Resources,
    SecondSignal,
}

/// What an operator reads about one of them.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) trouble: Trouble,
    pub(crate) code: &'static str,
    pub(crate) exit: u8,
    pub(crate) means: &'static str,
    pub(crate) remedy: &'static str,
}

impl Trouble {
    pub(crate) fn told(self) -> &'static Told {
        LIST.iter().find(|told| told.trouble == self).unwrap_or(&LIST[0])
    }
}

/// All of them.
pub(crate) static LIST: [Told; 16] = [
    Told {
        trouble: Trouble::Configuration,
        code: "configuration",
        exit: 2,
        means: "The configuration has problems; nothing was opened.",
        remedy: "Each problem is printed with its line and its remedy; `ath-gateway check` prints the same without a start.",
    },
    Told {
        trouble: Trouble::StoreNotOpened,
        code: "store_not_opened",
        exit: 1,
        means: "The store cannot be opened as [store] says.",
        remedy: "The sentence names the folder or the server. Let this user write in the folder, end the other process that has the file open, or \
                 correct the URL, the login and the certificates of Redis; `ath-gateway doctor` looks at each.",
    },
    Told {
        trouble: Trouble::StoreUnavailable,
        code: "store_unavailable",
        exit: 1,
        means: "The store was opened, and does not do what it is asked.",
        remedy: "Look whether Redis is a primary, has memory left and lets this user write (its ACL), or whether the disk is full or failing; \
                 `ath-gateway doctor` asks it.",
    },
    Told {
        trouble: Trouble::StoreNewer,
        code: "store_newer",
        exit: 1,
        means: "The store is in a format that a newer version of the gateway wrote.",
        remedy: "Start the newer version again, or put back the copy that was made before the upgrade.",
    },
    Told {
        trouble: Trouble::StoreOlder,
        code: "store_older",
        exit: 1,
        means: "The store is in a format that this version does not read any more.",
        remedy: "Start the version before this one first: it brings the store to a format that this one reads.",
    },
    Told {
        trouble: Trouble::StoreForeign,
        code: "store_foreign",
        exit: 1,
        means: "What stands where the store says its format was not written by a gateway.",
        remedy: "Look whether key_prefix, or path, of [store] is the right one.",
    },
    Told {
        trouble: Trouble::StoreCorrupt,
        code: "store_corrupt",
        exit: 1,
        means: "The store holds a record that no version of the gateway wrote.",
        remedy: "Put the last copy of the store back, and keep the present file for whoever looks for the cause.",
    },
    Told {
        trouble: Trouble::KeysMissing,
        code: "keys_missing",
        exit: 1,
        means: "Records of the store are sealed with keys that this gateway was not given.",
        remedy: "Put the named keys back into keys of [store], or into sealing.key, behind the key that seals; docs/keys.md says what to do where one \
                 is lost.",
    },
    Told {
        trouble: Trouble::KeyFile,
        code: "key_file",
        exit: 1,
        means: "The sealing key cannot be read or made, or what is in its file is no key.",
        remedy: "Let this user read the file, or put the right one back from where keys are kept; `ath-gateway keygen` makes one for a new store alone.",
    },
    Told {
        trouble: Trouble::RecordsUnreadable,
        code: "records_unreadable",
        exit: 1,
        means: "Records that are needed at the start do not open, although their key is there.",
        remedy: "Somebody has changed them, or they belong to another store: put the last copy back.",
    },
    Told {
        trouble: Trouble::AuditLog,
        code: "audit_log",
        exit: 1,
        means: "The audit log cannot be written, and without it nothing is decided.",
        remedy: "Name another place with path in [audit], or \"-\" for standard output; let this user write there, and make room.",
    },
    Told {
        trouble: Trouble::AccessLog,
        code: "access_log",
        exit: 1,
        means: "The access log cannot be written.",
        remedy: "Name another place with path in [access_log], or leave it out.",
    },
    Told {
        trouble: Trouble::Tls,
        code: "tls",
        exit: 1,
        means: "TLS cannot be set up, for the gateway's listener or towards a provider.",
        remedy: "Look at tls of [gateway], and at ca_file, cert_file and key_file of the provider; `ath-gateway check` names the file.",
    },
    Told {
        trouble: Trouble::Listener,
        code: "listener",
        exit: 1,
        means: "The gateway cannot listen where [gateway] says.",
        remedy: "End what holds the port, write another listen, or an address that this machine has; ports below 1024 want \
                 CAP_NET_BIND_SERVICE.",
    },
    Told {
        trouble: Trouble::Resources,
        code: "resources",
        exit: 1,
        means: "The system does not give the process what it needs: threads, signals, memory.",
        remedy: "Raise the limits of the service (TasksMax, LimitNPROC, memory), and start again.",
    },
    Told {
        trouble: Trouble::SecondSignal,
        code: "second_signal",
        exit: 1,
        means: "A second signal ended the gateway before the end that the first one asked for.",
        remedy: "Give it the time: longer than drain_delay and drain together. A refresh that was begun is settled at the next start.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_in_the_list_under_its_own_code() {
        for told in &LIST {
            assert_eq!(told.trouble.told().code, told.code);
            assert_eq!(LIST.iter().filter(|other| other.code == told.code).count(), 1, "{}", told.code);
            assert!(told.means.ends_with('.') && told.remedy.ends_with('.'), "{}", told.code);
        }
        assert_eq!(Trouble::SecondSignal.told().code, "second_signal");
    }
}
