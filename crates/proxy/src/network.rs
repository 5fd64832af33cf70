use std::net::IpAddr;
use std::str::FromStr;

/// A network of addresses, as `10.0.0.0/8` or `::1/128`; a single address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Shifted so that the bits of an IPv4 address are the first 32 of these.
    bits: u128,
    length: u8,
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// A text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor an address and a length.
    #[error(
        "is no network; write an address, or one with the length of its prefix, such as \"10.0.0.0/8\" or \"::1/128\""
    )]
    Form,
    /// Bits are set behind the prefix: the length or the address is not what was meant.
    #[error("has bits set behind its prefix; write the first address of the network, or the length that was meant")]
    HostBits,
}

impl Network {
    /// Whether the address is of this network. An IPv4 address in IPv6's form is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, family) = bits(address.to_canonical());
        family == self.family && masked(bits, self.length) == self.bits
    }

    /// Whether every address of a family is of it.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.length == 0
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        let (bits, family) = bits(address);
        let longest = match family {
            Family::V4 => 32,
            Family::V6 => 128,
        };
        let length = match length {
            None => longest,
            Some(digits) if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(NetworkError::Form);
            }
            Some(digits) => digits.parse().ok().filter(|length: &u8| *length <= longest).ok_or(NetworkError::Form)?,
        };
        // A network of addresses that are never seen in this form would silently match nothing.
        if masked(bits, length) != bits || address.to_canonical() != address {
            return Err(NetworkError::HostBits);
        }
        Ok(Self { bits, length, family })
    }
}

fn bits(address: IpAddr) -> (u128, Family) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, Family::V4),
        IpAddr::V6(address) => (address.to_bits(), Family::V6),
    }
}

fn masked(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    #[test]
    fn a_network_holds_its_own_addresses() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/25", "192.0.2.127", "192.0.2.128"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::1/128", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
        ] {
            assert!(network(text).contains(inside.parse().expect("an address")), "{text} {inside}");
            assert!(!network(text).contains(outside.parse().expect("an address")), "{text} {outside}");
        }
        assert!(network("::/0").is_everything() && !network("::/1").is_everything());
    }

    #[test]
    fn anything_else_is_none() {
        for text in
            ["", "10", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "localhost", "10.0.0.0/8/8", "[::1]"]
        {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Form), "{text:?}");
        }
        for text in ["10.1.0.0/8", "2001:db8::1/32", "::ffff:10.0.0.0/104"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::HostBits), "{text:?}");
        }
    }
}
