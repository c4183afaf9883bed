//! Where a webhook's events are sent, taken apart.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

/// The longest address of a target, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// The port of `http`.
const PORT: u16 = 80;

/// A host, as an address of a target names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case, without a dot at its end.
    Name(String),
    /// An address, as IPv4 if it is one in IPv6's clothes.
    Address(IpAddr),
}

/// The address of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The port; that of `http` if none is named.
    pub port: u16,
    /// What is asked for there.
    pub path: String,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Why it is none that events can be sent to.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |reason: &str| Err(reason.to_owned());
        if text.len() > URL_BYTES_MAX {
            return Err(format!("must have at most {URL_BYTES_MAX} bytes, not {}", text.len()));
        }
        if text.starts_with("https:") {
            return refuse(
                "https targets are not supported yet; send to http://, to a proxy on this machine \
                 or in its network that speaks TLS to the outside",
            );
        }
        if text.contains('#') {
            return refuse("may have no fragment (`#`): it would not be sent");
        }
        let expected = "must be an address such as http://hooks.example.com/orders";
        let uri: Uri = text.parse().map_err(|error| format!("{expected}: {error}"))?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return refuse(expected);
        };
        if authority.as_str().contains('@') {
            return refuse("may have no user and no password");
        }
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, rest)) if !rest.ends_with(']') => match rest.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("cannot have the port `{rest}`: 1 to 65535")),
            },
            _ => PORT,
        };
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        // As in `http://example.com?a=b`.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: Host::parse(authority.host())?, port, path })
    }

    /// What the header `Host` says.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            PORT => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }
}

impl Host {
    /// Reads a host: an address, in brackets if it is of IPv6, or a name.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let address = inside.parse::<Ipv6Addr>();
            let address = address.map_err(|error| format!("has the host `{text}`: {error}"))?;
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_fit = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_fit);
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(format!("has the host `{}`, which is no name", text.escape_debug()));
        }
        // `127.1`, `0x7f.1` and `2130706433` are addresses to a resolver.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|c| c.is_ascii_digit()) || last.starts_with("0x") {
            return Err(format!("has the host `{text}`: write an address with all four numbers"));
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}
