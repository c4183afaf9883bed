//! Which addresses are read, which targets are allowed, and how long they are left alone.

use std::net::IpAddr;
use std::time::Duration;

use super::{Address, NotAllowed, Targets, WebhookSettings};

fn targets(text: &str) -> Targets {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn allows(rules: &str, url: &str) -> bool {
    targets(rules).check(&address(url)).is_ok()
}

/// Whether a name that is allowed by itself may lead to an address.
fn leads(rules: &str, ip: &str) -> bool {
    let ip: IpAddr = ip.parse().unwrap();
    targets(rules).check_resolved(&address("http://hooks.example.com"), ip).is_ok()
}

#[test]
fn nothing_is_allowed_unless_a_rule_says_so() {
    for url in ["http://example.com", "http://127.0.0.1", "http://[::1]", "http://8.8.8.8"] {
        assert!(!allows("", url), "{url}");
    }
}

#[test]
fn rules_name_hosts_domains_networks_and_ports() {
    let allowed = [
        ("a.example.com", "http://A.example.com./x"),
        ("a.example.com:8080", "http://a.example.com:8080/x?y"),
        ("a.example.com:*", "http://a.example.com:1"),
        ("*.example.com", "http://a.example.com"),
        ("*.example.com", "http://a.b.example.com:80"),
        ("10.0.0.0/8:*", "http://10.1.2.3:9000"),
        ("10.1.2.3", "http://10.1.2.3"),
        ("::1", "http://[::1]"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("fd00::/8:8080", "http://[fd12::1]:8080"),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/"),
        ("b.org, c.org:81 ,", "http://c.org:81"),
    ];
    for (rules, url) in allowed {
        assert!(allows(rules, url), "{rules} {url}");
    }
    let refused = [
        ("a.example.com", "http://b.example.com"),
        ("a.example.com", "http://a.example.com:8080"),
        ("a.example.com:8080", "http://a.example.com"),
        ("a.example.com", "http://a.example.com.evil.org"),
        ("*.example.com", "http://example.com"),
        ("*.example.com", "http://evilexample.com"),
        ("10.0.0.0/8", "http://11.1.2.3"),
        ("10.0.0.0/8", "http://name.in.there"),
        ("10.0.0.0/8", "http://[fd12::1]"),
        ("0.0.0.0/0", "http://[2606:4700::1]"),
    ];
    for (rules, url) in refused {
        assert!(!allows(rules, url), "{rules} {url}");
    }
}

#[test]
fn a_name_leads_inward_only_where_a_rule_allows_the_address() {
    let inward = [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "fec0::1",
    ];
    for ip in inward {
        assert!(!leads("hooks.example.com", ip), "{ip}");
        assert!(leads(&format!("hooks.example.com,{ip}"), ip), "{ip}, named");
    }
    for ip in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
        assert!(leads("hooks.example.com", ip), "{ip}");
    }
    assert!(leads("10.0.0.0/8", "10.9.9.9"));
    // A rule for another port is none for this one.
    assert!(!leads("10.0.0.0/8:8080", "10.9.9.9"));
}

#[test]
fn what_is_refused_says_what_would_allow_it() {
    let refused = targets("").check(&address("http://[::1]:81/x")).unwrap_err();
    let NotAllowed::Host { rule, .. } = &refused else { panic!("{refused}") };
    assert_eq!(rule, "[::1]:81");
    assert!(allows(rule, "http://[::1]:81/x"));
    let to = address("http://hooks.example.com:81");
    let refused = targets("").check_resolved(&to, "::ffff:10.0.0.1".parse().unwrap());
    insta::assert_snapshot!(
        refused.unwrap_err(),
        @"`hooks.example.com` leads to 10.0.0.1, which is not on the public internet: the setting `webhook-targets` has to allow that address too, as `10.0.0.1:81`"
    );
}

#[test]
fn rules_are_written_as_they_are_read() {
    for text in ["", "a.org", "*.a.org:81", "10.0.0.0/8:*,fd00::/8", "::1/128:80"] {
        assert_eq!(targets(text).to_string(), text);
    }
    for text in ["*", "a b", "a.org:0", "a.org:x", "10.0.0.0/33", "x/8", "*.10.0.0.1", "http://a"] {
        assert!(text.parse::<Targets>().is_err(), "{text}");
    }
}

#[test]
fn addresses_that_mean_something_else_to_somebody_are_refused() {
    let refused = [
        "https://example.com",
        "ftp://example.com",
        "example.com",
        "/x",
        "http://",
        "",
        "http://me@example.com",
        "http://me:secret@example.com",
        "http://example.com/#x",
        "http://127.1",
        "http://0x7f.0.0.1",
        "http://0x7f000001",
        "http://2130706433",
        "http://example.com:0",
        "http://example.com:99999",
        "http://ex ample.com",
        "http://a..b",
        "http://[::1",
        "http://[::1%25eth0]",
        "http://ex%61mple.com",
    ];
    for text in refused {
        assert!(Address::parse(text).is_err(), "{text}");
    }
    let long = format!("http://example.com/{}", "x".repeat(2048));
    assert!(Address::parse(&long).is_err());
    let parsed = address("http://Example.com:8080?a=b");
    assert_eq!((parsed.authority().as_str(), parsed.path.as_str()), ("example.com:8080", "/?a=b"));
    assert_eq!(address("http://[::1]").authority(), "[::1]");
}

#[test]
fn pauses_grow_and_end_at_an_hour_whatever_a_target_asks_for() {
    let settings = WebhookSettings::default();
    let pauses = (1..=14).map(|attempts| settings.pause(attempts, None).as_secs());
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600];
    assert_eq!(pauses.collect::<Vec<_>>(), expected);
    assert_eq!(settings.pause(100, None), Duration::from_secs(3600));
    let asked = |seconds| settings.pause(3, Some(Duration::from_secs(seconds))).as_secs();
    assert_eq!((asked(0), asked(4), asked(60), asked(u64::MAX)), (4, 4, 60, 3600));
}
