//! Origins: whose page a browser asks for.

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;

use super::hosts::Named;

/// Origins of one server, at most.
const ORIGINS_MAX: usize = 256;
/// How no origins at all are written.
const NONE: &str = "none";
/// How every origin is written.
const ANY: &str = "*";

/// The origins whose pages may use a server, besides its own; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Rules);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rules {
    Any,
    These(Vec<Origin>),
}

/// Scheme, host and port, as `Origin` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// In lower case.
    scheme: String,
    /// Without the scheme's usual port.
    host: Named,
}

impl Default for Rules {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Origins {
    /// Whether there are none.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether they are all there can be.
    pub(super) fn is_any(&self) -> bool {
        self.0 == Rules::Any
    }

    /// Whether they have what a header says.
    pub(super) fn allow(&self, text: &HeaderValue) -> bool {
        match &self.0 {
            Rules::Any => true,
            Rules::These(origins) => {
                Origin::parse(text.as_bytes()).is_some_and(|origin| origins.contains(&origin))
            }
        }
    }
}

impl Origin {
    /// None for what is no origin, such as `null`, which any page can be made to have.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (scheme, host) = std::str::from_utf8(text).ok()?.split_once("://")?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(is_word) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let Named { name, port } = Named::parse(host.as_bytes())?;
        let port = port.filter(|port| Some(*port) != usual_port(&scheme));
        Some(Self { scheme, host: Named { name, port } })
    }

    /// Whether it is that of the server that was asked by this name. What is between may
    /// speak TLS for the server, so the scheme says nothing.
    pub(super) fn is_of(&self, host: &Named) -> bool {
        let Some(usual) = usual_port(&self.scheme) else { return false };
        let port = |named: &Named| named.port.unwrap_or(usual);
        self.host.name == host.name && port(&self.host) == port(host)
    }
}

/// What browsers leave out.
fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            NONE => return Ok(Self::default()),
            ANY => return Ok(Self(Rules::Any)),
            _ => {}
        }
        let mut origins = Vec::new();
        for part in text.split(',').map(str::trim) {
            let origin = Origin::parse(part.as_bytes());
            origins.push(origin.ok_or_else(|| {
                format!(
                    "`{part}` is no origin; such as https://shop.example or \
                     http://localhost:5173, without a path, separated by commas; or `{ANY}` for \
                     every origin, or {NONE}"
                )
            })?);
        }
        match origins.len() {
            0..=ORIGINS_MAX => Ok(Self(Rules::These(origins))),
            n => Err(format!("{n} origins are more than {ORIGINS_MAX}")),
        }
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules::These(origins) = &self.0 else { return f.write_str(ANY) };
        let Some((first, others)) = origins.split_first() else { return f.write_str(NONE) };
        write!(f, "{first}")?;
        others.iter().try_for_each(|origin| write!(f, ",{origin}"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host: Named { name, port } } = self;
        write!(f, "{scheme}://{name}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(origins: &str, origin: &str) -> bool {
        let origins: Origins = origins.parse().expect("origins");
        origins.allow(&HeaderValue::from_str(origin).expect("a header"))
    }

    #[test]
    fn an_origin_is_allowed_as_a_whole() {
        let origins = "https://Shop.example:443, http://localhost:5173,tauri://localhost";
        for origin in ["https://shop.example", "http://localhost:5173", "tauri://localhost"] {
            assert!(allows(origins, origin), "{origin}");
        }
        for origin in [
            "http://shop.example",
            "https://shop.example:8443",
            "https://a.shop.example",
            "https://shop.example.evil.example",
            "http://localhost",
            "http://localhost:5174",
            "null",
            "",
            "https://shop.example, https://evil.example",
        ] {
            assert!(!allows(origins, origin), "{origin}");
        }
        assert!(!allows("none", "http://localhost") && allows("*", "null"));
    }

    #[test]
    fn the_servers_own_is_known_by_the_name_that_it_was_asked_by() {
        let own = |origin: &str, host: &str| {
            let host = Named::parse(host.as_bytes()).expect("a host");
            Origin::parse(origin.as_bytes()).is_some_and(|origin| origin.is_of(&host))
        };
        assert!(own("http://127.0.0.1:7070", "127.0.0.1:7070"));
        assert!(own("http://localhost", "localhost") && own("http://localhost", "localhost:80"));
        assert!(own("https://shop.example", "shop.example"), "TLS ends before the server");
        assert!(!own("http://localhost:5173", "localhost:7070"));
        assert!(!own("http://127.0.0.1:7070", "localhost:7070"));
        assert!(!own("https://shop.example", "shop.example:80"));
        assert!(!own("null", "localhost") && !own("file://localhost", "localhost"));
    }

    #[test]
    fn they_are_written_as_they_are_read() {
        for text in ["none", "*", "https://a.example,http://[::1]:5173"] {
            assert_eq!(text.parse::<Origins>().expect(text).to_string(), text);
        }
        for text in ["", "null", "a.example", "http://a/", "http://a/b", "http://", "https://a,*"] {
            let error = text.parse::<Origins>().expect_err(text);
            assert!(error.contains("is no origin"), "{error}");
        }
    }
}
