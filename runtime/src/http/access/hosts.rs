//! The names that a server goes by.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::uri::Authority;

/// Names of one server, at most.
const NAMES_MAX: usize = 256;
/// How only this machine's own names are written.
const LOCAL: &str = "localhost";
/// How every name is written.
const ANY: &str = "*";

/// By which names a server may be asked: this machine's own always (`localhost`, names
/// below it, loopback addresses), and what is configured besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Rules);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rules {
    Any,
    These(Vec<Rule>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// A name or address.
    Name(String),
    /// Names that end in this, and a dot before it.
    Below(String),
}

/// A host and perhaps a port, as `Host` and origins have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// In lower case; an IPv6 address in brackets.
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Hosts {
    /// Every name.
    #[must_use]
    pub fn any() -> Self {
        Self(Rules::Any)
    }

    /// Whether it may be asked by this name, on whatever port.
    pub(super) fn allow(&self, host: &Named) -> bool {
        let Rules::These(rules) = &self.0 else { return true };
        host.is_local()
            || rules.iter().any(|rule| match rule {
                Rule::Name(name) => host.name == *name,
                Rule::Below(domain) => host.is_below(domain),
            })
    }
}

impl Named {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let authority = Authority::try_from(text).ok()?;
        // A user's name is for whoever asks; a dot at the end changes nothing.
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let is_plain = !name.is_empty() && !text.contains(&b'@');
        is_plain.then(|| Self { name, port: authority.port_u16() })
    }

    /// Whether nobody outside can have it lead here: what these names mean is written
    /// into browsers.
    fn is_local(&self) -> bool {
        let address = self.address();
        self.name == LOCAL
            || self.is_below(LOCAL)
            || address.is_some_and(|address| address.to_canonical().is_loopback())
    }

    fn is_below(&self, domain: &str) -> bool {
        let before = self.name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
        before.is_some_and(|before| !before.is_empty())
    }

    fn address(&self) -> Option<IpAddr> {
        self.name.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == ANY {
            return Ok(Self::any());
        }
        let parts = text.split(',').map(str::trim);
        let mut rules = Vec::new();
        for part in parts.filter(|part| *part != LOCAL) {
            rules.push(part.parse()?);
        }
        match rules.len() {
            0..=NAMES_MAX => Ok(Self(Rules::These(rules))),
            n => Err(format!("{n} names are more than {NAMES_MAX}")),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bare, below) = match text.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (text, false),
        };
        // An address of IPv6 has brackets where a port may follow, and need not here.
        let bracketed =
            bare.parse().is_ok_and(|it: IpAddr| it.is_ipv6()).then(|| format!("[{bare}]"));
        let named = Named::parse(bracketed.as_deref().unwrap_or(bare).as_bytes());
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._[:]".contains(c);
        match named {
            Some(Named { name, port: None }) if name.chars().all(is_name) => Ok(match below {
                true => Self::Below(name),
                false => Self::Name(name),
            }),
            _ => Err(format!(
                "`{text}` is no name of a host; names and addresses without ports, `*.` and a \
                 domain, separated by commas, or `{ANY}` for every name"
            )),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules::These(rules) = &self.0 else { return f.write_str(ANY) };
        let Some((first, others)) = rules.split_first() else { return f.write_str(LOCAL) };
        write!(f, "{first}")?;
        others.iter().try_for_each(|rule| write!(f, ",{rule}"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(hosts: &str, host: &str) -> bool {
        let hosts: Hosts = hosts.parse().expect("hosts");
        Named::parse(host.as_bytes()).is_some_and(|host| hosts.allow(&host))
    }

    #[test]
    fn what_leads_to_this_machine_everywhere_is_its_name() {
        for host in
            ["localhost", "LOCALHOST:7070", "shop.localhost:1", "localhost.", "127.0.0.1:7070"]
        {
            assert!(allows("localhost", host), "{host}");
        }
        for host in ["127.9.9.9", "[::1]:7070", "[::ffff:127.0.0.1]"] {
            assert!(allows("shop.example", host), "{host}");
        }
        for host in [
            "evil.example:7070",
            "localhost.evil.example",
            "evillocalhost",
            ".localhost",
            "127.0.0.1.evil.example",
            "192.168.0.1",
            "0.0.0.0",
            "[::2]",
            "me@localhost",
            "",
            "a b",
        ] {
            assert!(!allows("localhost", host), "{host}");
        }
    }

    #[test]
    fn others_are_configured() {
        let hosts = "Shop.example, *.inner.example,10.0.0.1, fd00::1";
        for host in
            ["shop.example", "SHOP.EXAMPLE:443", "a.b.inner.example", "10.0.0.1", "[fd00::1]:1"]
        {
            assert!(allows(hosts, host), "{host}");
        }
        for host in ["inner.example", "xshop.example", "a.shop.example", "10.0.0.2", "[fd00::2]"] {
            assert!(!allows(hosts, host), "{host}");
        }
        assert!(allows("*", "anything.example"));
    }

    #[test]
    fn they_are_written_as_they_are_read() {
        for text in ["localhost", "*", "a.example,*.b.example,10.0.0.1,[fd00::1]"] {
            assert_eq!(text.parse::<Hosts>().expect(text).to_string(), text);
        }
        let refused = ["", "a:80", "http://a", "a,,b", "*.", "*a", "a/b", "me@a", "a,*"];
        for text in refused {
            let error = text.parse::<Hosts>().expect_err(text);
            assert!(error.contains("is no name of a host"), "{error}");
        }
        let many = vec!["a"; NAMES_MAX + 1].join(",");
        assert!(many.parse::<Hosts>().is_err());
    }
}
