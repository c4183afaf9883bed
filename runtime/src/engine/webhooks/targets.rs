//! Where webhooks may send: what the operator allows, and nothing else.
//!
//! A rule for a name is no rule for every address that the name may lead to: whoever
//! owns the name decides that, from one minute to the next. So an address that is not
//! on the public internet, the machine's own above all, is allowed only by a rule for
//! addresses, whatever name led to it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::address::{Address, Host};

/// Rules of one server, at most.
const RULES_MAX: usize = 256;

/// The targets that are allowed; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets(Vec<Rule>);

/// Why a target is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAllowed {
    /// No rule names the host and port.
    #[error(
        "the setting `webhook-targets` does not allow {target}: the server's operator may add \
         `{rule}` to it"
    )]
    Host {
        /// The host and port.
        target: String,
        /// What would allow it.
        rule: String,
    },
    /// The name leads to an address that needs a rule of its own.
    #[error(
        "`{name}` leads to {address}, which is not on the public internet: the setting \
         `webhook-targets` has to allow that address too, as `{rule}`"
    )]
    Address {
        /// The name.
        name: String,
        /// Where it leads.
        address: IpAddr,
        /// What would allow it.
        rule: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    ports: Ports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Name(String),
    /// Names that end in this, and a dot before it.
    Below(String),
    /// Addresses of which so many bits are these.
    Network(IpAddr, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// That of `http`.
    Default,
    One(u16),
    All,
}

impl Targets {
    /// Whether events may be sent to an address, as far as that can be said before it is
    /// known where a name leads.
    ///
    /// # Errors
    /// [`NotAllowed::Host`].
    pub fn check(&self, to: &Address) -> Result<(), NotAllowed> {
        let is_allowed = match &to.host {
            Host::Address(address) => self.has_network(*address, to.port),
            Host::Name(name) => self.0.iter().any(|rule| {
                let is_meant = match &rule.hosts {
                    Hosts::Name(other) => name == other,
                    Hosts::Below(domain) => is_below(name, domain),
                    Hosts::Network(..) => false,
                };
                is_meant && rule.ports.has(to.port)
            }),
        };
        match is_allowed {
            true => Ok(()),
            false => {
                let target = format!("{} on port {}", to.host, to.port);
                Err(NotAllowed::Host { target, rule: to.authority() })
            }
        }
    }

    /// Whether one of the addresses to which the host of a target leads may be connected
    /// to. That the target is [allowed](Targets::check) is not asked again.
    ///
    /// # Errors
    /// [`NotAllowed::Address`].
    pub fn check_resolved(&self, to: &Address, address: IpAddr) -> Result<(), NotAllowed> {
        let address = address.to_canonical();
        if is_public(address) || self.has_network(address, to.port) {
            return Ok(());
        }
        let found = Address { host: Host::Address(address), ..to.clone() };
        Err(NotAllowed::Address { name: to.host.to_string(), address, rule: found.authority() })
    }

    fn has_network(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().any(|rule| match rule.hosts {
            Hosts::Network(network, bits) => {
                has_bits(network, bits, address) && rule.ports.has(port)
            }
            Hosts::Name(_) | Hosts::Below(_) => false,
        })
    }
}

impl Ports {
    fn has(self, port: u16) -> bool {
        match self {
            Self::Default => port == 80,
            Self::One(one) => port == one,
            Self::All => true,
        }
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rules = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        let rules: Vec<Rule> = rules.map(Rule::parse).collect::<Result<_, _>>()?;
        match rules.len() > RULES_MAX {
            true => Err(format!("at most {RULES_MAX} targets, not {}", rules.len())),
            false => Ok(Self(rules)),
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| {
            let form = "hosts, `*.` and a domain, addresses or networks, each with `:` and a port \
                        or `:*` if it is not 80, separated by commas";
            format!("{form}; `{}` {reason}", text.escape_debug())
        };
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self { hosts: Hosts::of(address.into()), ports: Ports::Default });
        }
        // The colons of an address are within its brackets, or before its slash.
        let ports_after = text.rfind([']', '/']).unwrap_or(0);
        let (before, ports) = match text.rfind(':').filter(|at| *at >= ports_after) {
            None => (text, Ports::Default),
            Some(at) => {
                let (before, ports) = text.split_at(at);
                let ports = Ports::parse(ports.trim_start_matches(':'));
                (before, ports.ok_or_else(|| wrong("has no port from 1 to 65535 at its end"))?)
            }
        };
        if let Some((network, bits)) = before.split_once('/') {
            let network = network.trim_matches(['[', ']']).parse::<IpAddr>();
            let network = network.map_err(|_invalid| wrong("has no address before its `/`"))?;
            let most = if network.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most);
            let bits = bits.ok_or_else(|| wrong("has too many bits, or none, behind its `/`"))?;
            return Ok(Self { hosts: Hosts::Network(network, bits), ports });
        }
        let (host, is_below) = match before.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (before, false),
        };
        let host = Host::parse(host).map_err(|reason| wrong(&reason))?;
        let hosts = match (host, is_below) {
            (Host::Name(name), false) => Hosts::Name(name),
            (Host::Name(name), true) => Hosts::Below(name),
            (Host::Address(address), false) => Hosts::of(address),
            (Host::Address(_), true) => return Err(wrong("has an address behind its `*.`")),
        };
        Ok(Self { hosts, ports })
    }
}

impl Hosts {
    /// One address.
    fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::Network(address, if address.is_ipv4() { 32 } else { 128 })
    }
}

impl Ports {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => Some(Self::All),
            text => text.parse().ok().filter(|port| *port > 0).map(Self::One),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rule) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match &rule.hosts {
                Hosts::Name(name) => f.write_str(name)?,
                Hosts::Below(domain) => write!(f, "*.{domain}")?,
                Hosts::Network(network, bits) => write!(f, "{network}/{bits}")?,
            }
            match rule.ports {
                Ports::Default => {}
                Ports::One(port) => write!(f, ":{port}")?,
                Ports::All => f.write_str(":*")?,
            }
        }
        Ok(())
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// Whether the first bits of two addresses are the same.
fn has_bits(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let equal = match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    equal >= u32::from(bits)
}

/// Networks of IPv4 that are not on the public internet, or not one host there: IANA's
/// registry of special-purpose addresses, multicast, and what is reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// All of IPv6 that is public.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// But for these: protocols, some of which carry IPv4 addresses, and documentation.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address, which is canonical, is one of a host on the public internet.
fn is_public(address: IpAddr) -> bool {
    let is_in = |network: IpAddr, bits: u8| has_bits(network, bits, address);
    match address {
        IpAddr::V4(_) => {
            !NOT_PUBLIC_V4.iter().any(|(network, bits)| is_in((*network).into(), *bits))
        }
        IpAddr::V6(_) => {
            is_in(PUBLIC_V6.0.into(), PUBLIC_V6.1)
                && !NOT_PUBLIC_V6.iter().any(|(network, bits)| is_in((*network).into(), *bits))
        }
    }
}
